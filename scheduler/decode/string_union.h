// One step of UniTE (Yao et al. 2024, "Determine-Then-Ensemble: Necessity of Top-k Union for Large Language
// Model Ensembling"): members of any tokenizers agree on the next string among their likeliest tokens'
// strings. It is an approximation: a string that is no token of a member counts there with the probability of
// its first token, so strings that a member would cut are overrated, and what no member has among its
// likeliest is lost. byte_combiner is exact. Pure functions; any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "scheduler/host/requests.h"

namespace consort {

// The strings of all members, each once, ascending by bytes; the end, which is the empty string, comes first.
std::vector<std::string> string_union(std::span<const std::vector<NextString>> members);

// A member's distribution over the union: the softmax of its log-probabilities over `temperature` (> 0).
// All 0 where none is finite.
std::vector<double> over_union(std::span<const double> logprobs, double temperature);

// sum w_m p_m over members [members][strings] with weights that sum to 1; rows of weight 0 are not looked at.
std::vector<double> mix_over_union(std::span<const std::vector<double>> members,
                                   std::span<const double> weights);

// The likeliest string, the first by bytes of equals. REQUIRES: not empty.
std::size_t likeliest_of(std::span<const double> p);
// The one that `uniform`, in [0, 1), falls on by the cumulative sum. REQUIRES: some p > 0.
std::size_t drawn_of(std::span<const double> p, double uniform);

}  // namespace consort
