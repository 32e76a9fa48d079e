#include "scheduler/decode/logit_math.h"

#include <algorithm>
#include <cstring>

#include "scheduler/decode/logit_passes.h"

namespace consort {
namespace {

constexpr std::size_t kLanes = 4;
typedef float Floats __attribute__((vector_size(16)));
typedef std::int32_t Ints __attribute__((vector_size(16)));

Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
Floats all(float x) {
  return Floats{x, x, x, x};
}

double weigh(std::span<const float> logits, float top, float scale, float* weights) {
  return CONSORT_ISA_CALL(best_isa(), weigh_logits, logits.data(), logits.size(), top, scale, weights);
}

}  // namespace

float largest(std::span<const float> logits) {
  return CONSORT_ISA_CALL(best_isa(), largest_logit, logits.data(), logits.size());
}

std::size_t index_of(std::span<const float> logits, float value) {
  return CONSORT_ISA_CALL(best_isa(), find_logit, logits.data(), logits.size(), value);
}

double exponentials(std::span<const float> logits, float top, float scale, std::span<float> weights,
                    std::vector<double>& blocks) {
  blocks.clear();
  double total = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kWeightBlock) {
    const std::size_t count = std::min(kWeightBlock, logits.size() - begin);
    blocks.push_back(weigh(logits.subspan(begin, count), top, scale, weights.data() + begin));
    total += blocks.back();
  }
  return total;
}

double sum_of_exponentials(std::span<const float> logits, float top) {
  double total = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kWeightBlock)
    total += weigh(logits.subspan(begin, std::min(kWeightBlock, logits.size() - begin)), top, 1.0f, nullptr);
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
