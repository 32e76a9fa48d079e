// The parser's class, shared by regex_parse.cpp and regex_classes.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/expression/regex.h"

namespace consort {

// Recursive descent to a small tree, then to code. Used once.
class RegexParser {
 public:
  RegexParser(std::string_view pattern, const RegexOptions& options) : s_(pattern) {
    regex_.options_ = options;
  }
  Result<Regex> parse();

 private:
  struct Piece;
  using PiecePtr = std::unique_ptr<Piece>;
  struct Piece {
    enum class Kind { kSet, kAssert, kAll, kOne, kRepeat } kind = Kind::kAll;
    std::uint32_t set = 0;
    Regex::Assertion assertion = Regex::Assertion::kBegin;
    int least = 0, most = 0;  // kRepeat; most < 0: no end
    std::vector<PiecePtr> parts;
  };

  PiecePtr alternation();
  PiecePtr sequence();
  PiecePtr repeated(PiecePtr item);
  bool counts(int& least, int& most);
  PiecePtr atom();
  PiecePtr group();
  PiecePtr escape();
  PiecePtr set_piece(Regex::Set set);
  PiecePtr assertion(Regex::Assertion a);
  bool bracket(Regex::Set& set);
  bool bracket_item(Regex::Set& set, char32_t& single, bool& is_single);
  bool class_escape(char32_t code, Regex::Set& set, bool& known);
  bool property(bool negated, Regex::Set& set);
  bool escaped_character(char32_t code, char32_t& c);
  bool hexadecimal(std::size_t digits, char32_t& c);
  void add_ranges(Regex::Set& set, std::vector<Regex::Range> ranges, bool negated);
  Regex::Set word_set() const;
  void emit(const Piece& piece);
  void emit_repeat(const Piece& piece);
  std::uint32_t put(Regex::Kind kind, std::uint32_t a = 0, std::uint32_t b = 0);
  bool read(char32_t& c);
  char peek() const { return at_ < s_.size() ? s_[at_] : '\0'; }
  std::nullptr_t refuse(std::string what, ErrorKind kind = ErrorKind::kInvalid);
  bool failed() const { return failed_; }

  std::string_view s_;
  std::size_t at_ = 0;
  int groups_ = 0;
  bool failed_ = false;
  Error error_;
  Regex regex_;
};

}  // namespace consort
