#pragma once

#include "kernels/lanes/lanes.h"
#include "kernels/rms_norm/kernel.h"

namespace consort::CONSORT_LANES {

// Four running sums, so that the additions do not wait for each other; folded (0+1)+(2+3) at the end.
void rms_norm_row(float* x, const float* delta, const float* weight, float eps, float* out, std::size_t n) {
  Lanes sums[4] = {zero(), zero(), zero(), zero()};
  const std::size_t whole = n / kLanes * kLanes;
  std::size_t i = 0;
  for (; i < whole; i += kLanes) {
    Lanes v = load(x + i);
    if (delta != nullptr) {
      v = add(v, load(delta + i));
      store(x + i, v);
    }
    Lanes& sum = sums[i / kLanes % 4];
    sum = fma(v, v, sum);
  }
  if (i < n) {
    Lanes v = load_part(x + i, n - i);
    if (delta != nullptr) {
      v = add(v, load_part(delta + i, n - i));
      store_part(x + i, v, n - i);
    }
    sums[i / kLanes % 4] = fma(v, v, sums[i / kLanes % 4]);
  }
  const float total = sum_of(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
  const Lanes factor = set1(1.0f / __builtin_sqrtf(total / static_cast<float>(n) + eps));
  for (i = 0; i < whole; i += kLanes) store(out + i, mul(mul(load(x + i), factor), load(weight + i)));
  if (i < n) {
    const Lanes v = mul(mul(load_part(x + i, n - i), factor), load_part(weight + i, n - i));
    store_part(out + i, v, n - i);
  }
}

}  // namespace consort::CONSORT_LANES
