#pragma once

#include <cstddef>

#include "kernels/activation/activation.h"
#include "kernels/lanes/dispatch.h"

namespace consort {

CONSORT_FOR_EACH_ISA(void gate_row(GateKind kind, const float* gate, const float* up, float* out,
                                   std::size_t n))
// kQuickGelu and kGeluTanh.
CONSORT_FOR_EACH_ISA(void activate_row(Activation kind, float* x, std::size_t n))
CONSORT_FOR_EACH_ISA(void gelu_erf_row(float* x, const float* bias, std::size_t n))

}  // namespace consort
