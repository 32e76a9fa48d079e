// Platt scaling of one score: p = sigmoid(slope * score + offset), with Platt's smoothed targets.
#pragma once

#include <cstdint>
#include <span>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct Platt {
  double slope = 0, offset = 0;
  double nll = 0;  // nats an item, of the smoothed targets
  int iterations = 0;
  double probability(double score) const;
};

// Newton with step halving on the targets (n+ + 1)/(n+ + 2) and 1/(n- + 2) (Platt 1999; Lin, Lin, Weng 2007).
// positive: 0 or 1. Errors: kInvalid for no items, unequal sizes, scores that are not finite, other marks
// than 0 and 1, a class without items.
Result<Platt> fit_platt(std::span<const double> scores, std::span<const std::uint8_t> positive);

}  // namespace consort::fitting
