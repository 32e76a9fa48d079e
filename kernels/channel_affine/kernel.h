#pragma once

#include <cstddef>

#include "kernels/channel_affine/channel_affine.h"
#include "kernels/lanes/dispatch.h"

namespace consort {

struct ChannelRow {
  float* x;
  const float* centre;  // or null
  const float* scale;   // or null
  const float* shift;   // or null
  std::size_t n;
  ChannelActivation activation;
};
CONSORT_FOR_EACH_ISA(void channel_affine_row(const ChannelRow& row))

}  // namespace consort
