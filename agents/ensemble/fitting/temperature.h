// Temperature scaling: one number a member, fitted on held-out items (Guo et al. 2017; research note A2).
#pragma once

#include <cstdint>
#include <span>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct Temperature {
  double temperature = 1;
  double nll_before = 0, nll_after = 0;  // nats an item, at 1 and at `temperature`
  bool at_edge = false;  // the best lies at an end of [0.05, 20]: the data say "more" than is allowed
};

// Minimises mean -ln softmax(logits / T)[truth] over ln T in [ln 0.05, ln 20] by golden section (40 steps;
// the loss is convex in 1/T, so it has one minimum). logits: [items, classes], any finite scores (ln p will
// do); truth: [items]. Errors: kInvalid for no items, values that are not finite, wrong labels.
Result<Temperature> fit_temperature(MatrixView logits, std::span<const std::int32_t> truth);

// ln softmax(logits / temperature), row by row. Errors: kInvalid for values that are not finite or a
// temperature that is not positive.
Result<Matrix> apply_temperature(MatrixView logits, double temperature);

}  // namespace consort::fitting
