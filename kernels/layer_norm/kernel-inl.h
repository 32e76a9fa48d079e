#pragma once

#include "kernels/lanes/lanes.h"
#include "kernels/layer_norm/kernel.h"

namespace consort::CONSORT_LANES {

CONSORT_LANE_FN Lanes take(const float* p, std::size_t i, std::size_t n) {
  return i + kLanes <= n ? load(p + i) : load_part(p + i, n - i);
}
CONSORT_LANE_FN void put(float* p, const Lanes& v, std::size_t i, std::size_t n) {
  if (i + kLanes <= n)
    store(p + i, v);
  else
    store_part(p + i, v, n - i);
}

// Two passes (mean, then squared deviations), which keeps the variance exact enough for any mean.
void layer_norm_row(const LayerNormRow& row) {
  const std::size_t n = row.n;
  Lanes sum = zero();
  for (std::size_t i = 0; i < n; i += kLanes) {
    Lanes v = take(row.x, i, n);
    if (row.delta != nullptr) v = add(v, take(row.delta, i, n));
    put(row.out, v, i, n);
    sum = add(sum, v);
  }
  const float mean = sum_of(sum) / static_cast<float>(n);
  Lanes squares = zero();
  for (std::size_t i = 0; i < n; i += kLanes) {
    const Lanes d = i + kLanes <= n ? sub(load(row.out + i), set1(mean))
                                    : sub(load_part(row.out + i, n - i, mean), set1(mean));
    squares = fma(d, d, squares);
  }
  const float variance = sum_of(squares) / static_cast<float>(n);
  const Lanes factor = set1(1.0f / __builtin_sqrtf(variance + row.eps));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const Lanes d = mul(sub(take(row.out, i, n), set1(mean)), factor);
    put(row.out, fma(d, take(row.weight, i, n), take(row.bias, i, n)), i, n);
  }
}

}  // namespace consort::CONSORT_LANES
