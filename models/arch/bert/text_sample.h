// From texts and pairs to token ids with [CLS] and [SEP], cut to the model's limit. Source: transformers'
// BERT tokenizer (build_inputs_with_special_tokens; truncation longest_first). As there, the text "[SEP]"
// inside a text is that token.
#pragma once

#include <string_view>
#include <vector>

#include "models/network/network.h"
#include "models/tokenizer/tokenizer.h"

namespace consort::bert {

class TextSample final : public Sample {
 public:
  std::vector<TokenId> ids;
  int second = 0;  // first position of segment 1 (the passage of a pair); = tokens for single texts
};

// A text longer than `limit` keeps its first limit - 1 tokens and its last ([SEP]).
TextSample single_text(const Tokenizer& tokenizer, std::string_view text, int limit);

// [CLS] query [SEP] passage [SEP]. Room is limit - 3: of a pair that is longer the longer side is cut, then
// both to about half (the passage keeps the odd token). Errors: kInvalid when the tokenizer has no [CLS] and
// [SEP].
Result<TextSample> text_pair(const Tokenizer& tokenizer, std::string_view query, std::string_view passage,
                             int limit);

// How many tokens of each side stay.
struct PairCut {
  std::size_t query, passage;
};
PairCut cut_pair(std::size_t query, std::size_t passage, std::size_t room);

}  // namespace consort::bert
