// Labels of nodes: a graph network with random weights (Kipf and Welling 2017, section 7 and appendix A.1,
// show that an untrained GCN already separates the two halves) and a probe on its frozen node embeddings. The
// graph is the karate club of Zachary 1977, "An information flow model for conflict and fission in small
// groups".
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>

#include "models/arch/registry.h"
#include "models/formats/safetensors_writer.h"
#include "models/formats/testing/synthetic_files.h"
#include "models/probe/fit.h"

namespace consort {
namespace {

constexpr int kMembers = 34, kWidth = 32;
// Friends of each member with a lower number, members counted from 1.
const std::vector<std::vector<int>> kFriends = {
    {},
    {1},
    {1, 2},
    {1, 2, 3},
    {1},
    {1},
    {1, 5, 6},
    {1, 2, 3, 4},
    {1, 3},
    {3},
    {1, 5, 6},
    {1},
    {1, 4},
    {1, 2, 3, 4},
    {},
    {},
    {6, 7},
    {1, 2},
    {},
    {1, 2},
    {},
    {1, 2},
    {},
    {},
    {},
    {24, 25},
    {},
    {3, 24, 25},
    {3},
    {24, 27},
    {2, 9},
    {1, 25, 26, 29},
    {3, 9, 15, 16, 19, 21, 23, 24, 30, 31, 32},
    {9, 10, 14, 15, 16, 19, 20, 21, 23, 24, 27, 28, 29, 30, 31, 32, 33}};
const int kMrHi[] = {1,  2,  3,  4,  5,  6,  7,  8, 9,
                     11, 12, 13, 14, 17, 18, 20, 22};  // who stayed with the instructor

std::string karate_json() {
  std::string nodes, edges;
  int count = 0;
  for (int n = 0; n < kMembers; ++n) {
    std::string row;
    for (int i = 0; i < kMembers; ++i) row += (i ? "," : "") + std::string(i == n ? "1" : "0");
    nodes += (n ? ",[" : "[") + row + "]";
    for (const int other : kFriends[static_cast<std::size_t>(n)])
      edges += (count++ ? ",[" : "[") + std::to_string(n) + "," + std::to_string(other - 1) + "]";
  }
  EXPECT_EQ(count, 78);
  return R"({"name":"karate club","undirected":true,"nodes":[)" + nodes + R"(],"edges":[)" + edges + "]}";
}

TEST(KarateClub, AProbeOnNodesFindsTheTwoHalves) {
  testing::TemporaryFolder folder;
  std::mt19937_64 random(2017);
  std::vector<std::vector<float>> buffers;
  std::vector<NamedTensor> tensors;
  for (int layer = 0; layer < 3; ++layer) {
    const int in = layer == 0 ? kMembers : kWidth;
    buffers.emplace_back(static_cast<std::size_t>(in * kWidth));
    for (float& v : buffers.back())  // Glorot and Bengio 2010
      v = static_cast<float>((static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1) *
                             std::sqrt(6.0 / (in + kWidth)));
    tensors.push_back({"convs." + std::to_string(layer) + ".lin.weight", {}});
  }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    tensors[i].view = make_view(buffers[i].data(), DType::kF32, {kWidth, i == 0 ? kMembers : kWidth});
  const std::pair<std::string, std::string> metadata[] = {{"model_type", "gnn"},
                                                          {"gnn.layout", "pytorch-geometric"},
                                                          {"gnn.kind", "gcn"},
                                                          {"gnn.activation", "none"}};
  const std::string path = folder.path() + "/gcn.safetensors";
  ASSERT_TRUE(write_safetensors(path, tensors, metadata));

  const auto pool = DevicePool::create_cpu(std::size_t{256} << 20).value();
  ThreadPool threads(1);
  ScratchArena scratch(*pool, Owner{"activations", "test"});
  Exec exec{threads, scratch};
  LoadContext context{exec, *pool, "karate"};
  std::shared_ptr<const WeightSource> source = open_weights(path).value();
  auto net = find_architecture("gnn")->load_network(source, nullptr, context);
  ASSERT_TRUE(net) << net.error().line();
  const std::string json = karate_json();
  NetworkInput input;
  input.kind = InputKind::kGraph;
  input.bytes = std::as_bytes(std::span(json));
  const auto sample = (*net)->prepare(input);
  ASSERT_TRUE(sample) << sample.error().line();
  std::vector<float> embeddings(kMembers * kWidth);
  NetworkOutput output{
      EmbeddingLevel::kPart, make_view(embeddings.data(), DType::kF32, {kMembers, kWidth}), {}};
  const Sample* samples[] = {sample->get()};
  ASSERT_TRUE((*net)->forward(exec, samples, output));

  std::vector<std::int32_t> classes(kMembers, 1);
  for (const int member : kMrHi) classes[static_cast<std::size_t>(member - 1)] = 0;
  ProbeData data;
  data.dimension = kWidth;
  data.embeddings = embeddings;
  data.classes = classes;
  data.labels = {"Mr Hi", "Officer"};
  ProbeOptions options;
  options.kind = ProbeKind::kLogistic;
  options.seed = 1;
  const auto fit = fit_probe(data, options);
  ASSERT_TRUE(fit) << fit.error().line();
  std::printf("karate club: held-out accuracy %.3f, AUC %.3f\n", fit->held_out.accuracy, fit->held_out.auc);
  EXPECT_GE(fit->held_out.accuracy, 0.9);
  EXPECT_GE(fit->held_out.auc, 0.95);
}

}  // namespace
}  // namespace consort
