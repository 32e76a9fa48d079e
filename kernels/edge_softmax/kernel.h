#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lanes/dispatch.h"

namespace consort {

// One segment: `edges` rows of `heads` weights.
struct EdgeSoftmaxArgs {
  const float* receiver;  // heads numbers
  const float* sender;
  std::size_t sender_stride;
  const std::int32_t* sources;
  const float* table;  // or null
  std::size_t table_stride;
  const std::int32_t* kinds;
  std::size_t edges, heads;
  float slope;
  float* weights;
};
CONSORT_FOR_EACH_ISA(void softmax_segment(const EdgeSoftmaxArgs& args))

}  // namespace consort
