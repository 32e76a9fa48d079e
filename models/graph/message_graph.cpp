#include "models/graph/message_graph.h"

#include <cmath>

namespace consort {

MessageGraph make_message_graph(int nodes, std::span<const std::int32_t> receivers,
                                std::span<const std::int32_t> senders, SelfLoops loops) {
  const auto taken = [&](std::size_t e) {
    return loops != SelfLoops::kReplace || receivers[e] != senders[e];
  };
  MessageGraph graph;
  graph.nodes = nodes;
  graph.offsets.assign(static_cast<std::size_t>(nodes) + 1, 0);
  for (std::size_t e = 0; e < receivers.size(); ++e)
    if (taken(e)) ++graph.offsets[static_cast<std::size_t>(receivers[e]) + 1];
  const std::int32_t loop = loops == SelfLoops::kAsGiven ? 0 : 1;
  for (std::size_t n = 0; n < static_cast<std::size_t>(nodes); ++n)
    graph.offsets[n + 1] += graph.offsets[n] + loop;
  const std::size_t entries = static_cast<std::size_t>(graph.offsets.back());
  graph.senders.resize(entries);
  graph.edges.resize(entries);
  std::vector<std::int32_t> next(graph.offsets.begin(), graph.offsets.end() - 1);
  for (std::size_t e = 0; e < receivers.size(); ++e) {
    if (!taken(e)) continue;
    const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(receivers[e])]++);
    graph.senders[at] = senders[e];
    graph.edges[at] = static_cast<std::int32_t>(e);
  }
  for (std::size_t n = 0; loop == 1 && n < static_cast<std::size_t>(nodes); ++n) {
    const auto at = static_cast<std::size_t>(next[n]);
    graph.senders[at] = static_cast<std::int32_t>(n);
    graph.edges[at] = MessageGraph::kAddedLoop;
  }
  return graph;
}

std::vector<float> gcn_coefficients(const MessageGraph& graph, std::span<const double> weights) {
  const auto weight = [&](std::int32_t edge) {
    return edge == MessageGraph::kAddedLoop || weights.empty() ? 1.0
                                                               : weights[static_cast<std::size_t>(edge)];
  };
  const auto each_entry = [&](auto&& body) {
    for (std::size_t n = 0; n < static_cast<std::size_t>(graph.nodes); ++n)
      for (auto e = static_cast<std::size_t>(graph.offsets[n]);
           e < static_cast<std::size_t>(graph.offsets[n + 1]); ++e)
        body(n, e);
  };
  std::vector<double> received(static_cast<std::size_t>(graph.nodes), 0.0);
  each_entry([&](std::size_t n, std::size_t e) { received[n] += weight(graph.edges[e]); });
  // Roots and products are rounded to float32 as in PyTorch Geometric: a coefficient's rounding is the same in
  // every column and layer, and networks with nearly constant columns blow it up (2e-5 of an embedding).
  std::vector<float> inverse_root(received.size());
  for (std::size_t n = 0; n < received.size(); ++n)
    inverse_root[n] = received[n] > 0 ? static_cast<float>(1.0 / std::sqrt(received[n])) : 0.0f;
  std::vector<float> coefficients(graph.senders.size());
  each_entry([&](std::size_t n, std::size_t e) {
    const float sender = inverse_root[static_cast<std::size_t>(graph.senders[e])];
    coefficients[e] = inverse_root[n] * static_cast<float>(weight(graph.edges[e])) * sender;
  });
  return coefficients;
}

}  // namespace consort
