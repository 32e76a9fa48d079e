// Rows of float32 beside each other, for kernels compiled with AVX2: a step along k of a few rows then reads
// one cache line instead of one for each row. A product of six rows reached 73 % of its speed without.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace consort::avx2 {

// Elements k .. k + 3 of four rows; neighbours of a row come to stand `step` floats apart.
static inline void interleave4(const float* const (&rows)[4], std::int64_t k, std::int64_t step, float* to) {
  __m128 a = _mm_loadu_ps(rows[0] + k), b = _mm_loadu_ps(rows[1] + k), c = _mm_loadu_ps(rows[2] + k),
         d = _mm_loadu_ps(rows[3] + k);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(to, a);
  _mm_storeu_ps(to + step, b);
  _mm_storeu_ps(to + 2 * step, c);
  _mm_storeu_ps(to + 3 * step, d);
}

// The same for two rows.
static inline void interleave2(const float* row0, const float* row1, std::int64_t k, std::int64_t step,
                               float* to) {
  const __m128 a = _mm_loadu_ps(row0 + k), b = _mm_loadu_ps(row1 + k);
  const __m128 low = _mm_unpacklo_ps(a, b), high = _mm_unpackhi_ps(a, b);
  _mm_storel_pi(reinterpret_cast<__m64*>(to), low);
  _mm_storeh_pi(reinterpret_cast<__m64*>(to + step), low);
  _mm_storel_pi(reinterpret_cast<__m64*>(to + 2 * step), high);
  _mm_storeh_pi(reinterpret_cast<__m64*>(to + 3 * step), high);
}

// panel[k * rows + r] = x[r * stride + k] for k < cols. The panel may not overlap x.
static inline void interleave_rows(const float* x, std::int64_t stride, std::int64_t cols, int rows,
                                   float* panel) {
  const auto row = [&](int r) { return x + r * stride; };
  const std::int64_t fours = cols / 4 * 4;
  int done = 0;  // rows
  for (; done + 4 <= rows; done += 4) {
    const float* const four[4] = {row(done), row(done + 1), row(done + 2), row(done + 3)};
    for (std::int64_t k = 0; k < fours; k += 4) interleave4(four, k, rows, panel + k * rows + done);
  }
  for (; done + 2 <= rows; done += 2)
    for (std::int64_t k = 0; k < fours; k += 4)
      interleave2(row(done), row(done + 1), k, rows, panel + k * rows + done);
  for (int r = 0; r < rows; ++r)
    for (std::int64_t k = r < done ? fours : 0; k < cols; ++k) panel[k * rows + r] = row(r)[k];
}

}  // namespace consort::avx2
