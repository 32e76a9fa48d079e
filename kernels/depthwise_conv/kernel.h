#pragma once

#include <cstddef>

#include "kernels/conv2d/conv_shape.h"
#include "kernels/lanes/dispatch.h"

namespace consort {

// One row of outputs. Pixels are reached through pointers, those outside the picture through a row of zeros,
// so that edges need no code of their own.
struct DepthwiseRow {
  const float* const* pixels = nullptr;  // [kernel_h][columns]: column x kx reads entry x stride + kx
  std::size_t columns = 0;               // entries of a kernel row
  std::size_t kernel_h = 0, kernel_w = 0, stride = 1;
  std::size_t out_columns = 0, channels = 0;
  const float* weights = nullptr;  // [kernel_h][kernel_w][channels]
  const float* bias = nullptr;
  float* out = nullptr;  // [out_columns][channels]
  ConvActivation activation = ConvActivation::kNone;
};

CONSORT_FOR_EACH_ISA(void depthwise_row(const DepthwiseRow& row))

}  // namespace consort
