// RowDoubt: how sure a model is of the next token, from its row of logits. Pure; any thread.
#pragma once

#include <span>

#include "models/tokenizer/tokenizer.h"
#include "scheduler/decode/sampler.h"

namespace consort {

struct RowDoubt {
  double entropy = 0;            // nats
  double first = 0, second = 0;  // probabilities of the two likeliest tokens
  TokenId likeliest = -1;        // the least id where several are alike; -1: no logit is finite
};

// Overwrites scratch.weights.
RowDoubt row_doubt(std::span<const float> logits, SamplerScratch& scratch);

}  // namespace consort
