#include "scheduler/expression/lexer.h"

#include <charconv>

#include "scheduler/value/utf8.h"

namespace consort::jq {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t name_end(std::string_view s, std::size_t at) {
  while (at < s.size() && (is_letter(s[at]) || is_digit(s[at]))) ++at;
  return at;
}

// Longest first.
constexpr std::string_view kPunctuation[] = {"?//=", "?//", "//=", "..", "|=", "+=", "-=", "*=", "/=",
                                             "%=",   "==",  "!=",  "<=", ">=", "//", ".",  "[",  "]",
                                             "(",    ")",   "{",   "}",  "|",  ",",  ":",  ";",  "+",
                                             "-",    "*",   "/",   "%",  "<",  ">",  "?",  "="};

std::size_t number_end(std::string_view s, std::size_t at) {
  while (at < s.size() && is_digit(s[at])) ++at;
  if (at < s.size() && s[at] == '.') {
    ++at;
    while (at < s.size() && is_digit(s[at])) ++at;
  }
  if (at < s.size() && (s[at] == 'e' || s[at] == 'E')) {
    std::size_t exponent = at + 1;
    if (exponent < s.size() && (s[exponent] == '+' || s[exponent] == '-')) ++exponent;
    if (exponent < s.size() && is_digit(s[exponent])) {
      while (exponent < s.size() && is_digit(s[exponent])) ++exponent;
      at = exponent;
    }
  }
  return at;
}

Result<Value> number_value(std::string_view text) {
  std::int64_t whole = 0;
  const char *first = text.data(), *last = text.data() + text.size();
  if (const auto [end, code] = std::from_chars(first, last, whole); code == std::errc() && end == last) {
    return Value(whole);
  }
  double number = 0;
  const std::string padded = text[0] == '.' ? "0" + std::string(text) : std::string(text);
  const auto [end, code] = std::from_chars(padded.data(), padded.data() + padded.size(), number);
  if (code == std::errc::result_out_of_range) {
    return fail(ErrorKind::kInvalid, "the number " + padded + " is beyond the range of a double");
  }
  if (code != std::errc() || end != padded.data() + padded.size()) {
    return fail(ErrorKind::kInvalid, "malformed number " + padded);
  }
  return Value(number);
}

}  // namespace

void Lexer::skip_space() {
  while (at < source.size()) {
    const char c = source[at];
    if (c == '#') {
      while (at < source.size() && source[at] != '\n') ++at;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at;
    } else {
      return;
    }
  }
}

Result<Token> Lexer::next(std::uint32_t& error_position) {
  skip_space();
  Token token;
  token.position = error_position = static_cast<std::uint32_t>(at);
  if (at >= source.size()) return token;
  const char c = source[at], after = at + 1 < source.size() ? source[at + 1] : '\0';
  const auto name = [&](TokenKind kind, std::size_t skip) {
    const std::size_t end = name_end(source, at + skip);
    token.kind = kind;
    token.text = source.substr(at + skip, end - at - skip);
    at = end;
    return token;
  };
  if (is_letter(c)) return name(TokenKind::kIdentifier, 0);
  if (c == '.' && is_letter(after)) return name(TokenKind::kField, 1);
  if (c == '$' && is_letter(after)) return name(TokenKind::kVariable, 1);
  if (c == '@' && is_letter(after)) return name(TokenKind::kFormat, 1);
  if (is_digit(c) || (c == '.' && is_digit(after))) {
    const std::size_t end = number_end(source, at);
    CONSORT_TRY(value, number_value(source.substr(at, end - at)));
    token.kind = TokenKind::kNumber;
    token.text = source.substr(at, end - at);
    token.value = value;
    at = end;
    return token;
  }
  if (c == '"') {
    token.kind = TokenKind::kQuote;
    token.text = source.substr(at, 1);
    ++at;
    return token;
  }
  for (const std::string_view p : kPunctuation) {
    if (source.substr(at, p.size()) == p) {
      token.kind = TokenKind::kPunctuation;
      token.text = source.substr(at, p.size());
      at += p.size();
      return token;
    }
  }
  std::size_t end = at;
  char32_t code_point = 0;
  if (!utf8::decode(source, end, code_point)) {
    return fail(ErrorKind::kInvalid, "the expression is not UTF-8");
  }
  return fail(ErrorKind::kInvalid, "unexpected character '" + std::string(source.substr(at, end - at)) + "'");
}

}  // namespace consort::jq
