#pragma once

#include "kernels/channel_affine/kernel.h"
#include "kernels/lanes/lanes.h"

namespace consort::CONSORT_LANES {

CONSORT_LANE_FN Lanes activated(ChannelActivation activation, Lanes v) {
  if (activation == ChannelActivation::kRelu) return max(v, zero());
  // max(v, 0) + (e^min(v, 0) - 1): the second term is exactly 0 for v >= 0.
  if (activation == ChannelActivation::kElu) return add(max(v, zero()), sub(exp(min(v, zero())), set1(1.0f)));
  return v;
}

void channel_affine_row(const ChannelRow& row) {
  for (std::size_t i = 0; i < row.n; i += kLanes) {
    const std::size_t live = row.n - i < kLanes ? row.n - i : kLanes;
    const auto read = [&](const float* p) { return live == kLanes ? load(p) : load_part(p, live); };
    Lanes v = read(row.x + i);
    if (row.centre != nullptr) v = sub(v, read(row.centre + i));
    const Lanes shift = row.shift != nullptr ? read(row.shift + i) : zero();
    v = row.scale != nullptr ? fma(v, read(row.scale + i), shift) : add(v, shift);
    v = activated(row.activation, v);
    if (live == kLanes)
      store(row.x + i, v);
    else
      store_part(row.x + i, v, live);
  }
}

}  // namespace consort::CONSORT_LANES
