#pragma once

#include "kernels/depthwise_conv/kernel.h"
#include "kernels/lanes/lanes.h"

namespace consort::CONSORT_LANES {

// Outputs side by side and groups of 16 channels that share a pass over the window: 7 x 2 accumulators hide
// the latency of fused multiply-add, and 7 divides the widths of the usual networks.
#if defined(__AVX512F__)
inline constexpr int kColumns = 7, kGroups = 2;
#elif defined(__AVX2__)
inline constexpr int kColumns = 7, kGroups = 1;  // 14 of the 16 registers
#else
inline constexpr int kColumns = 2, kGroups = 1;
#endif

CONSORT_LANE_FN Lanes load_channels(const float* p, std::size_t live) {
  return live >= kLanes ? load(p) : load_part(p, live);
}

// Kernel 0: the size is known at run time only.
template <int Kernel, int Stride, int Columns, int Groups>
CONSORT_LANE_FN void depthwise_block(const DepthwiseRow& r, std::size_t column, std::size_t channel,
                                     std::size_t live) {
  const std::size_t kernel_h = Kernel ? Kernel : r.kernel_h, kernel_w = Kernel ? Kernel : r.kernel_w;
  const std::size_t stride = Stride ? Stride : r.stride;
  Lanes acc[Columns][Groups];
#pragma GCC unroll 8
  for (int o = 0; o < Columns; ++o)
#pragma GCC unroll 2
    for (int g = 0; g < Groups; ++g) acc[o][g] = zero();
  for (std::size_t ky = 0; ky < kernel_h; ++ky) {
    const float* const* pixels = r.pixels + ky * r.columns + column * stride;
    const float* weights = r.weights + ky * kernel_w * r.channels + channel;
#pragma GCC unroll 5
    for (std::size_t kx = 0; kx < kernel_w; ++kx) {
      Lanes w[Groups];
#pragma GCC unroll 2
      for (int g = 0; g < Groups; ++g) w[g] = load_channels(weights + kx * r.channels + g * kLanes, live);
#pragma GCC unroll 8
      for (int o = 0; o < Columns; ++o) {
        const float* pixel = pixels[static_cast<std::size_t>(o) * stride + kx] + channel;
#pragma GCC unroll 2
        for (int g = 0; g < Groups; ++g)
          acc[o][g] = fma(load_channels(pixel + g * kLanes, live), w[g], acc[o][g]);
      }
    }
  }
#pragma GCC unroll 8
  for (int o = 0; o < Columns; ++o)
#pragma GCC unroll 2
    for (int g = 0; g < Groups; ++g) {
      Lanes v = add(acc[o][g], load_channels(r.bias + channel + g * kLanes, live));
      if (r.activation == ConvActivation::kRelu6) v = min(set1(6.0f), max(zero(), v));
      float* to = r.out + (column + static_cast<std::size_t>(o)) * r.channels + channel + g * kLanes;
      if (live >= kLanes)
        store(to, v);
      else
        store_part(to, v, live);
    }
}

template <int Kernel, int Stride, int Groups>
inline void depthwise_channels(const DepthwiseRow& r, std::size_t channel, std::size_t live) {
  std::size_t column = 0;
  for (; column + kColumns <= r.out_columns; column += kColumns)
    depthwise_block<Kernel, Stride, kColumns, Groups>(r, column, channel, live);
  if constexpr (kColumns > 3)
    for (; column + 3 <= r.out_columns; column += 3)
      depthwise_block<Kernel, Stride, 3, Groups>(r, column, channel, live);
  for (; column < r.out_columns; ++column)
    depthwise_block<Kernel, Stride, 1, Groups>(r, column, channel, live);
}

template <int Kernel, int Stride>
void depthwise_any(const DepthwiseRow& r) {
  constexpr std::size_t kWide = kLanes * kGroups;
  std::size_t channel = 0;
  for (; channel + kWide <= r.channels; channel += kWide)
    depthwise_channels<Kernel, Stride, kGroups>(r, channel, kLanes);
  for (; channel + kLanes <= r.channels; channel += kLanes)
    depthwise_channels<Kernel, Stride, 1>(r, channel, kLanes);
  if (channel < r.channels) depthwise_channels<0, 0, 1>(r, channel, r.channels - channel);
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// Columns outputs of eight channels. A pixel is read once for all outputs that see it, in the order in which
// each of them adds up its window: 0.6 to 0.9 loads a product, where a pass for each column of the window
// reads one and its pointer.
template <int Kernel, int Stride, int Columns>
CONSORT_LANE_FN void depthwise_eight(const DepthwiseRow& r, std::size_t column, std::size_t channel) {
  __m256 acc[Columns];
#pragma GCC unroll 8
  for (int o = 0; o < Columns; ++o) acc[o] = _mm256_setzero_ps();
#pragma GCC unroll 1
  for (std::size_t ky = 0; ky < Kernel; ++ky) {
    const float* const* pixels = r.pixels + ky * r.columns + column * Stride;
    const float* weights = r.weights + ky * Kernel * r.channels + channel;
    __m256 w[Kernel];
#pragma GCC unroll 5
    for (int kx = 0; kx < Kernel; ++kx)
      w[kx] = _mm256_loadu_ps(weights + static_cast<std::size_t>(kx) * r.channels);
#pragma GCC unroll 20
    for (int p = 0; p < (Columns - 1) * Stride + Kernel; ++p) {
      const __m256 pixel = _mm256_loadu_ps(pixels[p] + channel);
#pragma GCC unroll 5
      for (int kx = 0; kx < Kernel; ++kx)
        if (p >= kx && (p - kx) % Stride == 0 && (p - kx) / Stride < Columns)
          acc[(p - kx) / Stride] = _mm256_fmadd_ps(pixel, w[kx], acc[(p - kx) / Stride]);
    }
  }
  const __m256 bias = _mm256_loadu_ps(r.bias + channel), low = _mm256_setzero_ps(),
               high = _mm256_set1_ps(6.0f);
#pragma GCC unroll 8
  for (int o = 0; o < Columns; ++o) {
    __m256 v = _mm256_add_ps(acc[o], bias);
    if (r.activation == ConvActivation::kRelu6) v = _mm256_min_ps(high, _mm256_max_ps(low, v));
    _mm256_storeu_ps(r.out + (column + static_cast<std::size_t>(o)) * r.channels + channel, v);
  }
}

// Columns outputs from `column` on, all whole groups of eight channels.
template <int Kernel, int Stride, int Columns>
inline void depthwise_eights(const DepthwiseRow& r, std::size_t column) {
  for (std::size_t channel = 0; channel + 8 <= r.channels; channel += 8)
    depthwise_eight<Kernel, Stride, Columns>(r, column, channel);
}

template <int Kernel, int Stride>
void depthwise_all(const DepthwiseRow& r) {
  std::size_t column = 0;
  for (; column + 7 <= r.out_columns; column += 7) depthwise_eights<Kernel, Stride, 7>(r, column);
  for (; column + 3 <= r.out_columns; column += 3) depthwise_eights<Kernel, Stride, 3>(r, column);
  for (; column < r.out_columns; ++column) depthwise_eights<Kernel, Stride, 1>(r, column);
  const std::size_t channel = r.channels / 8 * 8;
  if (channel < r.channels) depthwise_channels<0, 0, 1>(r, channel, r.channels - channel);
}
#else
template <int Kernel, int Stride>
void depthwise_all(const DepthwiseRow& r) {
  depthwise_any<Kernel, Stride>(r);
}
#endif

void depthwise_row(const DepthwiseRow& r) {
  if (r.kernel_h == r.kernel_w) {
    if (r.kernel_w == 3 && r.stride == 1) return depthwise_all<3, 1>(r);
    if (r.kernel_w == 3 && r.stride == 2) return depthwise_all<3, 2>(r);
    if (r.kernel_w == 5 && r.stride == 1) return depthwise_all<5, 1>(r);
    if (r.kernel_w == 5 && r.stride == 2) return depthwise_all<5, 2>(r);
  }
  depthwise_any<0, 0>(r);
}

}  // namespace consort::CONSORT_LANES
