#include "models/alphabet/canonical_filter.h"

namespace consort {

// Whether encoding `text` gives `next` at [next_at, next_end) and `last` (when there is one) right before it.
bool CanonicalFilter::ends_with(std::string_view text, std::size_t next_at, std::size_t next_end,
                                TokenId last, TokenId next) const {
  const std::vector<TokenId> ids = tokenizer_.encode(text);
  // A tokenizer may put a space in front of a text: positions are counted from the end.
  std::size_t end = text.size();
  for (std::size_t i = ids.size(); i-- > 0;) {
    const std::size_t bytes = tokenizer_.token_bytes(ids[i]).size();
    if (bytes > end) return false;
    if (end == next_end) {
      if (ids[i] != next || end - bytes != next_at) return false;
      return last < 0 || (i > 0 && ids[i - 1] == last);
    }
    if (end < next_end) return false;
    end -= bytes;
  }
  return false;
}

bool CanonicalFilter::allows(std::span<const TokenId> before, TokenId next) const {
  if (before.size() > kWindow) before = before.last(kWindow);
  std::string text;
  for (const TokenId id : before) text += tokenizer_.token_bytes(id);
  const std::string own = tokenizer_.token_bytes(next);
  const std::size_t at = text.size(), end = at + own.size();
  text += own;
  const TokenId last = before.empty() ? -1 : before.back();
  if (ends_with(text, at, end, last, next)) return true;
  const char tail = own.empty() ? 'a' : own.back();
  return is_white(tail) && ends_with(text + "a", at, end, last, next);
}

}  // namespace consort
