// Reading UTF-8 one character at a time. Broken input is never an error: a byte that does not begin a
// well-formed sequence is a character of its own (Unicode 15.0, table 3-7: no overlong forms, no surrogates).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace consort {

struct Utf8Char {
  char32_t code;       // kBrokenUtf8 for a byte that is not UTF-8
  std::uint8_t bytes;  // 1..4
};

inline constexpr char32_t kBrokenUtf8 = 0x110000;

namespace utf8_detail {
Utf8Char decode_multibyte(const unsigned char* p, std::size_t left);
}

// The character at text[at]. REQUIRES: at < text.size().
inline Utf8Char utf8_at(std::string_view text, std::size_t at) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data()) + at;
  if (*p < 0x80) return {*p, 1};
  return utf8_detail::decode_multibyte(p, text.size() - at);
}

// Appends `code` as UTF-8; a code above U+10FFFF appends nothing.
void append_utf8(std::string& out, char32_t code);

// Number of characters, broken bytes counted as one each.
std::size_t utf8_length(std::string_view text);

}  // namespace consort
