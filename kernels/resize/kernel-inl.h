#pragma once

#include <cstring>

#include "kernels/lanes/lanes.h"
#include "kernels/resize/kernel.h"

namespace consort::CONSORT_LANES {

inline constexpr std::int32_t kHalf = 1 << 21;

CONSORT_LANE_FN std::uint8_t narrow(std::int32_t sum) {
  const std::int32_t v = sum >> 22;
  return static_cast<std::uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v);
}

#if defined(__AVX2__)

// Four lanes: red, green, blue and a neighbour's byte that is not used.
CONSORT_LANE_FN __m128i pixel_times(const std::uint8_t* pixel, std::int32_t weight) {
  std::int32_t bytes;
  std::memcpy(&bytes, pixel, 4);
  return _mm_mullo_epi32(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)), _mm_set1_epi32(weight));
}

void resize_across(const ResizeRow& a) {
  for (std::size_t i = 0; i < a.columns; ++i) {
    const std::uint8_t* pixel = a.row + 3 * a.begin[i];
    const std::int32_t* weights = a.weights + i * a.most;
    const std::int32_t last = a.taps[i] - 1;
    __m128i sum = _mm_set1_epi32(kHalf), second = _mm_setzero_si128();
    std::int32_t t = 0;
    for (; t + 2 <= last; t += 2) {
      sum = _mm_add_epi32(sum, pixel_times(pixel + 3 * t, weights[t]));
      second = _mm_add_epi32(second, pixel_times(pixel + 3 * t + 3, weights[t + 1]));
    }
    if (t < last) sum = _mm_add_epi32(sum, pixel_times(pixel + 3 * t, weights[t]));
    std::uint8_t end[4] = {};  // behind the last pixel the row may end
    std::memcpy(end, pixel + 3 * last, 3);
    sum = _mm_add_epi32(_mm_add_epi32(sum, second), pixel_times(end, weights[last]));
    sum = _mm_srai_epi32(sum, 22);
    sum = _mm_packus_epi16(_mm_packs_epi32(sum, sum), sum);
    const std::int32_t bytes = _mm_cvtsi128_si32(sum);
    std::memcpy(a.out + 3 * i, &bytes, 3);
  }
}

#else

void resize_across(const ResizeRow& a) {
  for (std::size_t i = 0; i < a.columns; ++i) {
    const std::uint8_t* pixel = a.row + 3 * a.begin[i];
    const std::int32_t* weights = a.weights + i * a.most;
    std::int32_t red = kHalf, green = kHalf, blue = kHalf;
    for (std::int32_t t = 0; t < a.taps[i]; ++t, pixel += 3) {
      red += pixel[0] * weights[t];
      green += pixel[1] * weights[t];
      blue += pixel[2] * weights[t];
    }
    a.out[3 * i] = narrow(red);
    a.out[3 * i + 1] = narrow(green);
    a.out[3 * i + 2] = narrow(blue);
  }
}

#endif

void add_weighted(const std::uint8_t* bytes, std::int32_t weight, std::size_t n, std::int32_t* sums) {
  for (std::size_t i = 0; i < n; ++i) sums[i] += weight * bytes[i];
}

void narrow_sums(const std::int32_t* sums, std::size_t n, std::uint8_t* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = narrow(sums[i]);
}

}  // namespace consort::CONSORT_LANES
