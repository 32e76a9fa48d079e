// One row of logits read as strings of bytes instead of tokens. Pure functions; any thread.
#pragma once

#include <span>
#include <vector>

#include "models/alphabet/byte_vocabulary.h"
#include "scheduler/host/requests.h"

namespace consort {

// The strings of the likeliest tokens, `top` different ones or as many as there are; the end, which is the
// empty string and all tokens that end a generation together, takes the last one's place where it is
// likelier. A string has the probability of all tokens with its bytes. Likeliest first, equals by bytes.
// `log_sum`: log_sum_exp(logits).
std::vector<NextString> likeliest_strings(std::span<const float> logits, double log_sum,
                                          const ByteVocabulary& vocabulary, int top);

// ln P(one of `ids`); -infinity for none.
double joint_logprob(std::span<const float> logits, double log_sum, std::span<const TokenId> ids);

// The tokens with exactly these bytes, for the empty string those that end a generation; ascending by id.
std::vector<TokenId> tokens_of_string(const ByteVocabulary& vocabulary, std::string_view bytes);

}  // namespace consort
