// Softmax pieces for logits: what sampling, scoring and ensembles need from one row of a vocabulary.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/exec/exec.h"

namespace consort {

// ln sum e^x, stable; f64 sums over chunks of fixed size, so the value does not depend on threads.
// REQUIRES: x not empty. -inf entries count as 0; NaN anywhere gives NaN.
double log_sum_exp(Exec& exec, std::span<const float> x);

// out = x - log_sum_exp(x). out may be x.
void log_softmax(Exec& exec, std::span<const float> x, std::span<float> out);

struct ScoredId {
  std::int32_t id = 0;
  float score = 0;
};
// The k largest, by score descending, then id ascending. NaN never wins. k is capped at x.size().
std::vector<ScoredId> top_k(Exec& exec, std::span<const float> x, int k);

// The id of the largest entry; the smallest such id. REQUIRES: x not empty.
std::int32_t argmax(Exec& exec, std::span<const float> x);

namespace reference {
double log_sum_exp(std::span<const float> x);
std::vector<ScoredId> top_k(std::span<const float> x, int k);
}  // namespace reference

}  // namespace consort
