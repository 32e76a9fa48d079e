// Rotary position embedding. Source: Su et al. 2021, "RoFormer", section 3.4.
#pragma once

#include <span>
#include <vector>

#include "kernels/exec/exec.h"

namespace consort {

// Which two elements of a head form a pair: (2i, 2i+1) as in GGUF's llama files, or (i, i + n/2).
enum class RopeStyle : std::uint8_t { kInterleaved, kHalves };

// base^(-2i/dims) for i in [0, dims/2), times `scale` (1 / the linear scaling factor of positions).
std::vector<double> rope_frequencies(int dims, double base, double scale = 1.0);

// cos and sin of position * frequency, computed in double, for `positions` tokens, laid out as rope() wants:
// every pair's value stands at both of its elements, and sin is negative at the first one.
// cos, sin: f32 [positions, 2 * frequencies]. Thread: the caller's and the pool's.
void rope_angles(Exec& exec, std::span<const std::int32_t> positions, std::span<const double> frequencies,
                 RopeStyle style, TensorView cos, TensorView sin);

// Rotates x in place: f32 [tokens, heads, head_dim], outer strides free. cos, sin: f32 [tokens, dims] from
// rope_angles; only the first `dims` elements of a head turn. REQUIRES: dims even, dims <= head_dim.
void rope(Exec& exec, TensorView x, TensorView cos, TensorView sin, RopeStyle style);

namespace reference {
void rope(TensorView x, std::span<const std::int32_t> positions, std::span<const double> frequencies,
          RopeStyle style);
}

}  // namespace consort
