#pragma once

#include "kernels/edge_softmax/kernel.h"
#include "kernels/lanes/lanes.h"

namespace consort::CONSORT_LANES {

inline void write_scores(const EdgeSoftmaxArgs& a) {
  for (std::size_t e = 0; e < a.edges; ++e) {
    const float* sender = a.sender + static_cast<std::size_t>(a.sources[e]) * a.sender_stride;
    const float* edge =
        a.table != nullptr ? a.table + static_cast<std::size_t>(a.kinds[e]) * a.table_stride : nullptr;
    for (std::size_t h = 0; h < a.heads; ++h) {
      float score = a.receiver[h] + sender[h];
      if (edge != nullptr) score += edge[h];
      a.weights[e * a.heads + h] = score > 0.0f ? score : score * a.slope;
    }
  }
}

// Scores first, their largest taken away, then all exponentials at once (edges and heads stand together),
// then the division. Sums are in the order of edges.
void softmax_segment(const EdgeSoftmaxArgs& a) {
  write_scores(a);
  const std::size_t n = a.edges * a.heads;
  for (std::size_t h = 0; h < a.heads; ++h) {
    float best = a.weights[h];
    for (std::size_t i = h; i < n; i += a.heads) best = a.weights[i] > best ? a.weights[i] : best;
    for (std::size_t i = h; i < n; i += a.heads) a.weights[i] -= best;
  }
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(a.weights + i, exp(load(a.weights + i)));
  if (i < n) store_part(a.weights + i, exp(load_part(a.weights + i, n - i)), n - i);
  for (std::size_t h = 0; h < a.heads; ++h) {
    float sum = 0.0f;
    for (i = h; i < n; i += a.heads) sum += a.weights[i];
    sum += 1e-16f;
    for (i = h; i < n; i += a.heads) a.weights[i] /= sum;
  }
}

}  // namespace consort::CONSORT_LANES
