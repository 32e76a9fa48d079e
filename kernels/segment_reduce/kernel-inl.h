#pragma once

#include "kernels/lanes/lanes.h"
#include "kernels/segment_reduce/kernel.h"

namespace consort::CONSORT_LANES {

// Columns [column, column + live) of the reduction over one block; live is 16 except for narrow rows.
CONSORT_LANE_FN Lanes reduce_columns(const SegmentArgs& a, std::size_t head, std::size_t column,
                                     std::size_t live) {
  const std::size_t at = head * a.width + column;
  const auto read = [&](const float* p) { return live == kLanes ? load(p) : load_part(p, live); };
  Lanes sum = zero();
  for (std::size_t e = 0; e < a.edges; ++e) {
    Lanes message = read(a.x + static_cast<std::size_t>(a.sources[e]) * a.x_stride + at);
    if (a.table != nullptr)
      message = add(message, read(a.table + static_cast<std::size_t>(a.kinds[e]) * a.table_stride + at));
    if (a.step == SegmentStep::kMax)
      sum = e == 0 ? message : max(sum, message);
    else if (a.weights != nullptr)
      sum = fma(set1(a.weights[e * a.heads + head]), message, sum);
    else
      sum = add(sum, message);
  }
  return sum;
}

// The last 16 columns overlap those before them where the width is no multiple of 16: a column's result is
// the same wherever it stands among the lanes.
void reduce_segment(const SegmentArgs& a) {
  const Lanes factor = set1(a.factor);
  const std::size_t live = a.width < kLanes ? a.width : kLanes;
  const std::size_t blocks = a.mean_of_heads ? 1 : a.heads;
  for (std::size_t block = 0; block < blocks; ++block)
    for (std::size_t next = 0; next < a.width; next += kLanes) {
      const std::size_t column = next + live > a.width ? a.width - live : next;
      Lanes sum = reduce_columns(a, block, column, live);
      for (std::size_t h = 1; a.mean_of_heads && h < a.heads; ++h)
        sum = add(sum, reduce_columns(a, h, column, live));
      sum = mul(sum, factor);
      float* to = a.out + block * a.width + column;
      if (live == kLanes)
        store(to, sum);
      else
        store_part(to, sum, live);
    }
}

}  // namespace consort::CONSORT_LANES
