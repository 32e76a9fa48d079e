// Tokens of jq's syntax, read on demand; string literals are left to the parser (they contain programs).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort::jq {

enum class TokenKind : std::uint8_t {
  kEnd,
  kNumber,       // value
  kIdentifier,   // text: names and keywords
  kField,        // .name; text without the dot
  kVariable,     // $name; text without the dollar
  kFormat,       // @name; text without the at
  kQuote,        // an opening quote; the reader stands behind it
  kPunctuation,  // text: . .. [ ] ( ) { } | , : ; + - * / % == != < <= > >= // ? and the refused ones
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
  Value value;
  std::uint32_t position = 0;
};

// Not a class with state of its own beyond the offset: the parser moves `at` itself inside strings.
struct Lexer {
  std::string_view source;
  std::size_t at = 0;

  // The next token; an unknown character is an error (position = its offset).
  Result<Token> next(std::uint32_t& error_position);

 private:
  void skip_space();
};

}  // namespace consort::jq
