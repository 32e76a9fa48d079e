// The two passes over a row of logits that cost time, in a version for each instruction set. Internal to
// logit_math. No standard-library types: the definitions are compiled with instruction sets that the rest of
// the program may not have.
#pragma once

#include <cstddef>

#include "kernels/lanes/dispatch.h"

namespace consort {

CONSORT_FOR_EACH_ISA(float largest_logit(const float* x, std::size_t n))
// Index of the first element equal to `value`; n where there is none.
CONSORT_FOR_EACH_ISA(std::size_t find_logit(const float* x, std::size_t n, float value))
// Sum of exp((x[i] - top) * scale) over x[0, n); the weights themselves where `weights` is not null.
CONSORT_FOR_EACH_ISA(double weigh_logits(const float* x, std::size_t n, float top, float scale,
                                         float* weights))

}  // namespace consort
