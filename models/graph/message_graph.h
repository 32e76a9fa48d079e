// The edges of a graph sorted by the node that receives the message (CSR), as the kernels of message passing
// read them. The order of a node's edges is the order of the input, so results never depend on sorting.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace consort {

// kAdd: one more loop for every node, loops of the input stay (torch-geometric 1.0's add_self_loops).
// kReplace: loops of the input go, one is added (add_remaining_self_loops, GATConv). A node's added loop is
// the last of its edges.
enum class SelfLoops : std::uint8_t { kAsGiven, kAdd, kReplace };

struct MessageGraph {
  static constexpr std::int32_t kAddedLoop = -1;
  int nodes = 0;
  std::vector<std::int32_t> offsets;  // nodes + 1: node n receives the entries [offsets[n], offsets[n + 1])
  std::vector<std::int32_t> senders;  // one for each entry
  std::vector<std::int32_t> edges;    // each entry's edge in the input, or kAddedLoop
};

// REQUIRES: both lists of one length, node numbers within [0, nodes).
MessageGraph make_message_graph(int nodes, std::span<const std::int32_t> receivers,
                                std::span<const std::int32_t> senders, SelfLoops loops);

// 1 / sqrt(d_i d_j) times the entry's weight, where d is the sum of the weights a node receives (their number
// when `weights` is empty); 0 where a sum is 0. Source: Kipf and Welling 2017, equation 2. `weights`: one for
// each edge of the input, not negative; added loops weigh 1.
std::vector<float> gcn_coefficients(const MessageGraph& graph, std::span<const double> weights = {});

}  // namespace consort
