#pragma once

#include <cstddef>

#include "kernels/lanes/dispatch.h"

namespace consort {

// One row: y = x (+ delta, stored back to x), out = y / rms(y) * weight. delta may be null; out may be x.
CONSORT_FOR_EACH_ISA(void rms_norm_row(float* x, const float* delta, const float* weight, float eps,
                                       float* out, std::size_t n))

}  // namespace consort
