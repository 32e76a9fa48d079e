#include "models/tokenizer/utf8.h"

namespace consort {

namespace utf8_detail {

Utf8Char decode_multibyte(const unsigned char* p, std::size_t left) {
  const Utf8Char broken{kBrokenUtf8, 1};
  const auto continues = [&](std::size_t i) { return i < left && (p[i] & 0xC0) == 0x80; };
  const unsigned lead = p[0];
  if (lead < 0xC2 || lead > 0xF4 || !continues(1)) return broken;
  if (lead < 0xE0) return {((lead & 0x1F) << 6) | (p[1] & 0x3Fu), 2};
  if (!continues(2)) return broken;
  if (lead < 0xF0) {
    const char32_t code = ((lead & 0x0F) << 12) | ((p[1] & 0x3Fu) << 6) | (p[2] & 0x3Fu);
    if (code < 0x800 || (code >= 0xD800 && code < 0xE000)) return broken;
    return {code, 3};
  }
  if (!continues(3)) return broken;
  const char32_t code =
      ((lead & 0x07) << 18) | ((p[1] & 0x3Fu) << 12) | ((p[2] & 0x3Fu) << 6) | (p[3] & 0x3Fu);
  if (code < 0x10000 || code > 0x10FFFF) return broken;
  return {code, 4};
}

}  // namespace utf8_detail

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else if (code <= 0x10FFFF) {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::size_t utf8_length(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += utf8_at(text, at).bytes) ++count;
  return count;
}

}  // namespace consort
