#pragma once

#include "kernels/lanes/lanes.h"
#include "kernels/rope/kernel.h"

namespace consort::CONSORT_LANES {

// (a, b) -> (a cos - b sin, b cos + a sin); sin carries its sign, so both are own * cos + other * sin.
CONSORT_LANE_FN void rotate_pairs(float* x, const float* cos, const float* sin, std::size_t dims) {
  std::size_t i = 0;
  for (; i + kLanes <= dims; i += kLanes) {
    const Lanes own = load(x + i);
    store(x + i, fma(own, load(cos + i), mul(swap_pairs(own), load(sin + i))));
  }
  if (i == dims) return;
  const Lanes own = load_part(x + i, dims - i);
  const Lanes other = mul(swap_pairs(own), load_part(sin + i, dims - i));
  store_part(x + i, fma(own, load_part(cos + i, dims - i), other), dims - i);
}

CONSORT_LANE_FN void rotate_halves(float* x, const float* cos, const float* sin, std::size_t half) {
  float *low = x, *high = x + half;
  std::size_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Lanes a = load(low + i), b = load(high + i);
    store(low + i, fma(a, load(cos + i), mul(b, load(sin + i))));
    store(high + i, fma(b, load(cos + half + i), mul(a, load(sin + half + i))));
  }
  for (; i < half; ++i) {
    const float a = low[i], b = high[i];
    low[i] = __builtin_fmaf(a, cos[i], b * sin[i]);
    high[i] = __builtin_fmaf(b, cos[half + i], a * sin[half + i]);
  }
}

void rope_head(float* x, const float* cos, const float* sin, std::size_t dims, RopeStyle style) {
  if (style == RopeStyle::kInterleaved)
    rotate_pairs(x, cos, sin, dims);
  else
    rotate_halves(x, cos, sin, dims / 2);
}

}  // namespace consort::CONSORT_LANES
