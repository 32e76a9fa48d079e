#pragma once

#include "kernels/activation/kernel.h"
#include "kernels/lanes/lanes.h"

namespace consort::CONSORT_LANES {

CONSORT_LANE_FN Lanes silu(Lanes x) {
  return mul(x, sigmoid(x));
}

// x/2 (1 + tanh u) = x / (1 + e^-2u).
CONSORT_LANE_FN Lanes gelu_tanh(Lanes x) {
  const Lanes cubic = fma(mul(mul(x, x), x), set1(0.044715f), x);
  return mul(x, sigmoid(mul(cubic, set1(2.0f * 0.7978845608028654f))));  // 2 sqrt(2 / pi)
}

// Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26: |error| <= 1.5e-7.
CONSORT_LANE_FN Lanes gelu_exact(Lanes x) {
  const Lanes z = mul(x, set1(0.70710678118654752f));
  const Lanes magnitude = max(z, sub(zero(), z));
  const Lanes t = div(set1(1.0f), fma(set1(0.3275911f), magnitude, set1(1.0f)));
  Lanes p = set1(1.061405429f);
  p = fma(p, t, set1(-1.453152027f));
  p = fma(p, t, set1(1.421413741f));
  p = fma(p, t, set1(-0.284496736f));
  p = fma(p, t, set1(0.254829592f));
  const Lanes tail = mul(mul(p, t), exp(sub(zero(), mul(z, z))));  // 1 - erf|z|
  // x > 0: x - x tail / 2; x < 0: x tail / 2. Both are max(x, 0) - |x| tail / 2.
  const Lanes half = mul(mul(max(x, sub(zero(), x)), tail), set1(0.5f));
  return sub(max(x, zero()), half);
}

template <Lanes (*kActivate)(Lanes)>
CONSORT_LANE_FN void gate_with(const float* gate, const float* up, float* out, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, mul(kActivate(load(gate + i)), load(up + i)));
  if (i < n) store_part(out + i, mul(kActivate(load_part(gate + i, n - i)), load_part(up + i, n - i)), n - i);
}

void gate_row(GateKind kind, const float* gate, const float* up, float* out, std::size_t n) {
  if (kind == GateKind::kSilu)
    gate_with<silu>(gate, up, out, n);
  else
    gate_with<gelu_tanh>(gate, up, out, n);
}

CONSORT_LANE_FN Lanes quick_gelu(Lanes x) {
  return mul(x, sigmoid(mul(x, set1(1.702f))));
}

template <Lanes (*kActivate)(Lanes)>
CONSORT_LANE_FN void activate_with(float* x, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(x + i, kActivate(load(x + i)));
  if (i < n) store_part(x + i, kActivate(load_part(x + i, n - i)), n - i);
}

void activate_row(Activation kind, float* x, std::size_t n) {
  if (kind == Activation::kQuickGelu)
    activate_with<quick_gelu>(x, n);
  else
    activate_with<gelu_tanh>(x, n);
}

void gelu_erf_row(float* x, const float* bias, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Lanes v = bias != nullptr ? add(load(x + i), load(bias + i)) : load(x + i);
    store(x + i, gelu_exact(v));
  }
  if (i == n) return;
  Lanes v = load_part(x + i, n - i);
  if (bias != nullptr) v = add(v, load_part(bias + i, n - i));
  store_part(x + i, gelu_exact(v), n - i);
}

}  // namespace consort::CONSORT_LANES
