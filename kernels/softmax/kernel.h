#pragma once

#include <cstddef>

#include "kernels/lanes/dispatch.h"

namespace consort {

// Largest entry of x[0..n); NaN entries are passed over. -inf for n = 0.
CONSORT_FOR_EACH_ISA(float largest(const float* x, std::size_t n))
// sum e^(x - shift) over x[0..n), 64-bit sum of float32 lane sums of 512 elements each.
CONSORT_FOR_EACH_ISA(double sum_of_exp(const float* x, std::size_t n, float shift))

}  // namespace consort
