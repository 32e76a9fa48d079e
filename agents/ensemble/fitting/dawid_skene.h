// Accuracies of members from their answers alone, without labels: the one-coin model of Dawid and Skene
// (1979), by expectation maximisation (research note A1). It fails where a majority shares one bias: report
// it beside plurality, never instead.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct DawidSkeneOptions {
  double answers = 0;  // K, how many answers an item could have; 0: the distinct ones it got, at least 2
  int max_iterations = 50;
  double tolerance = 1e-9;  // stop when no accuracy moves by more
};

struct DawidSkene {
  std::vector<double> accuracy;                // a member, within [0.02, 0.98]
  std::vector<std::vector<double>> posterior;  // [item][answer], over answers 0 .. largest of the item
  std::vector<std::int32_t> answer;            // the likeliest of each item; ties to the one with more votes,
                                               // then to the lower number; -1 where all abstained
  int iterations = 0;
  bool converged = false;
};

// answers: [items][members], numbers of distinct answers within the item from 0, -1 where a member abstained
// (no evidence). E: q_i(a) ~ prod_m p_m if a_mi = a, else (1 - p_m)/(K_i - 1). M: p_m = mean_i q_i(a_mi) over
// its answers. Starts from plurality (ties share).
// Feed `accuracy` as members' `validation` to the strategy weightedVote (weighting naiveBayes): with fixed K
// it then votes as the E step does. Errors: kInvalid for no items, unequal members, numbers below -1, K below
// 2 (but 0), a member that never answered.
Result<DawidSkene> fit_dawid_skene(std::span<const std::vector<std::int32_t>> answers,
                                   const DawidSkeneOptions& options = {});

}  // namespace consort::fitting
