// Choosing members by a caller's value function over subsets, with "no ensemble" as an allowed answer.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::fitting {

// The value of a set of members (places, ascending), higher is better; a pure function. Called with the empty
// set by Shapley values only.
using SubsetValue = std::function<double(std::span<const std::size_t> members)>;

struct Selection {
  std::vector<std::size_t> members;  // in the order they were taken; one: no ensemble beats the best single
  std::vector<double> values;        // after each
  std::size_t tried = 0;             // sets that were valued: print it, selection inflates the winner
};

// Greedy forward selection (Caruana et al. 2004, without repetition): starts at the best single member, adds
// the member that raises the value most while that is more than `least_gain`. Ties to the lower place. Value
// on fit items only, never on the test split. Errors: kInvalid for no members, a negative least_gain, a value
// that is NaN.
Result<Selection> greedy_selection(std::size_t members, const SubsetValue& value, double least_gain = 0);

}  // namespace consort::fitting
