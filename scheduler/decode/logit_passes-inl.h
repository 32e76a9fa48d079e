// One source for all instruction sets: vectors of sixteen lanes, which the compiler cuts to what there is,
// and no fused multiply-add; so every machine gives the same bits.
#pragma once

#include <cstdint>

#include "scheduler/decode/logit_passes.h"

#if defined(__AVX512F__)
#define CONSORT_LOGIT_LANES avx512
#elif defined(__AVX2__)
#define CONSORT_LOGIT_LANES avx2
#else
#define CONSORT_LOGIT_LANES scalar
#endif
#pragma GCC diagnostic ignored "-Wpsabi"  // nothing here is called from outside with a vector
#define CONSORT_INLINE inline __attribute__((always_inline))

namespace consort::CONSORT_LOGIT_LANES {
namespace {

constexpr std::size_t kLanes = 16;
typedef float Floats __attribute__((vector_size(64)));
typedef std::int32_t Ints __attribute__((vector_size(64)));
typedef double Doubles __attribute__((vector_size(128)));

typedef float LooseFloats __attribute__((vector_size(64), aligned(4), may_alias));

CONSORT_INLINE Floats load(const float* p) {
  return *reinterpret_cast<const LooseFloats*>(p);
}
CONSORT_INLINE Floats all(float x) {
  return x - Floats{};
}

// exp(x) for x <= 0: x = n ln 2 + r, |r| <= ln 2 / 2, exp(r) by Cephes' expf polynomial (Moshier 1992), 2^n
// by its exponent bits. 0 where x < -87 (2^n would leave the normal range) and where x is NaN.
CONSORT_INLINE Floats exp_of_negative(Floats x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding and taking it away rounds to an integer
  const Ints in_range = x >= all(-87.0f);
  const Ints bits = in_range & reinterpret_cast<Ints>(x);
  x = reinterpret_cast<Floats>(bits);
  const Floats shifted = x * all(1.44269504088896341f) + all(kRound);
  const Floats n = shifted - all(kRound);
  const Floats r = (x - n * all(0.693359375f)) - n * all(-2.12194440e-4f);
  Floats p = all(1.9875691500e-4f);
  p = p * r + all(1.3981999507e-3f);
  p = p * r + all(8.3334519073e-3f);
  p = p * r + all(4.1665795894e-2f);
  p = p * r + all(1.6666665459e-1f);
  p = p * r + all(5.0000001201e-1f);
  p = (p * r) * r + r + all(1.0f);
  const Ints power = reinterpret_cast<Ints>(shifted) << 23;  // the low bits of `shifted` hold n
  const Ints scaled = (reinterpret_cast<Ints>(p) + power) & in_range;
  return reinterpret_cast<Floats>(scaled);
}

}  // namespace

float largest_logit(const float* x, std::size_t n) {
  constexpr std::size_t kVectors = 4;
  Floats best[kVectors];
  for (Floats& b : best) b = all(-__builtin_inff());
  std::size_t i = 0;
  for (; i + kVectors * kLanes <= n; i += kVectors * kLanes)
    for (std::size_t j = 0; j < kVectors; ++j) {
      const Floats v = load(x + i + j * kLanes);
      best[j] = v > best[j] ? v : best[j];
    }
  float top = -__builtin_inff();
  for (const Floats& lanes : best)
    for (std::size_t lane = 0; lane < kLanes; ++lane) top = lanes[lane] > top ? lanes[lane] : top;
  for (; i < n; ++i) top = x[i] > top ? x[i] : top;
  return top;
}

std::size_t find_logit(const float* x, std::size_t n, float value) {
  constexpr std::size_t kVectors = 4;
  std::size_t i = 0;
  for (; i + kVectors * kLanes <= n; i += kVectors * kLanes) {
    Ints hit{};
    for (std::size_t j = 0; j < kVectors; ++j) hit |= load(x + i + j * kLanes) == all(value);
    std::int64_t any = 0;
    typedef std::int64_t Words __attribute__((vector_size(64)));
    const Words words = reinterpret_cast<Words>(hit);
    for (int j = 0; j < 8; ++j) any |= words[j];
    if (any != 0) break;
  }
  while (i < n && x[i] != value) ++i;
  return i;
}

double weigh_logits(const float* x, std::size_t n, float top, float scale, float* weights) {
  Doubles sum{};
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t count = n - i < kLanes ? n - i : kLanes;
    Floats v;
    if (count == kLanes) {
      v = load(x + i);
    } else {  // filled up with values that weigh nothing
      v = all(-__builtin_inff());
      for (std::size_t j = 0; j < count; ++j) v[j] = x[i + j];
    }
    const Floats w = exp_of_negative((v - all(top)) * all(scale));
    sum += __builtin_convertvector(w, Doubles);
    if (weights == nullptr) continue;
    if (count == kLanes)
      *reinterpret_cast<LooseFloats*>(weights + i) = w;
    else
      for (std::size_t j = 0; j < count; ++j) weights[i + j] = w[j];
  }
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t j = 0; j < half; ++j) sum[j] += sum[j + half];
  return sum[0];
}

}  // namespace consort::CONSORT_LOGIT_LANES
