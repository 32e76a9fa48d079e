#pragma once

#include "kernels/attention/kernel.h"
#include "kernels/lanes/lanes.h"

// Whole texts: 16 queries stand in the lanes, so that scores, maxima, exponentials and sums of 16 rows need no
// sum across lanes, and keys are read as they lie. Values are added up with their own elements in the lanes.
namespace consort::CONSORT_LANES {

inline constexpr std::size_t kKeysAtOnce = 4;  // with 16 lanes of two vectors: the 8 sums that hide the latency
#if defined(__AVX512F__)
inline constexpr std::size_t kQueriesAtOnce = 4;
#else
inline constexpr std::size_t kQueriesAtOnce = 2;
#endif

#if defined(__AVX2__)
// out[d * kLanes + r] = scale * from[r][d] for 8 rows and 8 elements.
CONSORT_LANE_FN void transpose8(const float* const* from, std::size_t d, __m256 scale, float* out) {
  const auto row = [&](int r) { return _mm256_mul_ps(_mm256_loadu_ps(from[r] + d), scale); };
  const __m256 a0 = row(0), a1 = row(1), a2 = row(2), a3 = row(3);
  const __m256 b0 = _mm256_unpacklo_ps(a0, a1), b1 = _mm256_unpackhi_ps(a0, a1);
  const __m256 b2 = _mm256_unpacklo_ps(a2, a3), b3 = _mm256_unpackhi_ps(a2, a3);
  const __m256 a4 = row(4), a5 = row(5), a6 = row(6), a7 = row(7);
  const __m256 b4 = _mm256_unpacklo_ps(a4, a5), b5 = _mm256_unpackhi_ps(a4, a5);
  const __m256 b6 = _mm256_unpacklo_ps(a6, a7), b7 = _mm256_unpackhi_ps(a6, a7);
  const auto put = [&](std::size_t i, __m256 low, __m256 high) {
    _mm256_storeu_ps(out + (d + i) * kLanes, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(out + (d + i + 4) * kLanes, _mm256_permute2f128_ps(low, high, 0x31));
  };
  put(0, _mm256_shuffle_ps(b0, b2, 0x44), _mm256_shuffle_ps(b4, b6, 0x44));
  put(1, _mm256_shuffle_ps(b0, b2, 0xee), _mm256_shuffle_ps(b4, b6, 0xee));
  put(2, _mm256_shuffle_ps(b1, b3, 0x44), _mm256_shuffle_ps(b5, b7, 0x44));
  put(3, _mm256_shuffle_ps(b1, b3, 0xee), _mm256_shuffle_ps(b5, b7, 0xee));
}
#endif

// out[d * kLanes + r] = scale * row r's element d. Behind the last row it is taken again.
CONSORT_LANE_FN void gather_queries(const TextTile& t, std::size_t first, float* out) {
  const float* rows[kLanes];
  for (std::size_t r = 0; r < kLanes; ++r)
    rows[r] = t.q + (first + r < t.rows ? first + r : t.rows - 1) * t.q_stride;
#if defined(__AVX2__)
  const __m256 scale = _mm256_set1_ps(t.scale);
  for (std::size_t d = 0; d < t.head_dim; d += 8) {
    transpose8(rows, d, scale, out);
    transpose8(rows + 8, d, scale, out + 8);
  }
#else
  for (std::size_t r = 0; r < kLanes; ++r)
    for (std::size_t d = 0; d < t.head_dim; ++d) out[d * kLanes + r] = rows[r][d] * t.scale;
#endif
}

CONSORT_LANE_FN void copy_rows(const float* from, std::size_t stride, std::size_t rows, std::size_t dim,
                               float* to) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t d = 0; d < dim; d += kLanes) store(to + r * dim + d, load(from + r * stride + d));
}

// scores[j][lane] = the lane's query . key j, elements in order.
template <std::size_t J>
CONSORT_LANE_FN void score_keys(const float* queries, const float* keys, std::size_t dim, float* scores) {
  Lanes sum[J];
  for (std::size_t j = 0; j < J; ++j) sum[j] = zero();
  for (std::size_t d = 0; d < dim; ++d) {
    const Lanes q = load(queries + d * kLanes);
    for (std::size_t j = 0; j < J; ++j) sum[j] = fma(set1(keys[j * dim + d]), q, sum[j]);
  }
  for (std::size_t j = 0; j < J; ++j) store(scores + j * kLanes, sum[j]);
}

// Key j is not seen by the queries in front of it: the first j - first lanes.
CONSORT_LANE_FN void hide(float* of_key, std::size_t j, std::size_t first, float fill) {
  for (std::size_t r = 0; r + first < j && r < kLanes; ++r) of_key[r] = fill;
}

// Scores become weights relative to each query's largest; gives 1 / their sum, keys in order.
CONSORT_LANE_FN Lanes weigh_keys(float* scores, std::size_t keys, bool causal, std::size_t first) {
  Lanes top = set1(-__builtin_inff());
  for (std::size_t j = 0; j < keys; ++j) {
    if (causal && j > first) hide(scores + j * kLanes, j, first, -__builtin_inff());
    top = max(load(scores + j * kLanes), top);
  }
  Lanes sum = zero();
  for (std::size_t j = 0; j < keys; ++j) {
    float* of_key = scores + j * kLanes;
    store(of_key, exp(sub(load(of_key), top)));
    if (causal && j > first) hide(of_key, j, first, 0.0f);
    sum = add(sum, load(of_key));
  }
  return div(set1(1.0f), sum);
}

// out[r] = inverse[r] * sum over keys j of weights[j][r] * value j, in the order of j, for R queries and V
// vectors of their elements.
template <std::size_t R, std::size_t V>
CONSORT_LANE_FN void add_values(const float* weights, const float* values, std::size_t keys, std::size_t dim,
                                const float* inverse, float* out, std::size_t out_stride) {
  Lanes sum[R][V];
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t x = 0; x < V; ++x) sum[r][x] = zero();
  for (std::size_t j = 0; j < keys; ++j) {
    Lanes v[V];
    for (std::size_t x = 0; x < V; ++x) v[x] = load(values + j * dim + x * kLanes);
    for (std::size_t r = 0; r < R; ++r) {
      const Lanes w = set1(weights[j * kLanes + r]);
      for (std::size_t x = 0; x < V; ++x) sum[r][x] = fma(w, v[x], sum[r][x]);
    }
  }
  for (std::size_t r = 0; r < R; ++r)
    for (std::size_t x = 0; x < V; ++x)
      store(out + r * out_stride + x * kLanes, mul(sum[r][x], set1(inverse[r])));
}

template <std::size_t R>
CONSORT_LANE_FN void value_rows(const float* weights, const float* values, std::size_t keys, std::size_t dim,
                                const float* inverse, float* out, std::size_t out_stride) {
  std::size_t d = 0;
  for (; d + 2 * kLanes <= dim; d += 2 * kLanes)
    add_values<R, 2>(weights, values + d, keys, dim, inverse, out + d, out_stride);
  if (d < dim) add_values<R, 1>(weights, values + d, keys, dim, inverse, out + d, out_stride);
}

void attend_text(const TextTile& t) {
  const std::size_t dim = t.head_dim, n = t.rows;
  float* const keys = t.scratch;
  float* const values = keys + n * dim;
  float* const queries = values + n * dim;
  float* const scores = queries + kLanes * dim;
  copy_rows(t.k, t.k_stride, n, dim, keys);
  copy_rows(t.v, t.v_stride, n, dim, values);
  for (std::size_t first = 0; first < n; first += kLanes) {
    const std::size_t rows = n - first < kLanes ? n - first : kLanes;
    const std::size_t seen = t.causal ? first + rows : n;
    gather_queries(t, first, queries);
    std::size_t j = 0;
    for (; j + kKeysAtOnce <= seen; j += kKeysAtOnce)
      score_keys<kKeysAtOnce>(queries, keys + j * dim, dim, scores + j * kLanes);
    for (; j < seen; ++j) score_keys<1>(queries, keys + j * dim, dim, scores + j * kLanes);
    alignas(64) float inverse[kLanes];
    store(inverse, weigh_keys(scores, seen, t.causal, first));
    float* out = t.out + first * t.out_stride;
    std::size_t r = 0;
    for (; r + kQueriesAtOnce <= rows; r += kQueriesAtOnce)
      value_rows<kQueriesAtOnce>(scores + r, values, seen, dim, inverse + r, out + r * t.out_stride,
                                 t.out_stride);
    for (; r < rows; ++r)
      value_rows<1>(scores + r, values, seen, dim, inverse + r, out + r * t.out_stride, t.out_stride);
  }
}

}  // namespace consort::CONSORT_LANES
