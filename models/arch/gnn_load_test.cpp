// Graph networks of a user's own (tensors named as in PyTorch Geometric, and a pretrain-gnns GIN) against the
// formulas of the papers evaluated in double on dense matrices; what does not fit is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "models/arch/registry.h"
#include "models/formats/safetensors_writer.h"
#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::TemporaryFolder;
using Matrix = std::vector<std::vector<double>>;

struct Weights {
  std::map<std::string, std::pair<std::vector<std::int64_t>, std::vector<float>>> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::mt19937 random{5};

  Weights(const std::string& layout, const std::string& kind) {
    metadata = {{"model_type", "gnn"}, {"gnn.layout", layout}, {"gnn.kind", kind}};
  }
  void add(const std::string& name, std::vector<std::int64_t> dims, float low = -0.6f, float high = 0.6f) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::size_t n = 1;
    for (const std::int64_t d : dims) n *= static_cast<std::size_t>(d);
    std::vector<float> values(n);
    for (float& v : values) v = uniform(random);
    tensors[name] = {std::move(dims), std::move(values)};
  }
  double at(const std::string& name, std::size_t i) const { return tensors.at(name).second.at(i); }
  // x W^T (+ b)
  Matrix linear(const Matrix& x, const std::string& weight, const std::string& bias = {}) const {
    const auto& dims = tensors.at(weight).first;
    Matrix out(x.size(), std::vector<double>(static_cast<std::size_t>(dims[0])));
    for (std::size_t r = 0; r < x.size(); ++r)
      for (std::size_t o = 0; o < out[r].size(); ++o) {
        double sum = bias.empty() ? 0 : at(bias, o);
        for (std::size_t i = 0; i < x[r].size(); ++i) sum += at(weight, o * x[r].size() + i) * x[r][i];
        out[r][o] = sum;
      }
    return out;
  }
};

// 5 nodes; a double edge, a loop, an isolated node (4).
constexpr int kNodes = 5, kIn = 6, kHidden = 21, kOut = 4;
const std::vector<std::pair<int, int>> kEdges = {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 1}, {2, 2}, {3, 0}};

Matrix node_features() {
  Matrix x(kNodes, std::vector<double>(kIn));
  for (int n = 0; n < kNodes; ++n)
    for (int i = 0; i < kIn; ++i)
      x[static_cast<std::size_t>(n)][static_cast<std::size_t>(i)] = ((n * 7 + i * 3) % 11 - 5) / 4.0;
  return x;
}

std::string list(const std::vector<double>& row) {
  std::string text;
  for (const double v : row) text += (text.empty() ? "" : ",") + std::to_string(v);
  return "[" + text + "]";
}

std::string graph_json(const std::string& more = {}) {
  std::string nodes, edges;
  for (const auto& row : node_features()) nodes += (nodes.empty() ? "" : ",") + list(row);
  for (const auto& [a, b] : kEdges)
    edges += (edges.empty() ? "[" : ",[") + std::to_string(a) + "," + std::to_string(b) + "]";
  return R"({"nodes":[)" + nodes + R"(],"edges":[)" + edges + "]" + more + "}";
}

void relu(Matrix& x) {
  for (auto& row : x)
    for (double& v : row) v = std::max(v, 0.0);
}

// Edges as (sender, receiver); loops of the input replaced by one of each node where asked.
std::vector<std::pair<int, int>> with_loops() {
  std::vector<std::pair<int, int>> edges;
  for (const auto& e : kEdges)
    if (e.first != e.second) edges.push_back(e);
  for (int n = 0; n < kNodes; ++n) edges.emplace_back(n, n);
  return edges;
}

class GnnLoad : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Network>> load(const Weights& weights) {
    std::vector<NamedTensor> named;
    for (const auto& [name, tensor] : weights.tensors)
      named.push_back({name, make_view(const_cast<float*>(tensor.second.data()), DType::kF32, tensor.first)});
    const std::string path = folder_.path() + "/net.safetensors";
    const Status written = write_safetensors(path, named, weights.metadata);
    EXPECT_TRUE(written) << written.error().line();
    CONSORT_TRY(source, open_weights(path));
    EXPECT_EQ(source->architecture(), "gnn");
    LoadContext context{exec_, *pool_, "own"};
    return find_architecture("gnn")->load_network(std::shared_ptr<const WeightSource>(std::move(source)),
                                                  nullptr, context);
  }
  Result<std::unique_ptr<Sample>> prepare(const Network& net, const std::string& json) {
    NetworkInput input;
    input.kind = InputKind::kGraph;
    input.bytes = std::as_bytes(std::span(json));
    return net.prepare(input);
  }
  std::vector<float> nodes(Network& net, const std::string& json) {
    auto sample = prepare(net, json);
    if (!sample) {
      ADD_FAILURE() << sample.error().line();
      return {};
    }
    std::vector<float> out(static_cast<std::size_t>((*sample)->tokens * net.info().dimension));
    NetworkOutput output{EmbeddingLevel::kPart,
                         make_view(out.data(), DType::kF32, {(*sample)->tokens, net.info().dimension}),
                         {}};
    const Sample* samples[] = {sample->get()};
    EXPECT_TRUE(net.forward(exec_, samples, output));
    return out;
  }
  void expect_nodes(const Weights& weights, const Matrix& expected, const std::string& json = graph_json()) {
    auto net = load(weights);
    ASSERT_TRUE(net) << net.error().line();
    const auto got = nodes(**net, json);
    ASSERT_EQ(got.size(), expected.size() * expected[0].size());
    for (std::size_t r = 0; r < expected.size(); ++r)
      for (std::size_t c = 0; c < expected[r].size(); ++c)
        EXPECT_NEAR(got[r * expected[r].size() + c], expected[r][c], 2e-5) << r << ", " << c;
  }

  TemporaryFolder folder_;
  std::unique_ptr<DevicePool> pool_ = DevicePool::create_cpu(std::size_t{256} << 20).value();
  ThreadPool threads_{2};
  ScratchArena scratch_{*pool_, Owner{"activations", "test"}};
  Exec exec_{threads_, scratch_};
};

Matrix gcn_layer(const Weights& w, const Matrix& h, int layer) {
  const std::string prefix = "convs." + std::to_string(layer) + ".";
  const Matrix z = w.linear(h, prefix + "lin.weight");
  std::vector<double> degree(kNodes, 0.0);
  for (const auto& [from, to] : with_loops()) degree[static_cast<std::size_t>(to)] += 1;
  Matrix out(kNodes, std::vector<double>(z[0].size(), 0.0));
  for (const auto& [from, to] : with_loops()) {
    const auto f = static_cast<std::size_t>(from), t = static_cast<std::size_t>(to);
    for (std::size_t c = 0; c < z[0].size(); ++c) out[t][c] += z[f][c] / std::sqrt(degree[f] * degree[t]);
  }
  for (auto& row : out)
    for (std::size_t c = 0; c < row.size(); ++c) row[c] += w.at(prefix + "bias", c);
  return out;
}

TEST_F(GnnLoad, GcnIsTheFormula) {
  Weights w("pytorch-geometric", "gcn");
  w.add("convs.0.lin.weight", {kHidden, kIn});
  w.add("convs.0.bias", {kHidden});
  w.add("convs.1.lin.weight", {kOut, kHidden});
  w.add("convs.1.bias", {kOut});
  Matrix h = gcn_layer(w, node_features(), 0);
  relu(h);
  expect_nodes(w, gcn_layer(w, h, 1));
}

TEST_F(GnnLoad, GraphSageIsTheFormulaAndAnswersForTheGraph) {
  Weights w("pytorch-geometric", "graphsage");
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "convs." + std::to_string(layer) + ".";
    const int in = layer == 0 ? kIn : kHidden, out = layer == 0 ? kHidden : kOut;
    w.add(prefix + "lin_l.weight", {out, in});
    w.add(prefix + "lin_l.bias", {out});
    w.add(prefix + "lin_r.weight", {out, in});
  }
  w.add("norms.0.module.weight", {kHidden});
  w.add("norms.0.module.bias", {kHidden});
  w.add("norms.0.module.running_mean", {kHidden});
  w.add("norms.0.module.running_var", {kHidden}, 0.5f, 2.0f);
  Matrix h = node_features();
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "convs." + std::to_string(layer) + ".";
    Matrix mean(kNodes, std::vector<double>(h[0].size(), 0.0));
    std::vector<double> count(kNodes, 0.0);
    for (const auto& [from, to] : kEdges) {
      count[static_cast<std::size_t>(to)] += 1;
      for (std::size_t c = 0; c < h[0].size(); ++c)
        mean[static_cast<std::size_t>(to)][c] += h[static_cast<std::size_t>(from)][c];
    }
    for (std::size_t n = 0; n < kNodes; ++n)
      for (double& v : mean[n]) v /= std::max(count[n], 1.0);
    Matrix out = w.linear(mean, prefix + "lin_l.weight", prefix + "lin_l.bias");
    const Matrix own = w.linear(h, prefix + "lin_r.weight");
    for (std::size_t n = 0; n < kNodes; ++n)
      for (std::size_t c = 0; c < out[n].size(); ++c) {
        out[n][c] += own[n][c];
        if (layer == 0)
          out[n][c] = (out[n][c] - w.at("norms.0.module.running_mean", c)) /
                          std::sqrt(w.at("norms.0.module.running_var", c) + 1e-5) *
                          w.at("norms.0.module.weight", c) +
                      w.at("norms.0.module.bias", c);
      }
    if (layer == 0) relu(out);
    h = std::move(out);
  }
  expect_nodes(w, h);

  w.add("head.weight", {3, kOut});
  w.add("head.bias", {3});
  w.metadata.emplace_back("gnn.labels", "low,middle,high");
  Matrix pooled(1, std::vector<double>(kOut, 0.0));
  for (const auto& row : h)
    for (std::size_t c = 0; c < kOut; ++c) pooled[0][c] += row[c] / kNodes;
  const Matrix logits = w.linear(pooled, "head.weight", "head.bias");
  auto net = load(w);
  ASSERT_TRUE(net) << net.error().line();
  EXPECT_EQ((*net)->info().classes, 3);
  const auto sample = prepare(**net, graph_json()).value();
  std::vector<float> got(3);
  NetworkOutput output{EmbeddingLevel::kItem, {}, make_view(got.data(), DType::kF32, {1, 3})};
  const Sample* samples[] = {sample.get()};
  ASSERT_TRUE((*net)->forward(exec_, samples, output));
  for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(got[c], logits[0][c], 2e-5);
  const auto best = std::max_element(got.begin(), got.end()) - got.begin();
  EXPECT_EQ((*net)->decide(*sample, got, 1).labels[0].label,
            (std::vector<std::string>{"low", "middle", "high"})[static_cast<std::size_t>(best)]);
}

TEST_F(GnnLoad, GatWithFeaturesOfEdgesIsTheFormula) {
  constexpr int kHeads = 3, kEdgeIn = 2;
  for (const bool mean : {false, true}) {
    Weights w("pytorch-geometric", "gat");
    w.add("convs.0.lin.weight", {kHeads * kOut, kIn});
    w.add("convs.0.att_src", {1, kHeads, kOut});
    w.add("convs.0.att_dst", {1, kHeads, kOut});
    w.add("convs.0.lin_edge.weight", {kHeads * kOut, kEdgeIn});
    w.add("convs.0.att_edge", {1, kHeads, kOut});
    w.add("convs.0.bias", {mean ? kOut : kHeads * kOut});
    // Features of the edges; an added loop has the mean of what its node receives.
    std::vector<std::pair<int, int>> edges;
    Matrix features;
    std::string json;
    for (std::size_t e = 0; e < kEdges.size(); ++e) {
      const std::vector<double> row = {0.25 * static_cast<double>(e), 1.0 - 0.5 * static_cast<double>(e % 3)};
      json += (json.empty() ? "" : ",") + list(row);
      if (kEdges[e].first == kEdges[e].second) continue;
      edges.push_back(kEdges[e]);
      features.push_back(row);
    }
    const std::size_t given = edges.size();
    for (int n = 0; n < kNodes; ++n) {
      std::vector<double> sum(kEdgeIn, 0.0);
      double count = 0;
      for (std::size_t e = 0; e < given; ++e)
        if (edges[e].second == n) {
          count += 1;
          for (std::size_t c = 0; c < kEdgeIn; ++c) sum[c] += features[e][c];
        }
      for (double& v : sum) v /= std::max(count, 1.0);
      edges.emplace_back(n, n);
      features.push_back(sum);
    }
    const Matrix z = w.linear(node_features(), "convs.0.lin.weight");
    const Matrix ze = w.linear(features, "convs.0.lin_edge.weight");
    Matrix out(kNodes, std::vector<double>(mean ? kOut : kHeads * kOut, 0.0));
    for (std::size_t n = 0; n < kNodes; ++n)
      for (std::size_t k = 0; k < kHeads; ++k) {
        std::vector<double> scores(edges.size(), 0.0);
        double total = 1e-16;
        for (std::size_t e = 0; e < edges.size(); ++e) {
          if (static_cast<std::size_t>(edges[e].second) != n) continue;
          double s = 0;
          for (std::size_t c = 0; c < kOut; ++c) {
            const std::size_t at = k * kOut + c;
            s += w.at("convs.0.att_dst", at) * z[n][at] +
                 w.at("convs.0.att_src", at) * z[static_cast<std::size_t>(edges[e].first)][at] +
                 w.at("convs.0.att_edge", at) * ze[e][at];
          }
          total += scores[e] = std::exp(s > 0 ? s : 0.2 * s);
        }
        for (std::size_t e = 0; e < edges.size(); ++e)
          for (std::size_t c = 0; c < kOut; ++c)
            out[n][mean ? c : k * kOut + c] += scores[e] / total *
                                               z[static_cast<std::size_t>(edges[e].first)][k * kOut + c] /
                                               (mean ? kHeads : 1);
      }
    for (auto& row : out)
      for (std::size_t c = 0; c < row.size(); ++c) row[c] += w.at("convs.0.bias", c);
    expect_nodes(w, out, graph_json(R"(,"edge_features":[)" + json + "]"));
  }
}

TEST_F(GnnLoad, GinIsTheFormula) {
  Weights w("pytorch-geometric", "gin");
  w.add("convs.0.nn.0.weight", {kHidden, kIn});
  w.add("convs.0.nn.0.bias", {kHidden});
  w.add("convs.0.nn.2.weight", {kOut, kHidden});
  w.add("convs.0.nn.2.bias", {kOut});
  w.add("convs.0.eps", {1});
  const Matrix x = node_features();
  Matrix sum = x;
  for (auto& row : sum)
    for (double& v : row) v *= 1 + w.at("convs.0.eps", 0);
  for (const auto& [from, to] : kEdges)
    for (std::size_t c = 0; c < kIn; ++c)
      sum[static_cast<std::size_t>(to)][c] += x[static_cast<std::size_t>(from)][c];
  Matrix hidden = w.linear(sum, "convs.0.nn.0.weight", "convs.0.nn.0.bias");
  relu(hidden);
  expect_nodes(w, w.linear(hidden, "convs.0.nn.2.weight", "convs.0.nn.2.bias"));
}

// chem/model.py's GINConv: the MLP over the sum of h_j + e_ij with the node itself as one more edge.
TEST_F(GnnLoad, TheGinOfPretrainGnnsIsTheFormula) {
  constexpr std::size_t kWidth = 12;
  Weights w("pretrain-gnns", "gin");
  w.add("x_embedding1.weight", {120, kWidth});
  w.add("x_embedding2.weight", {3, kWidth});
  w.add("gnns.0.mlp.0.weight", {2 * kWidth, kWidth});
  w.add("gnns.0.mlp.0.bias", {2 * kWidth});
  w.add("gnns.0.mlp.2.weight", {kWidth, 2 * kWidth});
  w.add("gnns.0.mlp.2.bias", {kWidth});
  w.add("gnns.0.edge_embedding1.weight", {6, kWidth});
  w.add("gnns.0.edge_embedding2.weight", {3, kWidth});
  struct Edge {
    std::size_t from, to, type, direction;
  };
  const std::vector<Edge> edges = {{0, 1, 1, 0}, {1, 0, 1, 0}, {0, 0, 4, 0}, {1, 1, 4, 0}};
  const std::size_t atoms[] = {5, 7};
  Matrix sum(2, std::vector<double>(kWidth, 0.0));
  for (const Edge& e : edges)
    for (std::size_t c = 0; c < kWidth; ++c)
      sum[e.from][c] += w.at("x_embedding1.weight", atoms[e.to] * kWidth + c) +
                        w.at("x_embedding2.weight", c) +
                        w.at("gnns.0.edge_embedding1.weight", e.type * kWidth + c) +
                        w.at("gnns.0.edge_embedding2.weight", e.direction * kWidth + c);
  Matrix hidden = w.linear(sum, "gnns.0.mlp.0.weight", "gnns.0.mlp.0.bias");
  relu(hidden);
  expect_nodes(w, w.linear(hidden, "gnns.0.mlp.2.weight", "gnns.0.mlp.2.bias"),
               R"({"x":[[5,0],[7,0]],"edge_index":[[0,1],[1,0]],"edge_attr":[[1,0],[1,0]]})");
}

Weights small_gcn() {
  Weights w("pytorch-geometric", "gcn");
  w.add("convs.0.lin.weight", {kOut, kIn});
  w.add("convs.0.bias", {kOut});
  return w;
}

TEST_F(GnnLoad, WhatIsNotKnownIsRefused) {
  Weights extra = small_gcn();
  extra.add("convs.0.lin_r.weight", {kOut, kIn});
  const auto unused = load(extra);
  ASSERT_FALSE(unused);
  EXPECT_EQ(unused.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(unused.error().line().find("convs.0.lin_r.weight"), std::string::npos);
  for (const auto& [key, value] : std::map<std::string, std::string>{{"gnn.activation", "swish"},
                                                                     {"gnn.pooling", "attention"},
                                                                     {"gnn.flow", "both"},
                                                                     {"gnn.negative_slope", "steep"},
                                                                     {"gnn.normalise", "perhaps"}}) {
    Weights wrong = small_gcn();
    wrong.metadata.emplace_back(key, value);
    const auto refused = load(wrong);
    ASSERT_FALSE(refused) << key;
    EXPECT_NE(refused.error().line().find(key), std::string::npos) << refused.error().line();
  }
  EXPECT_FALSE(load(Weights("pytorch-geometric", "gcn")));
  EXPECT_FALSE(load(Weights("pytorch-geometric", "transformer")));
  EXPECT_FALSE(load(Weights("dgl", "gcn")));
  Weights broken = small_gcn();
  broken.tensors["convs.0.lin.weight"].second[3] = std::nanf("");
  EXPECT_FALSE(load(broken));
}

TEST_F(GnnLoad, GraphsThatDoNotFitAreRefused) {
  auto net = load(small_gcn());
  ASSERT_TRUE(net) << net.error().line();
  EXPECT_FALSE(prepare(**net, R"({"nodes":[[1,2]],"edges":[]})"));
  EXPECT_FALSE(prepare(**net, graph_json(R"(,"edge_features":[[1],[1],[1],[1],[1],[1],[1]])")));
  NetworkInput smiles;
  smiles.kind = InputKind::kMolecule;
  smiles.text = "CCO";
  EXPECT_EQ((*net)->prepare(smiles).error().kind, ErrorKind::kUnsupported);
  // Weighted edges are another setting of the same net.
  Weights weighted = small_gcn();
  weighted.metadata.emplace_back("gnn.edge_weights", "true");
  auto reads = load(weighted);
  ASSERT_TRUE(reads);
  const std::string ones = R"(,"edge_features":[[1],[1],[1],[1],[1],[1],[1]])";
  EXPECT_EQ(nodes(**reads, graph_json(ones)), nodes(**net, graph_json()));
  EXPECT_FALSE(prepare(**reads, graph_json(R"(,"edge_features":[[1],[1],[-1],[1],[1],[1],[1]])")));
}

}  // namespace
}  // namespace consort
