// Weights of any format with well-behaved values, made from a seed: for cases and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/exec/cases.h"
#include "memory/tensor/dtype.h"

namespace consort {

// The bytes of a [rows, cols] matrix in a file's format: every bit pattern of the codes and factors occurs,
// the f16 scales are finite and such that weights are about 0.05 in size. REQUIRES: cols a multiple of the
// block.
std::vector<std::byte> random_weights(DType type, std::int64_t rows, std::int64_t cols, CaseRandom& random);

}  // namespace consort
