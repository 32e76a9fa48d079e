// Attention weights of edges: a softmax over the edges of each receiving node. Source: Velickovic et al.
// 2018, "Graph Attention Networks", equations 2 and 3, with the scores split into a node's, its neighbour's
// and the edge's share, and the 1e-16 that PyTorch Geometric adds to the sum.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/exec/exec.h"
#include "kernels/segment_reduce/segment_reduce.h"

namespace consort {

struct EdgeScores {
  TensorView receiver;  // f32 [segments, heads]
  TensorView sender;    // f32 [rows, heads], read at sources[e]
  Segments segments;
  TensorView table = {};                     // f32 [kinds, heads]; without data: no edge term
  std::span<const std::int32_t> kinds = {};  // rows of `table`, one for each edge
  float slope = 0.2f;                        // of the leaky ReLU below 0
};

// s_eh = leaky_relu(receiver[segment of e][h] + sender[sources[e]][h] + table[kinds[e]][h]);
// weights[e * heads + h] = exp(s_eh - max) / (sum exp(s - max) + 1e-16) over the edges of e's segment.
void edge_softmax(Exec& exec, const EdgeScores& scores, std::span<float> weights);

namespace reference {
void edge_softmax(const EdgeScores& scores, std::span<float> weights);
}  // namespace reference

}  // namespace consort
