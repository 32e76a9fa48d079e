// What each member is worth to an ensemble, by a caller's value function over subsets (a function of the
// stored table: no inference).
#pragma once

#include <cstdint>

#include "agents/ensemble/fitting/selection.h"

namespace consort::fitting {

// value(all) - value(all without m), a member. Errors: kInvalid for fewer than two members, NaN.
Result<std::vector<double>> leave_one_out(std::size_t members, const SubsetValue& value);

inline constexpr std::size_t kMostExactShapley = 12;  // 4,096 subsets

struct Shapley {
  std::vector<double> values;           // sum = value(all) - value(none), up to rounding
  std::vector<double> standard_errors;  // of the sampling; 0 when exact
  bool exact = false;
  std::size_t tried = 0;  // distinct sets valued when exact, calls otherwise
};

// Shapley values (Shapley 1953): exact for up to 12 members, each subset valued once; beyond that the mean
// over `permutations` seeded orders and their reverses (Castro et al. 2009; antithetic: Mitchell et al.
// 2022). value({}) is asked and must be finite: what is scored without any member. Errors: kInvalid for no
// members, fewer than four orders when sampling, values that are not finite.
Result<Shapley> shapley_values(std::size_t members, const SubsetValue& value, int permutations = 1000,
                               std::uint64_t seed = 0);

}  // namespace consort::fitting
