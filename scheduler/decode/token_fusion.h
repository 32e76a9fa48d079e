// Token fusion: one step of several members that share a vocabulary, from their rows of logits to one row. The
// members' weights and how they move are ByteCombiner's; this is its arithmetic over 100,000 and more tokens,
// in float32 with float64 sums. Pure functions; any thread.
#pragma once

#include <span>
#include <vector>

#include "models/tokenizer/tokenizer.h"
#include "scheduler/decode/byte_combiner.h"
#include "scheduler/decode/sampler.h"
#include "scheduler/decode/step_signals.h"

namespace consort {

// What one member says about the next token. Reused from step to step.
struct FusedRow {
  std::vector<float> scores;   // [vocab]: logits / temperature; NaN is -infinity
  std::vector<float> weights;  // [vocab]: exp(score - largest)
  double sum = 0;              // of the weights
  double log_sum = 0;          // ln(sum(exp(score)))
  double entropy = 0;          // nats
  TokenId likeliest = 0;
};

// Errors: kRuntime when no logit is finite.
Status read_fused_row(std::span<const float> logits, double temperature, SamplerScratch& scratch,
                      FusedRow& out);

// ln p of every token under the combination, but for a constant, into `out` [vocab]. REQUIRES: rows of one
// length, one a member of `combiner`.
void fuse_rows(std::span<const FusedRow* const> rows, const ByteCombiner& combiner, std::vector<float>& out);

// ln p_m(id)
double fused_log_probability(const FusedRow& row, TokenId id);

// Doubt about this step. `fused`: from fuse_rows; members with roles (contrast, proxy) count alike in the
// disagreement.
StepSignals measure_fusion(std::span<const FusedRow* const> rows, const ByteCombiner& combiner,
                           std::span<const float> fused, SamplerScratch& scratch);

}  // namespace consort
