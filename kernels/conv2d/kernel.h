#pragma once

#include <cstddef>

#include "kernels/conv2d/conv_shape.h"
#include "kernels/lanes/dispatch.h"

namespace consort {

// Rows (pixels or windows) times tiles of 16 outputs; see ConvWeights for the layout.
struct ConvRows {
  const float* x = nullptr;  // [rows][k]
  std::size_t x_stride = 0, rows = 0, k = 0;
  float* room = nullptr;           // [rows][k] for the kernel's own order of x, or null
  const float* weights = nullptr;  // the first tile
  const float* bias = nullptr;     // padded to whole tiles
  std::size_t tiles = 0, outputs = 0;
  const float* residual = nullptr;  // with out's stride, or null
  float* out = nullptr;
  std::size_t out_stride = 0;
  ConvActivation activation = ConvActivation::kNone;
};

CONSORT_FOR_EACH_ISA(void conv_rows(const ConvRows& args))

}  // namespace consort
