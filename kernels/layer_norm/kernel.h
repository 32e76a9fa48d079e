#pragma once

#include <cstddef>

#include "kernels/lanes/dispatch.h"

namespace consort {

struct LayerNormRow {
  const float* x;
  const float* delta;  // or null
  const float* weight;
  const float* bias;
  float eps;
  float* out;  // may be x
  std::size_t n;
};
CONSORT_FOR_EACH_ISA(void layer_norm_row(const LayerNormRow& row))

}  // namespace consort
