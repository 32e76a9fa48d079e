// Cuts a template into text and tags (trim_blocks, lstrip_blocks, -/+ marks) and tags into tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace consort::jinja {

struct Chunk {
  enum class Kind { kText, kOutput, kStatement } kind;
  std::string text;  // text as it prints, or a tag's inside
  int line = 1, column = 1;
};
std::vector<Chunk> cut_template(std::string_view source);  // throws ParseError

struct Token {
  enum class Kind { kName, kString, kInteger, kFloat, kOperator, kEnd } kind = Kind::kEnd;
  std::string text;  // decoded for strings
  int line = 1, column = 1;
};
std::vector<Token> cut_tag(const Chunk& chunk);  // ends with kEnd; throws ParseError

}  // namespace consort::jinja
