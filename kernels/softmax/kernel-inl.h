#pragma once

#include "kernels/lanes/lanes.h"
#include "kernels/softmax/kernel.h"

namespace consort::CONSORT_LANES {

float largest(const float* x, std::size_t n) {
  Lanes best = set1(-__builtin_inff());
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) best = max(load(x + i), best);
  if (i < n) best = max(load_part(x + i, n - i, -__builtin_inff()), best);
  return max_of(best);
}

double sum_of_exp(const float* x, std::size_t n, float shift) {
  constexpr std::size_t kRun = 512;  // 32 additions a lane: relative error below 2e-6 in the worst case
  const Lanes shifts = set1(shift);
  double total = 0;
  for (std::size_t begin = 0; begin < n; begin += kRun) {
    const std::size_t end = begin + kRun < n ? begin + kRun : n;
    Lanes sum = zero();
    std::size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) sum = add(sum, exp(sub(load(x + i), shifts)));
    if (i < end) {
      float rest[kLanes];
      store(rest, exp(sub(load_part(x + i, end - i), shifts)));
      sum = add(sum, load_part(rest, end - i));
    }
    total += sum_of(sum);
  }
  return total;
}

}  // namespace consort::CONSORT_LANES
