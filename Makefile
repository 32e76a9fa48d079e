# Two commands for newcomers: `make demo` and `make test`. Both install what is missing, are idempotent and say
# what they do. The rest is for engineers.
PRESET   ?= release
BUILD    := build/$(PRESET)
JOBS     ?= $(shell nproc)
# Gemma is under its own terms of use; they are fetched beside the weights as GEMMA_TERMS.html.
export CONSORT_ACCEPT_LICENCES ?= gemma
CONSORT  := build/consort
MODELS   := smollm2-135m-instruct gemma-3-270m all-minilm-l6-v2 bge-small-en-v1.5 answerai-colbert-small-v1 \
            ms-marco-minilm-l12-v2 magika efficientnet-lite0 gnn-gcn gnn-graphsage gnn-gat field-photos

.PHONY: demo test build build-tests setup models licences sanitize format clean bench-compare

demo: build models
	@scripts/demo $(CONSORT)

test: build build-tests models
	@echo "== tests"
	@cd $(BUILD) && ctest --output-on-failure --no-tests=error -j $(JOBS)

build: setup
	@echo "== building the program ($(BUILD))"
	@cmake --preset $(PRESET) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build $(BUILD) --target consort -j $(JOBS)
	@ln -sfn $(PRESET)/consort build/consort

build-tests:
	@echo "== building the tests ($(BUILD))"
	@cmake --build $(BUILD) -j $(JOBS)

setup:
	@mkdir -p build
	@scripts/setup

models: build licences
	@for id in $(MODELS); do $(CONSORT) models pull $$id --accept-licence || exit $$?; done

licences:
	@echo "== weights: Apache-2.0 (SmolLM2, MiniLM, answerai-colbert, ms-marco-MiniLM, Magika, EfficientNet-Lite0), MIT (bge) and the Gemma Terms of Use (Gemma-3-270M)."
	@echo "   This command accepts the Gemma terms for you; read them in GEMMA_TERMS.html beside the weights."

sanitize: setup
	@scripts/sanitize

format:
	@git ls-files '*.h' '*.cpp' '*.cu' | xargs clang-format -i

clean:
	@rm -rf build
