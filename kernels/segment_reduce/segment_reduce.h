// Segment reduction: every node gathers the rows of its neighbours and reduces them. Edges stand in segments,
// one for each receiving node (CSR), and a segment is reduced by one thread in the order of its edges: no
// atomics, and a node's result depends on nothing but its own segment. Source: Gilmer et al. 2017, "Neural
// Message Passing", section 2; Fey and Lenssen 2019 (PyTorch Geometric), section 2.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/exec/exec.h"

namespace consort {

// Segment s holds the edges [offsets[s], offsets[s + 1]); edge e reads row sources[e].
struct Segments {
  std::span<const std::int32_t> offsets;  // segments + 1 numbers, from 0, never falling
  std::span<const std::int32_t> sources;  // one for each edge
  std::size_t size() const { return offsets.size() - 1; }
};

enum class SegmentReduce : std::uint8_t { kSum, kMean, kMax };  // an empty segment gives 0

// The message of edge e is m_e = x[sources[e]] (+ table[kinds[e]]), taken as `heads` blocks of equal width;
// block h counts weights[e * heads + h] times (once without weights).
struct Messages {
  TensorView x;  // f32 [rows, heads * width]
  Segments segments;
  TensorView table = {};                     // f32 [kinds, heads * width]; without data: no edge term
  std::span<const std::int32_t> kinds = {};  // rows of `table`, one for each edge
  std::span<const float> weights = {};       // [edges, heads], or empty
  int heads = 1;
  bool mean_of_heads = false;  // out is the mean of the blocks, [segments, width]
};

// out[s] = reduction of the messages of segment s. out: f32 [segments, heads * width], or [segments, width]
// for mean_of_heads; it does not overlap the operands. Sums are float32 in the order of edges, fused
// multiply-add with weights. REQUIRES: sources and kinds within their tables.
void segment_reduce(Exec& exec, SegmentReduce kind, const Messages& messages, TensorView out);

namespace reference {
void segment_reduce(SegmentReduce kind, const Messages& messages, TensorView out);
}  // namespace reference

}  // namespace consort
