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
  double flops_per_round;
  double ops_per_round;
};

const Loops& scalar_loops();
const Loops& avx2_loops();
const Loops& avx512_loops();

}  // namespace consort::roof_detail
