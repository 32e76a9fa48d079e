// JSON graphs: both spellings, every bound, what must be refused and by which words; edges sorted by
// receiver.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "models/graph/graph_document.h"
#include "models/graph/message_graph.h"

namespace consort {
namespace {

using Numbers = std::vector<std::int32_t>;

TEST(GraphJson, BothSpellingsMeanTheSame) {
  const auto a =
      read_graph_json(R"({"nodes":[[1,2],[3,4.5]],"edges":[[0,1],[1,0]],"edge_features":[[7],[8]]})");
  const auto b = read_graph_json(R"({"edge_attr":[[7],[8]],"edge_index":[[0,1],[1,0]],"x":[[1,2],[3,4.5]]})");
  ASSERT_TRUE(a) << a.error().line();
  ASSERT_TRUE(b) << b.error().line();
  EXPECT_EQ(a->nodes.values, (std::vector<double>{1, 2, 3, 4.5}));
  for (const auto* g : {&*a, &*b}) {
    EXPECT_EQ(g->size(), 2u);
    EXPECT_EQ(g->nodes.columns, 2u);
    EXPECT_EQ(g->from, (Numbers{0, 1}));
    EXPECT_EQ(g->to, (Numbers{1, 0}));
    EXPECT_EQ(g->edge_features.values, (std::vector<double>{7, 8}));
  }
}

TEST(GraphJson, PlainNumbersAreOneColumnAndEdgesMayBeMissing) {
  const auto g =
      read_graph_json(R"({"name":"three","labels":["a",{"b":[1]}],"nodes":[1,2,3],"num_nodes":3})");
  ASSERT_TRUE(g) << g.error().line();
  EXPECT_EQ(g->nodes.columns, 1u);
  EXPECT_EQ(g->size(), 3u);
  EXPECT_TRUE(g->from.empty());
}

TEST(GraphJson, UndirectedEdgesStandTwiceWithTheirFeatures) {
  const auto g = read_graph_json(
      R"({"nodes":[1,2,3],"edges":[[0,1],[2,2]],"edge_features":[[5],[6]],"undirected":true})");
  ASSERT_TRUE(g) << g.error().line();
  EXPECT_EQ(g->from, (Numbers{0, 1, 2}));
  EXPECT_EQ(g->to, (Numbers{1, 0, 2}));
  EXPECT_EQ(g->edge_features.values, (std::vector<double>{5, 5, 6}));
  EXPECT_EQ(g->edge_features.rows, 3u);
}

TEST(GraphJson, WhatIsWrongIsSaid) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "JSON"},
      {"[1,2]", "not an object"},
      {"7", "not an object"},
      {R"({"nodes":[[1]],"edges":[[0,1]]})", "node 1 is not among 0 to 0"},
      {R"({"nodes":[[1],[2]],"edges":[[0,-1]]})", "node -1"},
      {R"({"nodes":[[1],[2]],"edges":[[0,0.5]]})", "node 0.5"},
      {R"({"nodes":[[1],[2]],"edges":[[0,1,1]]})", "pairs"},
      {R"({"nodes":[[1],[2]],"edges":[[0,1],[1]]})", "row 1 of 'edges'"},
      {R"({"nodes":[[1],[2]],"edge_index":[[0,1],[1]]})", "row 1 of 'edge_index'"},
      {R"({"nodes":[[1],[2]],"edge_index":[[0],[1],[1]]})", "two lists"},
      {R"({"nodes":[[1],[2]],"edge_index":[[0],[1]],"edges":[]})", "both"},
      {R"({"nodes":[[1,2],[2]]})", "row 1 of 'nodes'"},
      {R"({"nodes":[1,[2]]})", "row 1 of 'nodes'"},
      {R"({"nodes":[[1],2]})", "row 1 of 'nodes'"},
      {R"({"nodes":[]})", "no nodes"},
      {R"({"nodes":[[],[]]})", "without features"},
      {R"({"edges":[]})", "'nodes' is missing"},
      {R"({"nodes":[[1]],"num_nodes":1000000000})", "limit"},
      {R"({"nodes":[[1]],"num_nodes":2})", "there are 1"},
      {R"({"nodes":[[1e10]]})", "numbers go to"},
      {R"({"nodes":[[1e999]]})", "too large"},
      {R"({"nodes":[[NaN]]})", "not valid JSON"},
      {R"({"nodes":[["1"]]})", "a text"},
      {R"({"nodes":[[null]]})", "null"},
      {R"({"nodes":[[true]]})", "true or false"},
      {R"({"nodes":[{"a":1}]})", "an object"},
      {R"({"nodes":[[[1]]]})", "nested too deeply"},
      {R"({"nodes":"abc"})", "a text"},
      {R"({"nodes":5})", "a number"},
      {R"({"nodes":[[1]],"nodes":[[1]]})", "stands twice"},
      {R"({"nodes":[[1]],"x":[[1]]})", "stands twice"},
      {R"({"nodes":[[1]],"colour":1})", "unknown key 'colour'"},
      {R"({"nodes":[[1],[1]],"edges":[[0,1]],"edge_attr":[[1],[2]]})", "2 rows for 1 edges"},
      {R"({"nodes":[[1]],"undirected":1})", "undirected"},
      {R"({"nodes":[[1]]} trailing)", "not valid JSON"},
  };
  for (const auto& [text, words] : cases) {
    const auto graph = read_graph_json(text);
    ASSERT_FALSE(graph) << text;
    EXPECT_EQ(graph.error().kind, ErrorKind::kInvalid) << text;
    EXPECT_NE(graph.error().line().find(words), std::string::npos) << text << ": " << graph.error().line();
  }
}

TEST(GraphJson, BombsEndQuickly) {
  const auto start = std::chrono::steady_clock::now();
  std::string deep(1'000'000, '[');
  EXPECT_FALSE(read_graph_json(deep));
  EXPECT_FALSE(read_graph_json(R"({"labels":)" + deep));
  EXPECT_FALSE(read_graph_json(R"({"nodes":)" + deep));
  std::string empty_rows = R"({"nodes":[)";
  for (int i = 0; i < 1'000'001; ++i) empty_rows += "[],";
  const auto many = read_graph_json(empty_rows + "[]]}");
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().line().find("more than 1000000 rows"), std::string::npos) << many.error().line();
  EXPECT_FALSE(read_graph_json(std::string(kMostGraphBytes + 1, ' ')));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(MessageGraph, EdgesStandByReceiverInInputOrder) {
  const Numbers to = {1, 0, 1, 1, 2}, from = {0, 2, 2, 1, 2};
  const auto given = make_message_graph(4, to, from, SelfLoops::kAsGiven);
  EXPECT_EQ(given.offsets, (Numbers{0, 1, 4, 5, 5}));
  EXPECT_EQ(given.senders, (Numbers{2, 0, 2, 1, 2}));
  EXPECT_EQ(given.edges, (Numbers{1, 0, 2, 3, 4}));
  const auto added = make_message_graph(4, to, from, SelfLoops::kAdd);
  EXPECT_EQ(added.offsets, (Numbers{0, 2, 6, 8, 9}));
  EXPECT_EQ(added.senders, (Numbers{2, 0, 0, 2, 1, 1, 2, 2, 3}));
  const auto replaced = make_message_graph(4, to, from, SelfLoops::kReplace);
  EXPECT_EQ(replaced.senders, (Numbers{2, 0, 0, 2, 1, 2, 3}));
  EXPECT_EQ(replaced.edges, (Numbers{1, -1, 0, 2, -1, -1, -1}));
}

TEST(MessageGraph, CoefficientsAreTheSymmetricNormalisation) {
  const Numbers to = {0, 1}, from = {1, 0};
  const auto graph = make_message_graph(3, to, from, SelfLoops::kReplace);
  EXPECT_EQ(gcn_coefficients(graph).size(), 5u);
  for (const float c : gcn_coefficients(graph)) EXPECT_TRUE(std::abs(c - 0.5f) < 1e-7f || c == 1.0f);
  const std::vector<double> weights = {3.0, 0.0};
  const auto weighted = gcn_coefficients(graph, weights);  // node 0 receives 3 + 1, node 1 receives 0 + 1
  EXPECT_NEAR(weighted[0], 3.0 / std::sqrt(4.0 * 1.0), 1e-6);
  EXPECT_NEAR(weighted[1], 1.0 / 4.0, 1e-6);
  EXPECT_EQ(weighted[2], 0.0f);
}

}  // namespace
}  // namespace consort
