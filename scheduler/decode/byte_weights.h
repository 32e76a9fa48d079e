// From a row of logits to the weights that models/alphabet sums. Pure; any thread.
#pragma once

#include <span>

#include "scheduler/decode/sampler.h"

namespace consort {

// scratch.weights[id] = exp((logits[id] - largest) / temperature); returns their sum, 0 when no logit is
// finite.
double byte_weights(std::span<const float> logits, double temperature, SamplerScratch& scratch);

}  // namespace consort
