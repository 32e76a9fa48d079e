#include "memory/retrieval/token_vectors.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "memory/retrieval/vector_index.h"

namespace consort {
namespace {

float dot(const float* a, const std::int8_t* b, std::size_t n) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sum{};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      sum[lane] += a[i + lane] * static_cast<float>(b[i + lane]);
  for (std::size_t lane = 0; i < n; ++i, ++lane) sum[lane] += a[i] * static_cast<float>(b[i]);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) sum[lane] += sum[lane + half];
  return sum[0];
}

}  // namespace

std::vector<float> normalised_rows(std::span<const float> rows, std::size_t dimension) {
  std::vector<float> out(rows.begin(), rows.end());
  for (std::size_t at = 0; at + dimension <= out.size(); at += dimension) {
    const float scale = inverse_norm({out.data() + at, dimension});
    for (std::size_t i = at; i < at + dimension; ++i) out[i] *= scale;
  }
  return out;
}

TokenVectors quantise_tokens(std::span<const float> rows, std::size_t dimension) {
  TokenVectors out;
  out.dimension = dimension;
  if (dimension == 0) return out;
  const std::vector<float> unit = normalised_rows(rows, dimension);
  out.codes.resize(unit.size() / dimension * dimension);
  for (std::size_t at = 0; at + dimension <= unit.size(); at += dimension) {
    float largest = 0;
    for (std::size_t i = at; i < at + dimension; ++i) largest = std::max(largest, std::abs(unit[i]));
    const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    out.scales.push_back(largest / 127.0f);
    for (std::size_t i = at; i < at + dimension; ++i)
      out.codes[i] = static_cast<std::int8_t>(std::lrint(unit[i] * inverse));
  }
  return out;
}

double max_sim_portable(const float* query, std::size_t query_rows, const TokenVectors& text) {
  double sum = 0;
  if (text.rows() == 0) return sum;
  for (std::size_t q = 0; q < query_rows; ++q) {
    float best = -INFINITY;
    for (std::size_t t = 0; t < text.rows(); ++t)
      best = std::max(best, text.scales[t] * dot(query + q * text.dimension,
                                                 text.codes.data() + t * text.dimension, text.dimension));
    sum += best;
  }
  return sum;
}

}  // namespace consort
