// UTF-8 over byte strings, as JSON, expressions and schemas need it. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace consort::utf8 {

inline constexpr char32_t kReplacement = 0xFFFD;

// Reads the code point at text[at] and moves `at` behind it. Returns false and leaves `at` alone when the
// bytes are not well-formed UTF-8 (overlong, surrogate, above U+10FFFF, cut off). REQUIRES: at < text.size().
bool decode(std::string_view text, std::size_t& at, char32_t& code_point);
void append(std::string& out, char32_t code_point);  // REQUIRES: a scalar value; others become U+FFFD
bool valid(std::string_view text);
// Offset of the first byte that is not part of well-formed UTF-8, or npos.
std::size_t find_invalid(std::string_view text);
// Code points; every byte that is not well-formed counts as one.
std::size_t length(std::string_view text);
// Byte offset of code point `index`, or text.size() when there are fewer.
std::size_t offset_of(std::string_view text, std::size_t index);

}  // namespace consort::utf8
