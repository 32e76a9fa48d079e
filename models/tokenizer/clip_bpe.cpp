#include "models/tokenizer/clip_bpe.h"

#include <utf8proc.h>

#include <queue>

#include "models/tokenizer/utf8.h"

namespace consort {
namespace {

enum class Kind { kSpace, kLetter, kNumber, kOther };

Kind kind_of(char32_t c) {
  if (c >= kBrokenUtf8) return Kind::kOther;
  if (c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0) return Kind::kSpace;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Kind::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Kind::kNumber;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return Kind::kSpace;
    default:
      return Kind::kOther;
  }
}

// Composed (NFC) where the text is UTF-8, then lower case, character by character.
std::string normalised(std::string_view text) {
  std::string composed(text);
  utf8proc_uint8_t* made = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &made,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length >= 0) composed.assign(reinterpret_cast<const char*>(made), static_cast<std::size_t>(length));
  std::free(made);
  std::string out;
  for (std::size_t at = 0; at < composed.size();) {
    const Utf8Char c = utf8_at(composed, at);
    if (c.code >= kBrokenUtf8) {
      out += composed[at];
    } else if (c.code == 0x130) {  // the one letter whose lower case has two characters
      append_utf8(out, 'i');
      append_utf8(out, 0x307);
    } else {
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code))));
    }
    at += c.bytes;
  }
  return out;
}

std::size_t contraction(std::string_view text, std::size_t at) {
  for (const std::string_view c : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
    if (text.substr(at).starts_with(c)) return c.size();
  return 0;
}

// End of the word that begins at `at`, which is no space.
std::size_t word_end(std::string_view text, std::size_t at) {
  if (const std::size_t n = contraction(text, at); n > 0) return at + n;
  const Utf8Char first = utf8_at(text, at);
  const Kind kind = kind_of(first.code);
  at += first.bytes;
  if (kind == Kind::kNumber) return at;
  while (at < text.size()) {
    const Utf8Char c = utf8_at(text, at);
    if (kind_of(c.code) != kind) break;
    at += c.bytes;
  }
  return at;
}

}  // namespace

void ClipBpe::encode_ordinary(std::string_view text, bool, std::vector<TokenId>& out) const {
  const std::string plain = normalised(text);
  for (std::size_t at = 0; at < plain.size();) {
    const Utf8Char c = utf8_at(plain, at);
    if (kind_of(c.code) == Kind::kSpace) {
      at += c.bytes;
      continue;
    }
    const std::size_t end = word_end(plain, at);
    encode_word(std::string_view(plain).substr(at, end - at), out);
    at = end;
  }
}

// Merges by rank, lowest first, ties to the left; a queue, so that a word of a megabyte takes no square of
// its length.
void ClipBpe::encode_word(std::string_view word, std::vector<TokenId>& out) const {
  struct Symbol {
    TokenId id;
    std::ptrdiff_t previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::ptrdiff_t left;
    TokenId left_id, right_id, result;
    bool operator<(const Candidate& o) const { return rank != o.rank ? rank > o.rank : left > o.left; }
  };
  constexpr TokenId kGone = -2;
  const std::ptrdiff_t n = std::ssize(word);
  std::vector<Symbol> symbols(word.size());
  const auto at = [&](std::ptrdiff_t i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    at(i) = {i + 1 < n ? bytes_.inside[byte] : bytes_.last[byte], i - 1, i + 1 < n ? i + 1 : -1};
  }
  std::priority_queue<Candidate> queue;
  const auto consider = [&](std::ptrdiff_t left) {
    if (left < 0 || at(left).next < 0) return;
    const TokenId a = at(left).id, b = at(at(left).next).id;
    const MergeTable::Merge& merge = merges_.find(a, b);
    if (merge.rank != MergeTable::kEmpty) queue.push({merge.rank, left, a, b, merge.result});
  };
  for (std::ptrdiff_t i = 0; i + 1 < n; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& a = at(top.left);
    if (a.id != top.left_id || a.next < 0 || at(a.next).id != top.right_id) continue;
    Symbol& b = at(a.next);
    a.id = top.result;
    a.next = b.next;
    if (b.next >= 0) at(b.next).previous = top.left;
    b.id = kGone;
    consider(a.previous);
    consider(top.left);
  }
  for (std::ptrdiff_t i = 0; i >= 0 && i < n; i = at(i).next) {
    const TokenId id = at(i).id;
    if (id >= 0)
      out.push_back(id);
    else if (roles_.unknown)
      out.push_back(*roles_.unknown);
  }
}

}  // namespace consort
