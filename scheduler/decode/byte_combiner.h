// ByteCombiner: from the members' distributions of the next symbol to one, and from the symbol that came to
// the members' next weights. The per-step half of byteMixture and chunkMixture; symbols are bytes and the
// end, or chunks of a text when only the probability of what came is known.
//
//   linear  p = sum w_m p_m, constant weights
//   log     p ~ prod p_m ^ w_m, constant weights
//   bayes   p = sum w_m p_m; then w_m <- w_m p_m(x) / p(x), and w <- (1 - alpha) w + alpha / M (fixed share:
//   Herbster
//           and Warmuth 1998). Code length over T symbols, from equal weights: with alpha = 0 at most that of
//           the best member + log2 M bits; with alpha > 0 at most + log2 M - (T - 1) log2(1 - alpha + alpha /
//           M).
//   contrast  p ~ p_0 ^ (1 + beta) / p_1 ^ beta where p_0 is at least `cut` of its largest (Li et al. 2023,
//           in the form of O'Brien and Lewis 2023): what the expert knows beyond the amateur. Two members.
//   proxy   p ~ p_0 p_1 / p_2 (Liu et al. 2024): a model with what tuning made of a smaller one. Three
//           members: the model, the tuned one, the one before tuning.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "memory/base/status.h"

namespace consort {

enum class CombineRule { kLinear, kLog, kBayes, kContrast, kProxy };
std::string_view combine_rule_name(CombineRule rule);  // linear | log | bayes | contrast | proxy
bool is_mean(CombineRule rule);   // linear, bayes: of probabilities; the others multiply
bool has_roles(CombineRule rule);  // contrast, proxy: what a member does depends on its place
std::optional<CombineRule> combine_rule_of(std::string_view name);

struct CombinerOptions {
  CombineRule rule = CombineRule::kBayes;
  double alpha = 0.005;         // bayes: share that is dealt out anew at each symbol, 0 to 1
  std::vector<double> weights;  // one a member, >= 0; empty = equal; normalised
  // log, contrast, proxy: a member's least probability, so that what its covers gave up is no veto.
  double floor = 0;
  double beta = 0.5, cut = 0.1;  // contrast
};

// A value; one thread at a time.
class ByteCombiner {
 public:
  // Errors: kInvalid for no members, weights that do not fit, alpha out of range.
  static Result<ByteCombiner> create(CombinerOptions options, std::size_t members);

  // members[m]: its distribution; all of one size (those of dropped members are not looked at). Sums to 1
  // (all 0 where no member gives anything).
  std::vector<double> combine(std::span<const std::span<const double>> members) const;
  // The symbol came; log_probabilities[m]: ln p_m of it, -infinity allowed, NaN: the member says nothing and
  // keeps its weight. Returns ln p of the combination before the weights move: for linear and bayes.
  // REQUIRES: the rule is one of these.
  double observe(std::span<const double> log_probabilities);
  // Member `m` says nothing any more: the others take its weight over. REQUIRES: one stays, and the rule is a
  // mean (linear, log, bayes).
  void drop(std::size_t m);
  std::vector<double> exponents() const;  // of the members' probabilities, where the rule multiplies
  std::vector<double> weights() const;  // that the next symbol is combined with; sum to 1
  std::size_t members() const { return log_weights_.size(); }
  CombineRule rule() const { return options_.rule; }
  const CombinerOptions& options() const { return options_; }

 private:
  explicit ByteCombiner(CombinerOptions options) : options_(std::move(options)) {}
  CombinerOptions options_;
  std::vector<double> log_weights_;  // ln, so that a member can come back from far behind
  std::vector<bool> dropped_;
};

// The code length of a recorded sequence. log_probabilities[m][t]: ln p_m of the t-th symbol.
struct MixedCode {
  double nats = 0;
  std::vector<double> step_nats;             // [T]
  std::vector<std::vector<double>> weights;  // [T][members]: before each symbol
};
Result<MixedCode> mix_code(const std::vector<std::vector<double>>& log_probabilities,
                           const CombinerOptions& options);

// Constant weights of a linear pool by EM (monotone) on a recorded sequence; symbols about which a member says
// nothing (NaN) count for the others only. Ends when no other weights can be shorter by more than `gap` nats in
// all (the likelihood is concave, so its gradient bounds that), or after 2e8 multiplications.
std::vector<double> fit_linear_weights(const std::vector<std::vector<double>>& log_probabilities,
                                       double gap = 1e-7);

}  // namespace consort
