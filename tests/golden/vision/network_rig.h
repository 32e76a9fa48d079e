// One vision network with everything it needs to run.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/arch/registry.h"
#include "tests/golden/rig.h"

namespace consort::golden {

inline std::string vision_path(const std::string& name) {
  return std::string(CONSORT_SOURCE_DIR) + "/tests/golden/vision/" + name;
}

inline std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<nlohmann::json> json_lines(const std::string& name) {
  std::ifstream file(vision_path(name));
  std::vector<nlohmann::json> out;
  for (std::string line; std::getline(file, line);) out.push_back(nlohmann::json::parse(line));
  if (out.empty()) throw std::runtime_error("no records in " + name);
  return out;
}

struct Answers {
  std::vector<float> embeddings, logits;
};

class NetworkRig {
 public:
  // Throws std::runtime_error that names the model and how to get it.
  explicit NetworkRig(const std::string& path, int threads = 2, Isa isa = best_isa())
      : pool_(DevicePool::create_cpu(std::size_t{2} << 30).value()),
        threads_(threads),
        scratch_(*pool_, Owner{"activations", "test"}),
        exec_{threads_, scratch_, isa} {
    auto source = open_weights(path);
    if (!source) throw std::runtime_error(source.error().line() + " (`make models` fetches the weights)");
    std::shared_ptr<const WeightSource> weights = std::move(*source);
    const Architecture* architecture = find_architecture(*weights);
    if (architecture == nullptr || architecture->load_network == nullptr)
      throw std::runtime_error("no network for " + path);
    auto tokenizer = load_tokenizer(*weights);
    std::shared_ptr<const Tokenizer> texts;
    if (tokenizer) texts = std::move(*tokenizer);
    LoadContext context{exec_, *pool_, path};
    auto network = architecture->load_network(weights, texts, context);
    if (!network) throw std::runtime_error(network.error().line());
    network_ = std::move(*network);
  }
  Network& network() { return *network_; }
  Exec& exec() { return exec_; }

  std::unique_ptr<Sample> picture(const std::string& bytes) {
    NetworkInput input;
    input.kind = InputKind::kImage;
    input.bytes = std::as_bytes(std::span(bytes));
    return sample(input);
  }
  std::unique_ptr<Sample> sample(const NetworkInput& input) {
    auto prepared = network_->prepare(input);
    if (!prepared) throw std::runtime_error(prepared.error().line());
    return std::move(*prepared);
  }
  Answers run(const std::vector<std::unique_ptr<Sample>>& samples, bool embeddings = true,
              bool logits = true) {
    std::vector<const Sample*> pointers;
    for (const auto& s : samples) pointers.push_back(s.get());
    return run(pointers, embeddings, logits);
  }
  Answers run(std::span<const Sample* const> samples, bool embeddings = true, bool logits = true) {
    const NetworkInfo& info = network_->info();
    Answers answers;
    NetworkOutput output;
    const auto view = [&](std::vector<float>& to, int cols) {
      to.resize(samples.size() * static_cast<std::size_t>(cols));
      return make_view(to.data(), DType::kF32, {std::ssize(samples), cols});
    };
    if (embeddings && info.dimension > 0) output.embeddings = view(answers.embeddings, info.dimension);
    if (logits && info.classes > 0) output.logits = view(answers.logits, info.classes);
    const Status done = network_->forward(exec_, samples, output);
    if (!done) throw std::runtime_error(done.error().line());
    return answers;
  }

 private:
  std::unique_ptr<DevicePool> pool_;
  ThreadPool threads_;
  ScratchArena scratch_;
  Exec exec_;
  std::unique_ptr<Network> network_;
};

}  // namespace consort::golden
