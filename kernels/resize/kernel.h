#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/lanes/dispatch.h"

namespace consort {

struct ResizeRow {
  const std::uint8_t* row = nullptr;  // [width][3]
  const std::int64_t* begin = nullptr;
  const std::int32_t* taps = nullptr;
  const std::int32_t* weights = nullptr;  // [columns][most]
  std::size_t most = 0, columns = 0;
  std::uint8_t* out = nullptr;  // [columns][3]
};

// One row across.
CONSORT_FOR_EACH_ISA(void resize_across(const ResizeRow& args))
// sums[i] += weight * bytes[i].
CONSORT_FOR_EACH_ISA(void add_weighted(const std::uint8_t* bytes, std::int32_t weight, std::size_t n,
                                       std::int32_t* sums))
// out[i] = clamp(sums[i] >> 22, 0, 255).
CONSORT_FOR_EACH_ISA(void narrow_sums(const std::int32_t* sums, std::size_t n, std::uint8_t* out))

}  // namespace consort
