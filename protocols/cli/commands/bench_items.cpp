// bench embed | classify | rerank: a network through the bus, as agents call it.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "protocols/cli/commands/bench_inputs.h"
#include "protocols/cli/commands/bench_tools.h"

namespace consort::bench {
namespace {

struct Rig {
  std::string model;
  Machine machine;
  Arithmetic arithmetic;
  std::unique_ptr<Engine> engine;
  ModelHandle handle;
};

Result<Rig> start(CliContext& c, const Flags& f, const char* fallback) {
  const std::string model = f.model.empty() ? fallback : f.model;
  const Machine machine = measure_machine(c);
  CONSORT_TRY(arithmetic, arithmetic_of(c, model));
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(handle, engine->acquire(model));
  return Rig{model, machine, arithmetic, std::move(engine), std::move(handle)};
}

tl::unexpected<Error> wrong(std::string what) {
  return fail(ErrorKind::kRuntime, std::move(what), "bench");
}

bool same(const TensorView& a, const TensorView& b) {
  return a.elements() == b.elements() && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

bool finite(const TensorView& v) {
  for (std::int64_t i = 0; i < v.elements(); ++i)
    if (!std::isfinite(v.as<float>()[i])) return false;
  return true;
}

// One answer about items: what a bench needs of it.
struct Answer {
  TensorLease tensor;
  std::vector<ItemError> errors;
  Usage usage;
};
using Ask = std::function<Result<Answer>(Rig&, std::vector<ModelInput>)>;

Result<Answer> ask_embed(Rig& rig, std::vector<ModelInput> items) {
  EmbedRequest request;
  request.inputs = std::move(items);
  CONSORT_TRY(r, rig.engine->wait(rig.handle.embed(std::move(request), rig.engine->request())));
  return Answer{r.embeddings, r.errors, r.usage};
}

Result<Answer> ask_classify(Rig& rig, std::vector<ModelInput> items) {
  ClassifyRequest request;
  request.inputs = std::move(items);
  request.logits = true;
  CONSORT_TRY(r, rig.engine->wait(rig.handle.classify(std::move(request), rig.engine->request())));
  return Answer{r.logits, r.errors, r.usage};
}

// The first set that the model takes.
Result<ItemSet> choose_items(Rig& rig, const Ask& ask, std::vector<ItemSet (*)(int)> sets, int count) {
  std::string said;
  for (const auto make : sets) {
    CONSORT_TRY(tried, ask(rig, make(1).items));
    if (tried.errors.empty()) return make(count);
    said = tried.errors.front().error.what;
  }
  return fail(ErrorKind::kUnsupported, "the model takes nothing that this bench has: " + said, rig.model);
}

// Of all threads of this process.
double processor_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

Result<Value> measure(CliContext& c, const Flags& f, const char* name, Rig& rig, const Ask& ask,
                      const ItemSet& set) {
  CONSORT_TRY(first, ask(rig, set.items));
  CONSORT_TRY(alone, ask(rig, {set.items.front()}));
  TensorView row = first.tensor.view;
  row.dims[0] = alone.tensor.view.dims[0];
  if (!first.errors.empty()) return wrong("an item failed: " + first.errors.front().error.line());
  if (!finite(first.tensor.view)) return wrong("the answer holds numbers that are not finite");
  if (!same(row, alone.tensor.view)) return wrong("an item was answered otherwise in company than alone");
  Progress progress(c.console, name, "rounds");
  std::vector<double> rates, processor;
  double best_ms = 0;
  for (int round = 0; round < f.rounds; ++round) {
    const auto begin = Clock::now();
    const double processor_begin = processor_ms();
    CONSORT_TRY(again, ask(rig, set.items));
    const double took = milliseconds_since(begin);
    processor.push_back(processor_ms() - processor_begin);
    if (!same(again.tensor.view, first.tensor.view))
      return wrong("the same items gave two different answers");
    rates.push_back(static_cast<double>(set.items.size()) / took * 1000);
    best_ms = round == 0 ? took : std::min(best_ms, took);
    progress.update(static_cast<std::uint64_t>(round) + 1, static_cast<std::uint64_t>(f.rounds));
  }
  progress.finish();
  Value::Object out{{"name", name},
                    {"model", rig.model},
                    {"threads", rig.machine.threads},
                    {"isa", std::string(isa_name(rig.machine.isa))},
                    {"rounds", f.rounds}};
  append_samples(out, set.unit, rates);
  std::sort(processor.begin(), processor.end());
  out.emplace_back("processor_ms", processor[processor.size() / 2]);
  out.emplace_back("precision", c.options.precision);
  out.emplace_back("items", set.items.size());
  out.emplace_back("tokens", first.usage.prompt_tokens);
  out.emplace_back(
      "roof", roof_share(rig.machine, {first.usage.bytes, first.usage.flop, rig.arithmetic}, best_ms / 1000));
  return Value::object(std::move(out));
}

}  // namespace

Result<Value> embed(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start(c, f, "all-minilm-l6-v2"));
  if (!f.texts.empty()) {
    CONSORT_TRY(given, lines_of(f.texts));
    return measure(c, f, "embed", rig, ask_embed, given);
  }
  CONSORT_TRY(set, choose_items(rig, ask_embed, {sentences, molecules, pictures, source_files}, 256));
  if (set.items.front().kind == InputKind::kImage) set.items.resize(32);
  return measure(c, f, "embed", rig, ask_embed, set);
}

Result<Value> classify(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start(c, f, "magika"));
  CONSORT_TRY(set, choose_items(rig, ask_classify, {source_files, pictures, molecules, sentences}, 32));
  return measure(c, f, "classify", rig, ask_classify, set);
}

Result<Value> rerank(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start(c, f, "ms-marco-minilm-l12-v2"));
  ItemSet set = sentences(64);
  if (!f.texts.empty()) {
    CONSORT_TRY(given, lines_of(f.texts));
    set = std::move(given);
  }
  set.unit = "pairs_per_s";
  const Ask ask = [](Rig& at, std::vector<ModelInput> items) -> Result<Answer> {
    RerankRequest request;
    for (ModelInput& item : items)
      request.pairs.push_back({"where does the keeper of the light live", std::move(item.text)});
    CONSORT_TRY(r, at.engine->wait(at.handle.rerank(std::move(request), at.engine->request())));
    auto held = std::make_shared<std::vector<float>>(r.scores.begin(), r.scores.end());
    return Answer{
        {"scores", make_view(held->data(), DType::kF32, {std::ssize(*held)}), held}, r.errors, r.usage};
  };
  return measure(c, f, "rerank", rig, ask, set);
}

}  // namespace consort::bench
