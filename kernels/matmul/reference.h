// The judge of matmul: the obvious loop in double over dequantised weights, and how far a correct route may
// be.
#pragma once

#include "kernels/matmul/matmul.h"

namespace consort {

// expected[m][n] = sum over k of x[m][k] W[n][k] + bias[n], rounded to float32 once. bound[m][n]: the most by
// which matmul() may differ: half a step of the 16-bit activations of each block against the weights'
// absolute sum, and float32 rounding of every term (Higham 2002, 3.1: n u times the terms' absolute sum).
// Shapes: x f32 [M, K]; expected, bound: M N floats.
void matmul_reference(TensorView x, const PackedMatrix& w, const float* bias, float* expected, float* bound);

}  // namespace consort
