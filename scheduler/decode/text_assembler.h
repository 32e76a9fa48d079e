// TextAssembler: from tokens to text. Finds stop strings wherever token borders fall, and holds back what is
// not final yet: bytes that may begin a stop string, and the start of a UTF-8 character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/base/status.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

inline constexpr std::size_t kMaxStops = 64;
inline constexpr std::size_t kMaxStopBytes = 1024;

// Errors: kInvalid for an empty stop string, one above kMaxStopBytes, or more than kMaxStops.
Status check_stops(const std::vector<std::string>& stops);

// The length of the front of `text` that ends between UTF-8 characters (invalid bytes count as characters).
std::size_t complete_utf8(std::string_view text);

// Owned by one sequence; one thread at a time.
class TextAssembler {
 public:
  explicit TextAssembler(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Adds a token. Returns true when a stop string is complete: text() then ends before the earliest one, and
  // tokens that begin behind it are forgotten.
  bool add(TokenId id, std::string_view bytes);
  // What became final since the last call; `all`: everything that is left.
  struct Piece {
    std::string_view text;  // valid until the next call
    std::vector<TokenId> ids;
  };
  Piece take(bool all);

  const std::string& text() const { return text_; }
  const std::vector<TokenId>& ids() const { return ids_; }

 private:
  std::size_t final_length() const;

  std::vector<std::string> stops_;
  std::string text_;
  std::vector<TokenId> ids_;
  std::vector<std::size_t> starts_;  // of each id in text_
  std::size_t taken_bytes_ = 0, taken_ids_ = 0;
};

}  // namespace consort
