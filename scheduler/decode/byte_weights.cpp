#include "scheduler/decode/byte_weights.h"

#include <cmath>

#include "scheduler/decode/logit_math.h"

namespace consort {

double byte_weights(std::span<const float> logits, double temperature, SamplerScratch& scratch) {
  scratch.weights.resize(logits.size());
  const float top = largest(logits);
  if (!std::isfinite(top)) {
    std::fill(scratch.weights.begin(), scratch.weights.end(), 0.0F);
    return 0;
  }
  return exponentials(logits, top, static_cast<float>(1 / temperature), scratch.weights, scratch.blocks);
}

}  // namespace consort
