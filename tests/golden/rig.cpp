#include "tests/golden/rig.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include "models/arch/registry.h"

namespace consort::golden {
namespace {

// A folder without config.json may hold one torch checkpoint.
std::string weights_in(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path + "/config.json", error)) return path;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".pth") return at->path().string();
  return path;
}

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().line());
  return std::move(*result);
}

template <typename T>
std::vector<T> copy_of(const WeightSource& source, const std::string& name, DType type) {
  const TensorEntry* entry = source.find(name);
  if (entry == nullptr || entry->view.dtype != type) {
    ADD_FAILURE() << "no such tensor in " << source.location() << ": " << name;
    return {};
  }
  std::vector<T> values(static_cast<std::size_t>(entry->view.elements()));
  std::memcpy(values.data(), entry->view.data, values.size() * sizeof(T));
  return values;
}

}  // namespace

std::string model_path(const std::string& id) {
  const char* dir = std::getenv("CONSORT_MODELS_DIR");
  const char* home = std::getenv("HOME");
  const std::string folder =
      (dir != nullptr && *dir != 0 ? std::string(dir)
                                   : std::string(home != nullptr ? home : "") + "/.cache/consort/models") +
      "/" + id;
  if (id == "smollm2-135m-instruct") return folder + "/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (id == "gemma-3-270m") return folder + "/gemma-3-270m-q4_k_m.gguf";
  return folder;
}

bool full_run() {
  const char* v = std::getenv("CONSORT_GOLDEN_FULL");
  return v != nullptr && *v == '1';
}

std::string data_path(const std::string& name) {
  return std::string(CONSORT_SOURCE_DIR) + "/tests/golden/data/" + name;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<float> floats_of(const WeightSource& source, const std::string& name) {
  return copy_of<float>(source, name, DType::kF32);
}
std::vector<std::int32_t> ints_of(const WeightSource& source, const std::string& name) {
  return copy_of<std::int32_t>(source, name, DType::kI32);
}

Rig::Rig(const std::string& id, int threads, Precision precision, ActivationFormat activations) {
  pool_ = value_or_throw(DevicePool::create_cpu(std::size_t{6} << 30));
  threads_ = std::make_unique<ThreadPool>(threads);
  scratch_ = std::make_unique<ScratchArena>(*pool_, Owner{"activations", "golden"});
  exec_ = std::make_unique<Exec>(Exec{*threads_, *scratch_});
  auto source = open_weights(weights_in(model_path(id)));
  if (!source)
    throw std::runtime_error(source.error().line() + " (get it with `consort models pull " + id + "`)");
  source_ = std::move(*source);
  const Architecture* architecture = find_architecture(*source_);
  if (architecture == nullptr) throw std::runtime_error("no architecture is known for the weights of " + id);
  LoadContext context{*exec_, *pool_, id, precision, nullptr, activations};
  if (architecture->load_network != nullptr) {
    const bool reads_text = std::ifstream(model_path(id) + "/tokenizer.json").good();
    if (reads_text) tokenizer_ = value_or_throw(load_tokenizer(*source_));
    network_ = value_or_throw(architecture->load_network(source_, tokenizer_, context));
    return;
  }
  model_ = value_or_throw(architecture->load_model(source_, context));
  cache_ = value_or_throw(KvCache::create(*pool_, model_->kv_layout(), id, std::size_t{1} << 30));
}

Rig::~Rig() = default;

const Tokenizer& Rig::tokenizer() {
  if (tokenizer_ == nullptr) tokenizer_ = value_or_throw(load_tokenizer(*source_));
  return *tokenizer_;
}

std::vector<std::unique_ptr<Sample>> Rig::prepare(std::span<const NetworkInput> inputs) {
  std::vector<std::unique_ptr<Sample>> samples;
  for (const NetworkInput& input : inputs) samples.push_back(value_or_throw(network_->prepare(input)));
  return samples;
}

std::vector<float> Rig::embed(std::span<const std::unique_ptr<Sample>> samples, EmbeddingLevel level) {
  std::vector<const Sample*> pointers;
  std::int64_t rows = 0;
  for (const auto& sample : samples) {
    pointers.push_back(sample.get());
    rows += level == EmbeddingLevel::kPart ? sample->tokens : 1;
  }
  const int width = network_->info().dimension;
  std::vector<float> values(static_cast<std::size_t>(rows * width));
  NetworkOutput output{level, make_view(values.data(), DType::kF32, {rows, width}), {}};
  if (auto s = network_->forward(*exec_, pointers, output); !s) throw std::runtime_error(s.error().line());
  return values;
}

std::vector<float> Rig::classify(std::span<const std::unique_ptr<Sample>> samples) {
  std::vector<const Sample*> pointers;
  for (const auto& sample : samples) pointers.push_back(sample.get());
  const int classes = network_->info().classes;
  std::vector<float> values(samples.size() * static_cast<std::size_t>(classes));
  NetworkOutput output{
      EmbeddingLevel::kItem, {}, make_view(values.data(), DType::kF32, {std::ssize(samples), classes})};
  if (auto s = network_->forward(*exec_, pointers, output); !s) throw std::runtime_error(s.error().line());
  return values;
}

std::vector<float> Rig::logits(std::span<const std::int32_t> ids, int chunk) {
  const std::size_t vocab = static_cast<std::size_t>(model_->info().vocab_size);
  const std::size_t step = chunk == 0 ? ids.size() : static_cast<std::size_t>(chunk);
  KvSequence sequence = cache_->new_sequence();
  std::vector<float> all(ids.size() * vocab);
  for (std::size_t first = 0; first < ids.size(); first += step) {
    const std::size_t n = std::min(step, ids.size() - first);
    if (auto s = sequence.reserve(static_cast<int>(n)); !s) throw std::runtime_error(s.error().line());
    const SequenceSlice slice{ids.subspan(first, n), static_cast<int>(first), sequence.view(),
                              LogitsWanted::kAll};
    StepOutput out{make_view(all.data() + first * vocab, DType::kF32,
                             {static_cast<std::int64_t>(n), static_cast<std::int64_t>(vocab)})};
    if (auto s = model_->forward(*exec_, {{&slice, 1}}, out); !s) throw std::runtime_error(s.error().line());
    sequence.advance(static_cast<int>(n));
  }
  return all;
}

std::vector<float> Rig::extend(KvSequence& sequence, std::span<const std::int32_t> ids) {
  if (auto s = sequence.reserve(static_cast<int>(ids.size())); !s) throw std::runtime_error(s.error().line());
  std::vector<float> last(static_cast<std::size_t>(model_->info().vocab_size));
  const SequenceSlice slice{ids, sequence.length(), sequence.view(), LogitsWanted::kLast};
  StepOutput out{make_view(last.data(), DType::kF32, {1, std::ssize(last)})};
  if (auto s = model_->forward(*exec_, {{&slice, 1}}, out); !s) throw std::runtime_error(s.error().line());
  sequence.advance(static_cast<int>(ids.size()));
  return last;
}

Rig& shared_rig(const std::string& id, int threads) {
  static std::map<std::pair<std::string, int>, std::unique_ptr<Rig>> rigs;
  auto& rig = rigs[{id, threads}];
  if (rig == nullptr) rig = std::make_unique<Rig>(id, threads);
  return *rig;
}

}  // namespace consort::golden
