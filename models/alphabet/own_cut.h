// OwnCut: the tokenizer's own tokens of a text that still grows, parted where its last word begins. What stands
// before a word does not change any more when bytes come behind it; the cut of the word itself may.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace consort {

struct OwnToken {
  TokenId id = -1;
  std::uint32_t bytes = 0;
};

struct OwnCut {
  std::vector<TokenId> before;
  std::vector<OwnToken> word;  // the last one, with white space around it: at most 48 bytes and a token more
  std::size_t word_bytes = 0;
};

// An empty word: the tokens say other bytes than the text does.
OwnCut own_cut(const Tokenizer& tokenizer, std::string_view text);

}  // namespace consort
