// Centre, factor and term for each column, then an activation: batch normalisation with its statistics fixed
// (Ioffe and Szegedy 2015, section 3.1), or a bias. In place. The centre is taken away first: folded into the
// term it would cost digits wherever a column varies little about a large mean.
#pragma once

#include <cstdint>

#include "kernels/exec/exec.h"

namespace consort {

enum class ChannelActivation : std::uint8_t { kNone, kRelu, kElu };  // ELU: x < 0 gives e^x - 1

// Each f32 [n], or without data for 0, 1 and 0.
struct ChannelFactors {
  TensorView centre = {}, scale = {}, shift = {};
};

// x = activation((x - centre) * scale + shift). x: f32 [rows, n].
void channel_affine(Exec& exec, TensorView x, const ChannelFactors& factors, ChannelActivation activation);

namespace reference {
void channel_affine(TensorView x, const ChannelFactors& factors, ChannelActivation activation);
}  // namespace reference

}  // namespace consort
