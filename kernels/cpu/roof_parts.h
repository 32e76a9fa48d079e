// The measuring loops of roof.cpp for each instruction set. Internal to kernels/cpu.
#pragma once

#include <cstddef>
#include <cstdint>

namespace consort::roof_detail {

// Each returns a number that depends on the work, so that it cannot be left out.
struct Loops {
  std::uint64_t (*read)(const std::uint8_t* data, std::size_t bytes);  // bytes: a multiple of 512
  float (*multiply_f32)(std::size_t rounds);
  std::int32_t (*multiply_i8)(std::size_t rounds);
  std::int32_t (*multiply_i16)(std::size_t rounds);
  float (*multiply_bf16)(std::size_t rounds);  // null where the instruction set has none
  double flops_per_round;                      // of multiply_f32
  double ops_per_round;                        // of multiply_i8
  double i16_ops_per_round;
  double bf16_flops_per_round;
};

const Loops& scalar_loops();
const Loops& avx2_loops();
const Loops& avx512_loops();

}  // namespace consort::roof_detail
