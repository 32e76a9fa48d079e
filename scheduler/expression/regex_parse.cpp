// Pattern text to instructions (Thompson's construction).
#include <algorithm>
#include <charconv>
#include <memory>

#include <utf8proc.h>

#include "scheduler/expression/regex.h"
#include "scheduler/value/utf8.h"

namespace consort {
namespace {

constexpr char32_t kLast = 0x10FFFF;
constexpr int kMaxGroups = 100;
constexpr int kMaxRepeat = 1000;

constexpr std::uint32_t bit(int category) {
  return 1u << category;
}
constexpr std::uint32_t kLetters = bit(UTF8PROC_CATEGORY_LU) | bit(UTF8PROC_CATEGORY_LL) |
                                   bit(UTF8PROC_CATEGORY_LT) | bit(UTF8PROC_CATEGORY_LM) |
                                   bit(UTF8PROC_CATEGORY_LO);
constexpr std::uint32_t kMarks =
    bit(UTF8PROC_CATEGORY_MN) | bit(UTF8PROC_CATEGORY_MC) | bit(UTF8PROC_CATEGORY_ME);
constexpr std::uint32_t kNumbers =
    bit(UTF8PROC_CATEGORY_ND) | bit(UTF8PROC_CATEGORY_NL) | bit(UTF8PROC_CATEGORY_NO);
constexpr std::uint32_t kPunctuation = bit(UTF8PROC_CATEGORY_PC) | bit(UTF8PROC_CATEGORY_PD) |
                                       bit(UTF8PROC_CATEGORY_PS) | bit(UTF8PROC_CATEGORY_PE) |
                                       bit(UTF8PROC_CATEGORY_PI) | bit(UTF8PROC_CATEGORY_PF) |
                                       bit(UTF8PROC_CATEGORY_PO);
constexpr std::uint32_t kSymbols = bit(UTF8PROC_CATEGORY_SM) | bit(UTF8PROC_CATEGORY_SC) |
                                   bit(UTF8PROC_CATEGORY_SK) | bit(UTF8PROC_CATEGORY_SO);
constexpr std::uint32_t kSeparators =
    bit(UTF8PROC_CATEGORY_ZS) | bit(UTF8PROC_CATEGORY_ZL) | bit(UTF8PROC_CATEGORY_ZP);
constexpr std::uint32_t kOthers = bit(UTF8PROC_CATEGORY_CC) | bit(UTF8PROC_CATEGORY_CF) |
                                  bit(UTF8PROC_CATEGORY_CS) | bit(UTF8PROC_CATEGORY_CO) |
                                  bit(UTF8PROC_CATEGORY_CN);
constexpr std::uint32_t kAllCategories = (1u << 30) - 1;
// Unicode: letters, marks, decimal digits, connectors.
constexpr std::uint32_t kWordCategories =
    kLetters | kMarks | bit(UTF8PROC_CATEGORY_ND) | bit(UTF8PROC_CATEGORY_PC);

struct Category {
  std::string_view name;
  std::uint32_t mask;
};
constexpr Category kCategories[] = {{"L", kLetters},
                                    {"Letter", kLetters},
                                    {"Alpha", kLetters | kMarks},
                                    {"Lu", bit(UTF8PROC_CATEGORY_LU)},
                                    {"Ll", bit(UTF8PROC_CATEGORY_LL)},
                                    {"Lt", bit(UTF8PROC_CATEGORY_LT)},
                                    {"Lm", bit(UTF8PROC_CATEGORY_LM)},
                                    {"Lo", bit(UTF8PROC_CATEGORY_LO)},
                                    {"M", kMarks},
                                    {"N", kNumbers},
                                    {"Nd", bit(UTF8PROC_CATEGORY_ND)},
                                    {"digit", bit(UTF8PROC_CATEGORY_ND)},
                                    {"P", kPunctuation},
                                    {"S", kSymbols},
                                    {"Z", kSeparators},
                                    {"C", kOthers}};

}  // namespace

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
      return assertion(Regex::Assertion::kBegin);
    case 'z':
      return assertion(Regex::Assertion::kEnd);
    case 'Z':
      return assertion(Regex::Assertion::kEndOrNewline);
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

void RegexParser::add_ranges(Regex::Set& set, std::vector<Regex::Range> ranges, bool negated) {
  if (!negated) {
    set.ranges.insert(set.ranges.end(), ranges.begin(), ranges.end());
    return;
  }
  char32_t next = 0;  // ranges are sorted and apart
  for (const auto& range : ranges) {
    if (range.first > next) set.ranges.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) set.ranges.push_back({next, kLast});
}

Regex::Set RegexParser::word_set() const {
  Regex::Set set;
  if (regex_.options_.unicode_classes) {
    set.categories.push_back(kWordCategories);
  } else {
    set.ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  }
  return set;
}

bool RegexParser::class_escape(char32_t code, Regex::Set& set, bool& known) {
  const bool unicode = regex_.options_.unicode_classes;
  const bool negated = code == 'D' || code == 'W' || code == 'S' || code == 'P';
  known = true;
  switch (code) {
    case 'd':
    case 'D':
      if (unicode) {
        const std::uint32_t mask = bit(UTF8PROC_CATEGORY_ND);
        set.categories.push_back(negated ? kAllCategories & ~mask : mask);
      } else {
        add_ranges(set, {{'0', '9'}}, negated);
      }
      return true;
    case 'w':
    case 'W':
      if (unicode) {
        set.categories.push_back(negated ? kAllCategories & ~kWordCategories : kWordCategories);
      } else {
        add_ranges(set, word_set().ranges, negated);
      }
      return true;
    case 's':
    case 'S': {
      std::vector<Regex::Range> spaces = {
          {9, 13},          {' ', ' '},       {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
          {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
      if (!unicode) {  // ECMA 262: without NEL, with the byte order mark
        spaces.erase(spaces.begin() + 2);
        spaces.push_back({0xFEFF, 0xFEFF});
      }
      add_ranges(set, std::move(spaces), negated);
      return true;
    }
    case 'p':
    case 'P':
      return property(negated, set);
    default:
      known = false;
      return true;
  }
}

bool RegexParser::property(bool negated, Regex::Set& set) {
  const std::size_t close = s_.find('}', at_);
  if (peek() != '{' || close == std::string_view::npos)
    return refuse("\\p must be followed by {name}") != nullptr;
  std::string_view name = s_.substr(at_ + 1, close - at_ - 1);
  if (name.starts_with("^")) {
    negated = !negated;
    name.remove_prefix(1);
  }
  for (const Category& category : kCategories) {
    if (category.name != name) continue;
    set.categories.push_back(negated ? kAllCategories & ~category.mask : category.mask);
    at_ = close + 1;
    return true;
  }
  return refuse("unknown character property '" + std::string(name) + "'", ErrorKind::kUnsupported) != nullptr;
}

bool RegexParser::hexadecimal(std::size_t digits, char32_t& c) {
  std::uint32_t value = 0;
  std::size_t end = at_ + digits;
  const bool braces = peek() == '{';
  if (braces) {
    end = s_.find('}', at_);
    ++at_;
  }
  if (end == std::string_view::npos || end > s_.size() || end == at_) {
    return refuse("expected hexadecimal digits") != nullptr;
  }
  const auto [stop, code] = std::from_chars(s_.data() + at_, s_.data() + end, value, 16);
  if (code != std::errc() || stop != s_.data() + end || value > kLast) {
    return refuse("expected hexadecimal digits of a code point") != nullptr;
  }
  at_ = end + (braces ? 1 : 0);
  c = value;
  return true;
}

bool RegexParser::escaped_character(char32_t code, char32_t& c) {
  constexpr std::string_view kCodes = "tnrfvae", kMeant = "\t\n\r\f\v\a\x1b";
  if (code < 0x80) {
    const std::size_t known = kCodes.find(static_cast<char>(code));
    const bool control = known != std::string_view::npos && (known < 5 || regex_.options_.unicode_classes);
    if (control) return c = static_cast<char32_t>(kMeant[known]), true;
  }
  switch (code) {
    case '0':
      c = 0;
      return !(peek() >= '0' && peek() <= '9') || refuse("octal escapes are not supported") != nullptr;
    case 'x':
      return hexadecimal(2, c);
    case 'u':
      if (!hexadecimal(4, c)) return false;
      if (c >= 0xD800 && c <= 0xDBFF && s_.substr(at_, 2) == "\\u") {  // a pair of surrogates
        char32_t low = 0;
        at_ += 2;
        if (!hexadecimal(4, low)) return false;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      }
      return true;
    case 'c': {
      const char letter = peek();
      if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) break;
      ++at_;
      c = static_cast<char32_t>(letter & 31);
      return true;
    }
    default:
      break;
  }
  if (code >= '1' && code <= '9') {
    return refuse("backreferences are not supported", ErrorKind::kUnsupported) != nullptr;
  }
  const bool word = code < 0x80 && ((code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z'));
  if (word) {
    return refuse("the escape \\" + std::string(1, static_cast<char>(code)) + " is not supported",
                  ErrorKind::kUnsupported) != nullptr;
  }
  c = code;
  return true;
}

// Behind '['.
bool RegexParser::bracket(Regex::Set& set) {
  if (peek() == '^') {
    ++at_;
    set.negated = true;
  }
  bool first = true;
  while (true) {
    if (at_ >= s_.size()) return refuse("a character class is not closed") != nullptr;
    if (peek() == ']' && !(first && regex_.options_.unicode_classes)) {
      ++at_;
      return true;
    }
    first = false;
    char32_t low = 0, high = 0;
    bool low_single = false, high_single = false;
    if (!bracket_item(set, low, low_single)) return false;
    if (!low_single) continue;
    if (peek() == '-' && at_ + 1 < s_.size() && s_[at_ + 1] != ']') {
      ++at_;
      if (!bracket_item(set, high, high_single)) return false;
      if (!high_single || high < low)
        return refuse("a range in a character class is out of order") != nullptr;
      set.ranges.push_back({low, high});
    } else {
      set.ranges.push_back({low, low});
    }
  }
}

bool RegexParser::bracket_item(Regex::Set& set, char32_t& single, bool& is_single) {
  char32_t c = 0;
  read(c);
  const bool onig = regex_.options_.unicode_classes;
  if (onig && c == '[') {
    return refuse("'[' inside a character class must be written \\[", ErrorKind::kUnsupported) != nullptr;
  }
  if (onig && c == '&' && peek() == '&') {
    return refuse("operations on character classes are not supported", ErrorKind::kUnsupported) != nullptr;
  }
  is_single = true;
  if (c != '\\') {
    single = c;
    return true;
  }
  char32_t code = 0;
  if (!read(code)) return refuse("a backslash at the end of the regular expression") != nullptr;
  if (code == 'b') return single = '\b', true;
  bool known = false;
  if (!class_escape(code, set, known)) return false;
  if (known) return is_single = false, true;
  return escaped_character(code, single);
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
