// Rig: one model with everything it needs to run (pool, threads, scratch, cache), and the recorded
// references.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/exec/exec.h"
#include "memory/kv/kv_cache.h"
#include "models/formats/weight_source.h"
#include "models/model.h"
#include "models/network/network.h"
#include "models/tokenizer/tokenizer.h"

namespace consort::golden {

// ${CONSORT_MODELS_DIR:-~/.cache/consort/models}/<id>/<file>
std::string model_path(const std::string& id);
bool full_run();  // CONSORT_GOLDEN_FULL=1: everything, which takes minutes; otherwise a part
std::string data_path(const std::string& name);  // tests/golden/data/<name>
std::string read_text(const std::string& path);  // fails the test when it cannot

// A tensor of a recorded .safetensors file as plain vectors. Fails the test when absent.
std::vector<float> floats_of(const WeightSource& source, const std::string& name);
std::vector<std::int32_t> ints_of(const WeightSource& source, const std::string& name);

class Rig {
 public:
  // Throws std::runtime_error with a message that names the model and how to get it.
  explicit Rig(const std::string& id, int threads = 2, Precision precision = Precision::kFile,
               ActivationFormat activations = ActivationFormat::kInt16);
  ~Rig();

  Model& model() { return *model_; }
  Network& network() { return *network_; }
  Exec& exec() { return *exec_; }
  KvCache& cache() { return *cache_; }
  const WeightSource& source() const { return *source_; }
  const Tokenizer& tokenizer();

  // Prepares the inputs, runs them together. Rows of embeddings (one an input, or one a token) or of logits.
  std::vector<std::unique_ptr<Sample>> prepare(std::span<const NetworkInput> inputs);
  std::vector<float> embed(std::span<const std::unique_ptr<Sample>> samples,
                           EmbeddingLevel level = EmbeddingLevel::kItem);
  std::vector<float> classify(std::span<const std::unique_ptr<Sample>> samples);

  // Logits [tokens, vocab] of a prompt given in slices of `chunk` tokens (0: all at once).
  std::vector<float> logits(std::span<const std::int32_t> ids, int chunk = 0);
  // Appends `ids` to a sequence; logits of the last one.
  std::vector<float> extend(KvSequence& sequence, std::span<const std::int32_t> ids);

 private:
  std::unique_ptr<DevicePool> pool_;
  std::unique_ptr<ThreadPool> threads_;
  std::unique_ptr<ScratchArena> scratch_;
  std::unique_ptr<Exec> exec_;
  std::shared_ptr<const WeightSource> source_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<KvCache> cache_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

// One rig for each model and thread count, kept for the process: loading is the slow part.
Rig& shared_rig(const std::string& id, int threads = 2);

}  // namespace consort::golden
