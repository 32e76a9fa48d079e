#pragma once

#include <cstddef>

#include "kernels/lanes/dispatch.h"
#include "kernels/rope/rope.h"

namespace consort {

// Turns the first `dims` elements of one head; cos and sin as rope_angles lays them out.
CONSORT_FOR_EACH_ISA(void rope_head(float* x, const float* cos, const float* sin, std::size_t dims,
                                    RopeStyle style))

}  // namespace consort
