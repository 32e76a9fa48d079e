// When enough samples have voted (self-consistency; research note A1).
#pragma once

#include <cstddef>
#include <span>

#include "memory/base/status.h"

namespace consort::fitting {

// P(theta_1 > theta_2) for Beta(first + 1, second + 1), the belief about the leader's share against the
// runner up's after that many votes (Aggarwal et al. 2023, Adaptive-Consistency): exact binomial tail.
double leader_probability(std::size_t first, std::size_t second);

struct StopAdvice {
  bool stop = false;
  double probability = 0;  // adaptive: of the leader; majority: 1 or 0
};
// Adaptive-Consistency: stop when leader_probability of the two largest counts exceeds `threshold`. counts:
// votes of each distinct answer, any order, not empty of votes. Errors: kInvalid for no votes, a threshold
// outside (0.5, 1).
Result<StopAdvice> adaptive_stop(std::span<const std::size_t> counts, double threshold = 0.95);
// Majority then stop: stop when the runner up cannot catch up even with all `remaining` votes (a tie counts
// as caught up). Exact and free. Errors: kInvalid for no votes.
Result<StopAdvice> majority_stop(std::span<const std::size_t> counts, std::size_t remaining);

}  // namespace consort::fitting
