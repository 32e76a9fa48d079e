// The printable stand-ins of GPT-2's byte alphabet (encoder.py, bytes_to_unicode): which byte a character of
// a vocabulary stands for.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "models/tokenizer/utf8.h"

namespace consort {

class ByteAlphabet {
 public:
  ByteAlphabet() {
    bytes_.fill(-1);
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool itself = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      bytes_[itself ? static_cast<std::size_t>(byte) : next++] = static_cast<std::int16_t>(byte);
    }
  }
  // Writes the bytes that `text` stands for; false when a character is not of the alphabet.
  bool decode(std::string_view text, std::string& out) const {
    out.clear();
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Char c = utf8_at(text, at);
      if (c.code >= bytes_.size() || bytes_[c.code] < 0) return false;
      out.push_back(static_cast<char>(bytes_[c.code]));
      at += c.bytes;
    }
    return true;
  }

 private:
  std::array<std::int16_t, 324> bytes_;  // 256 + the 68 bytes that are not printable
};

}  // namespace consort
