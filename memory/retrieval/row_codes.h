// RowCodes: rows of floats once more as 8-bit integers, so that a search reads a quarter of the bytes and still
// finds exactly what a search over the floats finds. For a row v = s c + r (c integers, at most 127) and a query
// q = t b + p (b integers):
//
//   |q.v - s t (b.c)| <= |q| |r| + |p| s |c|        (Cauchy-Schwarz)
//
// b.c is exact in 32 bits. The float product that decides differs from q.v by at most gamma |q| |v| (Higham 2002,
// section 3.1). So each row's product has a lower and an upper bound, and a row whose upper bound is below the k-th
// largest lower bound cannot be among the k best: only the others are looked at in floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "memory/base/huge_pages.h"

namespace consort {

// out[r] = sum_i query[i] * codes[r * n + i] for `rows` rows. REQUIRES: the sums fit 32 bits.
using CodeDotsFunction = void (*)(const std::int16_t* query, const std::int8_t* codes, std::size_t rows,
                                  std::size_t n, std::int32_t* out);
void code_dots_portable(const std::int16_t* query, const std::int8_t* codes, std::size_t rows, std::size_t n,
                        std::int32_t* out);

// Not thread-safe. n + 20 bytes a row.
class RowCodes {
 public:
  explicit RowCodes(std::size_t dimension) : dimension_(dimension) {}

  std::size_t size() const { return scales_.size(); }
  std::size_t bytes() const;
  // REQUIRES: row <= size() (size() appends), a vector of the dimension.
  void put(std::size_t row, std::span<const float> vector);
  void replace_by_last(std::size_t row);  // and takes the last row away. REQUIRES: row < size()

  // Every row that can be among the `k` largest by factors[row] * (query . row), ascending; of equal k-th ones
  // all. factors: not negative; empty: all 1. accept: empty for all rows. accepted: how many rows it let through.
  // REQUIRES: a finite query of the dimension, k > 0.
  std::vector<std::uint32_t> candidates(std::span<const float> query, std::size_t k,
                                        std::span<const float> factors, CodeDotsFunction dots,
                                        const std::function<bool(std::size_t row)>& accept,
                                        std::size_t& accepted) const;

 private:
  std::size_t dimension_;
  HugeVector<std::int8_t> codes_;   // [size, dimension]
  std::vector<float> scales_;       // s
  std::vector<double> rests_;       // at least |r|
  std::vector<double> norms_;       // at least |v|
};

}  // namespace consort
