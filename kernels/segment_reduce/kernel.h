#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lanes/dispatch.h"

namespace consort {

enum class SegmentStep : std::uint8_t { kAdd, kMax };

// One segment: `edges` messages of heads * width columns.
struct SegmentArgs {
  const float* x;
  std::size_t x_stride;
  const std::int32_t* sources;
  const float* table;  // or null
  std::size_t table_stride;
  const std::int32_t* kinds;
  const float* weights;  // [edges, heads] or null
  std::size_t edges, heads, width;
  SegmentStep step;
  float factor;        // of the result: 1, 1 / edges, 1 / heads
  bool mean_of_heads;  // add the blocks of all heads up
  float* out;
};
CONSORT_FOR_EACH_ISA(void reduce_segment(const SegmentArgs& args))

}  // namespace consort
