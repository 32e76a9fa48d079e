// Sampler: from one row of logits to one token id. A pure function of (options, history, logits, position):
// randomness is a counter-based generator of (seed, position), so a result never depends on neighbours in the
// batch, on threads or on the order of calls.
//
// Order of the steps (each works on what the one before left):
//   1. logit bias            l[id] += bias
//   2. repetition penalty    for every id of prompt or output: l > 0 ? l / r : l * r   (Keskar 2019, CTRL,
//   section 4.1)
//   3. presence, frequency   for every id of the output: l -= presence + frequency * count
//   4. temperature           0 = greedy: the largest logit, ties to the lower id, and nothing below applies
//   5. top-k                 the k largest (ties at the border: lower ids first)
//   6. top-p                 the smallest set of largest whose share of what top-k left reaches p (Holtzman
//   2020)
//   7. min-p                 those with at least min_p times the largest probability (Nguyen 2024)
//   8. draw                  inverse cumulative sum in id order with one uniform number of (seed, position)
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/host/requests.h"

namespace consort {

// Reusable buffers for one row of logits. Owned by whoever samples (one a lane thread); not thread-safe.
struct SamplerScratch {
  std::vector<float> adjusted;      // logits after bias and penalties
  std::vector<float> weights;       // exp((logit - max) / temperature)
  std::vector<double> blocks;       // sums of kWeightBlock weights each
  std::vector<std::uint32_t> kept;  // candidate ids, ascending
};

// Checks ranges: temperature finite and >= 0; top_k >= 0; 0 < top_p <= 1; 0 <= min_p <= 1; repetition_penalty
// > 0; penalties and biases finite; bias ids within the vocabulary. Errors: kInvalid naming the option.
Status check_sampling(const SamplingOptions& options, int vocab_size);

// The state of one sequence: options and what has been said so far. Owned by the sequence; one thread at a
// time.
class Sampler {
 public:
  // Errors: as check_sampling.
  static Result<Sampler> create(SamplingOptions options, int vocab_size);

  void add_prompt(std::span<const TokenId> ids);  // counts for the repetition penalty only
  void accept(TokenId id);                        // one token of the output

  // `logits`: one row [vocab_size] (a longer row is cut, so padded heads may be passed); NaN counts as
  // -infinity. `position`: index of the token to be drawn within its sequence (prompt included); same
  // position, same number. Errors: kRuntime when no logit is finite.
  Result<TokenId> sample(std::span<const float> logits, std::uint64_t position,
                         SamplerScratch& scratch) const;

  // How many of a row's largest logits sample() looks at, whatever was said so far; 0: at all of them.
  int largest_needed() const;

  bool greedy() const { return options_.temperature == 0; }
  const SamplingOptions& options() const { return options_; }

 private:
  Sampler(SamplingOptions options, int vocab_size);
  bool adjusts() const;
  void adjust(std::span<float> logits) const;

  SamplingOptions options_;
  int vocab_size_;
  std::unordered_set<TokenId> seen_;  // prompt and output; filled only when a penalty needs it
  std::unordered_map<TokenId, int> output_count_;
};

// Index of the largest value; ties to the lower index, NaN never wins; 0 when all are NaN or -infinity.
TokenId argmax(std::span<const float> logits);

// ln(sum(exp(logits))) with float32 exponentials and float64 sums; -infinity for an empty row.
double log_sum_exp(std::span<const float> logits);

// ln P(id) under temperature 1 and the unchanged logits, in nats. REQUIRES: 0 <= id < logits.size().
double log_probability(std::span<const float> logits, TokenId id);

// Uniform in [0, 1) with 53 bits, a function of its arguments only (Philox 4x32-10, Salmon 2011). `stream`
// separates independent uses at one position (0: the sampler).
double counter_uniform(std::uint64_t seed, std::uint64_t position, std::uint32_t stream = 0);

}  // namespace consort
