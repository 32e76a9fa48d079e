// The inner loop of add_gram, compiled once for any processor and once for AVX2. Both give the same bits: no
// sum is reordered and nothing is contracted. Static, so that each file keeps its own. Private to this room.
#pragma once

#include <cstddef>

namespace consort {

// Rows that one pass over the matrix adds: its loads and stores cost as much as the sums.
inline constexpr std::size_t kGramRows = 8;

// Lower triangle of matrix [n, n] += sum over kGramRows rows x_r x_r^T.
static inline void gram_rows(double* matrix, std::size_t n, const double* const* r) {
  for (std::size_t i = 0; i < n; ++i) {
    double* out = matrix + i * n;
    const double a = r[0][i], b = r[1][i], c = r[2][i], d = r[3][i], e = r[4][i], f = r[5][i], g = r[6][i],
                 h = r[7][i];
    const double *r0 = r[0], *r1 = r[1], *r2 = r[2], *r3 = r[3], *r4 = r[4], *r5 = r[5], *r6 = r[6],
                 *r7 = r[7];
    for (std::size_t j = 0; j <= i; ++j)
      out[j] += ((a * r0[j] + b * r1[j]) + (c * r2[j] + d * r3[j])) +
                ((e * r4[j] + f * r5[j]) + (g * r6[j] + h * r7[j]));
  }
}

void add_gram_rows(double* matrix, std::size_t n, const double* const* rows);
void add_gram_rows_avx2(double* matrix, std::size_t n, const double* const* rows);

}  // namespace consort
