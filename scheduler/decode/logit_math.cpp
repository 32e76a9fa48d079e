#include "scheduler/decode/logit_math.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>

namespace consort {
namespace {

constexpr std::size_t kLanes = 4;
typedef float Floats __attribute__((vector_size(16)));
typedef std::int32_t Ints __attribute__((vector_size(16)));
typedef double Doubles __attribute__((vector_size(32)));

Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

Floats all(float x) {
  return Floats{x, x, x, x};
}

// exp(x) for x <= 0: x = n ln 2 + r, |r| <= ln 2 / 2, exp(r) by Cephes' expf polynomial (Moshier 1992), 2^n
// by its exponent bits. 0 where x < -87 (2^n would leave the normal range) and where x is NaN.
Floats exp_of_negative(Floats x) {
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

double sum_lanes(const Doubles& sum) {
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// The last, incomplete vector, filled up with values that weigh nothing.
std::array<float, kLanes> tail_of(std::span<const float> logits) {
  std::array<float, kLanes> tail;
  tail.fill(-std::numeric_limits<float>::infinity());
  const std::size_t whole = logits.size() / kLanes * kLanes;
  std::copy(logits.begin() + static_cast<std::ptrdiff_t>(whole), logits.end(), tail.begin());
  return tail;
}

// Calls use(offset, weights of the vector there, count) for each vector of the row.
template <typename Use>
void for_each_weight(std::span<const float> logits, float top, float scale, Use use) {
  const std::size_t whole = logits.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    use(i, exp_of_negative((load(logits.data() + i) - all(top)) * all(scale)), kLanes);
  if (whole == logits.size()) return;
  const auto tail = tail_of(logits);
  use(whole, exp_of_negative((load(tail.data()) - all(top)) * all(scale)), logits.size() - whole);
}

}  // namespace

float largest(std::span<const float> logits) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  std::array<Floats, 4> best;
  best.fill(all(kLowest));
  const std::size_t stride = kLanes * best.size(), whole = logits.size() / stride * stride;
  for (std::size_t i = 0; i < whole; i += stride)
    for (std::size_t j = 0; j < best.size(); ++j) {
      const Floats x = load(logits.data() + i + j * kLanes);
      best[j] = x > best[j] ? x : best[j];
    }
  float top = kLowest;
  for (const Floats& lanes : best)
    for (std::size_t lane = 0; lane < kLanes; ++lane) top = std::max(top, lanes[lane]);
  for (std::size_t i = whole; i < logits.size(); ++i)
    if (logits[i] > top) top = logits[i];
  return top;
}

double exponentials(std::span<const float> logits, float top, float scale, std::span<float> weights,
                    std::vector<double>& blocks) {
  blocks.clear();
  double total = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kWeightBlock) {
    const std::size_t count = std::min(kWeightBlock, logits.size() - begin);
    Doubles sum{};
    float* const out = weights.data() + begin;
    for_each_weight(logits.subspan(begin, count), top, scale, [&](std::size_t at, Floats w, std::size_t n) {
      std::memcpy(out + at, &w, n * sizeof(float));
      sum += __builtin_convertvector(w, Doubles);
    });
    blocks.push_back(sum_lanes(sum));
    total += blocks.back();
  }
  return total;
}

double sum_of_exponentials(std::span<const float> logits, float top) {
  double total = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kWeightBlock) {
    Doubles sum{};
    for_each_weight(logits.subspan(begin, std::min(kWeightBlock, logits.size() - begin)), top, 1.0f,
                    [&](std::size_t, Floats w, std::size_t) { sum += __builtin_convertvector(w, Doubles); });
    total += sum_lanes(sum);
  }
  return total;
}

double gather_at_least(std::span<const float> weights, float least, std::vector<std::uint32_t>& ids) {
  constexpr std::size_t kStep = 4 * kLanes;
  double mass = 0;
  const auto look = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      if (weights[i] >= least) {
        ids.push_back(static_cast<std::uint32_t>(i));
        mass += weights[i];
      }
  };
  std::size_t i = 0;
  for (; i + kStep <= weights.size(); i += kStep) {
    const float* p = weights.data() + i;
    const Ints hit = (load(p) >= all(least)) | (load(p + 4) >= all(least)) | (load(p + 8) >= all(least)) |
                     (load(p + 12) >= all(least));
    std::uint64_t halves[2];
    std::memcpy(halves, &hit, sizeof hit);
    if ((halves[0] | halves[1]) != 0) look(i, i + kStep);
  }
  look(i, weights.size());
  return mass;
}

}  // namespace consort
