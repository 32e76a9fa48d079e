// Pattern text to instructions (Thompson's construction).
#include <algorithm>
#include <charconv>

#include "scheduler/expression/regex_parser.h"
#include "scheduler/value/utf8.h"

namespace consort {
namespace {

constexpr int kMaxGroups = 100;
constexpr int kMaxRepeat = 1000;

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern, const RegexOptions& options) {
  return RegexParser(pattern, options).parse();
}

Result<Regex> RegexParser::parse() {
  if (s_.size() > Regex::kMaxPatternBytes) refuse("the regular expression is too long");
  if (!failed() && !utf8::valid(s_)) refuse("the regular expression is not UTF-8");
  regex_.word_ = word_set();
  const PiecePtr whole = failed() ? nullptr : alternation();
  if (!failed() && at_ < s_.size()) refuse("unmatched ')' in the regular expression");
  if (!failed()) {
    emit(*whole);
    put(Regex::Kind::kMatch);
  }
  if (failed()) return tl::unexpected<Error>(std::move(error_));
  return std::move(regex_);
}

std::nullptr_t RegexParser::refuse(std::string what, ErrorKind kind) {
  if (!failed_) {
    failed_ = true;
    error_ =
        Error{kind, std::move(what), "offset " + std::to_string(at_) + " of /" + std::string(s_) + "/", {}};
  }
  return nullptr;
}

bool RegexParser::read(char32_t& c) {
  return at_ < s_.size() && utf8::decode(s_, at_, c);
}

RegexParser::PiecePtr RegexParser::alternation() {
  auto first = sequence();
  if (failed() || peek() != '|') return first;
  auto piece = std::make_unique<Piece>();
  piece->kind = Piece::Kind::kOne;
  piece->parts.push_back(std::move(first));
  while (!failed() && peek() == '|') {
    ++at_;
    piece->parts.push_back(sequence());
  }
  return piece;
}

RegexParser::PiecePtr RegexParser::sequence() {
  auto piece = std::make_unique<Piece>();
  while (!failed() && at_ < s_.size() && peek() != '|' && peek() != ')') {
    if (regex_.options_.extended) {
      if (peek() == '#') {
        while (at_ < s_.size() && peek() != '\n') ++at_;
        continue;
      }
      if (std::string_view(" \t\n\r\f\v").find(peek()) != std::string_view::npos) {
        ++at_;
        continue;
      }
    }
    auto item = atom();
    if (!failed()) item = repeated(std::move(item));
    piece->parts.push_back(std::move(item));
  }
  return piece;
}

// {n} {n,} {n,m}; leaves at_ alone when the brace is no quantifier.
bool RegexParser::counts(int& least, int& most) {
  std::size_t at = at_ + 1;
  const auto number = [&](int& n) {
    const auto [end, code] = std::from_chars(s_.data() + at, s_.data() + s_.size(), n);
    if (code == std::errc::result_out_of_range) n = kMaxRepeat + 1;
    if (end == s_.data() + at || n < 0) return false;
    at = static_cast<std::size_t>(end - s_.data());
    return true;
  };
  if (!number(least)) return false;
  most = least;
  if (at < s_.size() && s_[at] == ',') {
    ++at;
    most = -1;
    if (at < s_.size() && s_[at] != '}' && !number(most)) return false;
  }
  if (at >= s_.size() || s_[at] != '}') return false;
  at_ = at + 1;
  if (least > kMaxRepeat || most > kMaxRepeat) refuse("a repetition above " + std::to_string(kMaxRepeat));
  if (most >= 0 && most < least) refuse("a repetition whose bounds are the wrong way round");
  return true;
}

RegexParser::PiecePtr RegexParser::repeated(PiecePtr item) {
  int least = 0, most = -1;
  switch (peek()) {
    case '*':
      ++at_;
      break;
    case '+':
      ++at_, least = 1;
      break;
    case '?':
      ++at_, most = 1;
      break;
    case '{':
      if (!counts(least, most)) return item;
      break;
    default:
      return item;
  }
  if (peek() == '?') {
    ++at_;  // lazy: the same language
  } else if (peek() == '+') {
    return refuse("possessive quantifiers are not supported", ErrorKind::kUnsupported);
  }
  if (peek() == '*' || peek() == '+' || peek() == '?') return refuse("a quantifier after a quantifier");
  auto piece = std::make_unique<Piece>();
  piece->kind = Piece::Kind::kRepeat;
  piece->least = least;
  piece->most = most;
  piece->parts.push_back(std::move(item));
  return piece;
}

RegexParser::PiecePtr RegexParser::set_piece(Regex::Set set) {
  auto piece = std::make_unique<Piece>();
  piece->kind = Piece::Kind::kSet;
  piece->set = static_cast<std::uint32_t>(regex_.sets_.size());
  regex_.sets_.push_back(std::move(set));
  return piece;
}

RegexParser::PiecePtr RegexParser::assertion(Regex::Assertion a) {
  auto piece = std::make_unique<Piece>();
  piece->kind = Piece::Kind::kAssert;
  piece->assertion = a;
  return piece;
}

RegexParser::PiecePtr RegexParser::atom() {
  const RegexOptions& options = regex_.options_;
  char32_t c = 0;
  if (!read(c)) return refuse("the regular expression ends early");
  switch (c) {
    case '(':
      return group();
    case '\\':
      return escape();
    case '*':
    case '+':
    case '?':
      return refuse("there is nothing to repeat");
    case '^':
      return assertion(Regex::Assertion::kBegin);
    case '$':
      return assertion(options.dollar_before_newline ? Regex::Assertion::kEndOrNewline
                                                     : Regex::Assertion::kEnd);
    case '[': {
      Regex::Set set;
      return bracket(set) ? set_piece(std::move(set)) : nullptr;
    }
    case '.': {
      Regex::Set set;
      set.negated = true;
      if (!options.dot_all) set.ranges.push_back({'\n', '\n'});
      if (!options.dot_all && !options.unicode_classes) {
        set.ranges.push_back({'\r', '\r'});
        set.ranges.push_back({0x2028, 0x2029});
      }
      return set_piece(std::move(set));
    }
    default:
      break;
  }
  Regex::Set set;
  set.ranges.push_back({c, c});
  return set_piece(std::move(set));
}

RegexParser::PiecePtr RegexParser::group() {
  if (++groups_ > kMaxGroups) return refuse("more than " + std::to_string(kMaxGroups) + " groups");
  if (peek() == '?') {
    ++at_;
    const char kind = peek(), after = at_ + 1 < s_.size() ? s_[at_ + 1] : '\0';
    if (kind == ':') {
      ++at_;
    } else if (kind == '<' && after != '=' && after != '!') {
      const std::size_t close = s_.find('>', at_);
      if (close == std::string_view::npos || close == at_ + 1)
        return refuse("a group's name must end with '>'");
      at_ = close + 1;
    } else {
      const bool look = kind == '=' || kind == '!' || kind == '<';
      return refuse(look ? "look-around is not supported"
                         : "this kind of group is not supported: only ( ), (?: ) and (?<name> )",
                    ErrorKind::kUnsupported);
    }
  }
  auto inner = alternation();
  if (failed()) return nullptr;
  if (peek() != ')') return refuse("a group is not closed");
  ++at_;
  return inner;
}

RegexParser::PiecePtr RegexParser::escape() {
  char32_t code = 0;
  if (!read(code)) return refuse("a backslash at the end of the regular expression");
  switch (code) {
    case 'b':
      return assertion(Regex::Assertion::kWord);
    case 'B':
      return assertion(Regex::Assertion::kNotWord);
    case 'A':
    case 'z':
    case 'Z':
      if (!regex_.options_.unicode_classes) break;  // not ECMA 262
      return assertion(code == 'A'   ? Regex::Assertion::kBegin
                       : code == 'z' ? Regex::Assertion::kEnd
                                     : Regex::Assertion::kEndOrNewline);
    default:
      break;
  }
  Regex::Set set;
  bool known = false;
  if (!class_escape(code, set, known)) return nullptr;
  if (!known) {
    char32_t c = 0;
    if (!escaped_character(code, c)) return nullptr;
    set.ranges.push_back({c, c});
  }
  return set_piece(std::move(set));
}

std::uint32_t RegexParser::put(Regex::Kind kind, std::uint32_t a, std::uint32_t b) {
  if (regex_.code_.size() >= Regex::kMaxInstructions) {
    refuse("the regular expression is too large");
    return 0;
  }
  regex_.code_.push_back({kind, Regex::Assertion::kBegin, a, b});
  return static_cast<std::uint32_t>(regex_.code_.size() - 1);
}

void RegexParser::emit(const Piece& piece) {
  if (failed()) return;
  auto& code = regex_.code_;
  switch (piece.kind) {
    case Piece::Kind::kSet:
      put(Regex::Kind::kSet, piece.set);
      return;
    case Piece::Kind::kAssert:
      code[put(Regex::Kind::kAssert)].assertion = piece.assertion;
      return;
    case Piece::Kind::kAll:
      for (const auto& part : piece.parts) emit(*part);
      return;
    case Piece::Kind::kRepeat:
      emit_repeat(piece);
      return;
    case Piece::Kind::kOne:
      break;
  }
  std::vector<std::uint32_t> ends;
  for (std::size_t i = 0; i < piece.parts.size() && !failed(); ++i) {
    const bool last = i + 1 == piece.parts.size();
    const std::uint32_t split = last ? 0 : put(Regex::Kind::kSplit);
    if (failed()) return;
    if (!last) code[split].a = split + 1;
    emit(*piece.parts[i]);
    if (last || failed()) break;
    ends.push_back(put(Regex::Kind::kJump));
    code[split].b = static_cast<std::uint32_t>(code.size());
  }
  for (const std::uint32_t end : ends) code[end].a = static_cast<std::uint32_t>(code.size());
}

void RegexParser::emit_repeat(const Piece& piece) {
  auto& code = regex_.code_;
  for (int i = 0; i < piece.least && !failed(); ++i) emit(*piece.parts[0]);
  if (piece.most < 0) {
    const std::uint32_t split = put(Regex::Kind::kSplit);
    if (failed()) return;
    emit(*piece.parts[0]);
    put(Regex::Kind::kJump, split);
    code[split].a = split + 1;
    code[split].b = static_cast<std::uint32_t>(code.size());
    return;
  }
  std::vector<std::uint32_t> splits;
  for (int i = piece.least; i < piece.most && !failed(); ++i) {
    splits.push_back(put(Regex::Kind::kSplit));
    if (failed()) return;
    code[splits.back()].a = splits.back() + 1;
    emit(*piece.parts[0]);
  }
  for (const std::uint32_t split : splits) code[split].b = static_cast<std::uint32_t>(code.size());
}

}  // namespace consort
