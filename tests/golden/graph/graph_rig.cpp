#include "tests/golden/graph/graph_rig.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "models/arch/registry.h"
#include "models/formats/dequantize.h"

namespace consort::golden {
namespace {

std::string data(const std::string& name) {
  return std::string(CONSORT_SOURCE_DIR) + "/tests/golden/graph/data/" + name;
}

std::string text_of(const std::string& name) {
  std::ifstream in(data(name), std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + data(name));
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<float> run(GraphRig& rig, std::span<const Sample* const> samples, EmbeddingLevel level) {
  std::int64_t rows = 0;
  for (const Sample* s : samples) rows += level == EmbeddingLevel::kPart ? s->tokens : 1;
  const int width = rig.network->info().dimension;
  std::vector<float> out(static_cast<std::size_t>(rows * width), std::nanf(""));
  NetworkOutput output{level, make_view(out.data(), DType::kF32, {rows, width}), {}};
  const Status done = rig.network->forward(rig.exec, samples, output);
  if (!done) throw std::runtime_error(done.error().line());
  return out;
}

}  // namespace

std::vector<nlohmann::json> read_lines(const std::string& name) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text_of(name));
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

nlohmann::json read_json(const std::string& name) {
  return nlohmann::json::parse(text_of(name));
}

std::vector<float> recorded(const std::string& file, const std::string& tensor) {
  const auto source = open_weights(data(file));
  if (!source) throw std::runtime_error(source.error().line());
  const TensorEntry* entry = (*source)->find(tensor);
  if (entry == nullptr) throw std::runtime_error(file + " has no tensor " + tensor);
  std::vector<float> values(static_cast<std::size_t>(entry->view.elements()));
  dequantize_row(entry->view.dtype, entry->view.data, values.data(), values.size());
  return values;
}

double relative_distance(std::span<const float> a, std::span<const float> b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

GraphRig::GraphRig(const std::string& model, int thread_count, Isa isa)
    : pool(DevicePool::create_cpu(std::size_t{1} << 30).value()),
      threads(thread_count),
      scratch(*pool, Owner{"activations", "test"}),
      exec{threads, scratch, isa} {
  auto source =
      open_weights(std::string(CONSORT_SOURCE_DIR) + "/models/arch/gnn/weights/" + model + ".safetensors");
  if (!source) throw std::runtime_error(source.error().line());
  LoadContext context{exec, *pool, model};
  const Architecture* architecture = find_architecture((*source)->architecture());
  if (architecture == nullptr || architecture->load_network == nullptr)
    throw std::runtime_error("no network of the architecture '" + (*source)->architecture() + "'");
  auto loaded =
      architecture->load_network(std::shared_ptr<const WeightSource>(std::move(*source)), nullptr, context);
  if (!loaded) throw std::runtime_error(loaded.error().line());
  network = std::move(*loaded);
}

Result<std::unique_ptr<Sample>> GraphRig::smiles(const std::string& text) const {
  NetworkInput input;
  input.kind = InputKind::kMolecule;
  input.text = text;
  return network->prepare(input);
}

Result<std::unique_ptr<Sample>> GraphRig::graph(const nlohmann::json& graph) const {
  const std::string text = graph.dump();
  NetworkInput input;
  input.kind = InputKind::kGraph;
  input.bytes = std::as_bytes(std::span(text));
  return network->prepare(input);
}

std::vector<float> GraphRig::embed(const std::vector<std::unique_ptr<Sample>>& samples,
                                   EmbeddingLevel level) {
  std::vector<const Sample*> pointers;
  for (const auto& s : samples) pointers.push_back(s.get());
  return run(*this, pointers, level);
}

std::vector<float> GraphRig::embed(const Sample& sample, EmbeddingLevel level) {
  const Sample* one[] = {&sample};
  return run(*this, one, level);
}

}  // namespace consort::golden
