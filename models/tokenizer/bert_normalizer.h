// What uncased BERT does to a text before WordPiece, and where it cuts words. Stateless; any thread.
// Order (README of the encoder goldens; Devlin 2018's BasicTokenizer as Hugging Face implements it): drop
// control characters, turn white space into spaces, put spaces around ideographs, decompose (NFD) and drop
// marks, lower case, split at spaces, every punctuation character alone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace consort {

// Words in order, normalised, one behind the other in `text`: word i is [ends[i - 1] (or 0), ends[i]).
struct BertWords {
  std::string text;
  std::vector<std::size_t> ends;
};
// Any bytes are accepted; those that are not UTF-8 are dropped, as U+FFFD is.
BertWords bert_words(std::string_view text);

}  // namespace consort
