// Inner products of rows of 8-bit integers with a query of 16-bit ones, exact in 32 bits, over what the including
// file says of its instruction set: Ints (a register of 32-bit sums), kCodes (products an instruction takes),
// no_sums, load_query, add_products (vpmaddwd of the query and widened codes) and sum_of_ints. Four rows at a time
// share the query's loads.
#pragma once

#include "kernels/distance/kernel.h"
#include "kernels/lanes/lanes.h"

namespace consort::CONSORT_LANES {
namespace {

template <int kRows>
inline void some_rows(const std::int16_t* query, const std::int8_t* codes, std::size_t n, std::int32_t* out) {
  Ints sums[kRows];
  for (int r = 0; r < kRows; ++r) sums[r] = no_sums();
  std::size_t i = 0;
  for (; i + kCodes <= n; i += kCodes) {
    const Ints q = load_query(query + i);
    for (int r = 0; r < kRows; ++r)
      sums[r] = add_products(sums[r], q, codes + static_cast<std::size_t>(r) * n + i);
  }
  for (int r = 0; r < kRows; ++r) {
    out[r] = sum_of_ints(sums[r]);
    for (std::size_t j = i; j < n; ++j) out[r] += query[j] * codes[static_cast<std::size_t>(r) * n + j];
  }
}

}  // namespace

void code_dots(const std::int16_t* query, const std::int8_t* codes, std::size_t rows, std::size_t n,
               std::int32_t* out) {
  std::size_t r = 0;
  for (; r + 4 <= rows; r += 4) some_rows<4>(query, codes + r * n, n, out + r);
  for (; r < rows; ++r) some_rows<1>(query, codes + r * n, n, out + r);
}

}  // namespace consort::CONSORT_LANES
