// Inner products in sixteen running sums, multiplied and added apart (no fused step) and folded in halves, as
// the portable functions of memory/retrieval do it: the same bits.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/distance/kernel.h"
#include "kernels/lanes/lanes.h"

namespace consort::CONSORT_LANES {

namespace {

// Inner products of `kRows` rows of `a` with one `b`, which is read once for all of them.
template <std::size_t kRows>
CONSORT_LANE_FN void dots(const float* a, const float* b, std::size_t n, float* out) {
  Lanes sums[kRows];
  for (std::size_t r = 0; r < kRows; ++r) sums[r] = set1(0.0f);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Lanes x = load(b + i);
    for (std::size_t r = 0; r < kRows; ++r) sums[r] = add(sums[r], mul(load(a + r * n + i), x));
  }
  if (i < n) {
    const Lanes x = load_part(b + i, n - i);
    for (std::size_t r = 0; r < kRows; ++r) sums[r] = add(sums[r], mul(load_part(a + r * n + i, n - i), x));
  }
  for (std::size_t r = 0; r < kRows; ++r) out[r] = sum_of(sums[r]);
}

}  // namespace

float dot_product(const float* a, const float* b, std::size_t n) {
  float out;
  dots<1>(a, b, n, &out);
  return out;
}

void max_sim_rows(const MaxSimArgs& args) {
  constexpr std::size_t kRows = 4;
  const std::size_t n = args.dimension;
  std::fill_n(args.best, args.query_rows, -INFINITY);
  for (std::size_t t = 0; t < args.text_rows; ++t) {
    const std::int8_t* codes = args.codes + t * n;
    for (std::size_t i = 0; i < n; ++i) args.row[i] = static_cast<float>(codes[i]);
    const float scale = args.scales[t];
    std::size_t q = 0;
    for (; q + kRows <= args.query_rows; q += kRows) {
      float out[kRows];
      dots<kRows>(args.query + q * n, args.row, n, out);
      for (std::size_t r = 0; r < kRows; ++r) args.best[q + r] = std::max(args.best[q + r], scale * out[r]);
    }
    for (; q < args.query_rows; ++q) {
      float out;
      dots<1>(args.query + q * n, args.row, n, &out);
      args.best[q] = std::max(args.best[q], scale * out);
    }
  }
}

}  // namespace consort::CONSORT_LANES
