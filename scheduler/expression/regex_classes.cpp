// Escapes and character classes of regular expressions.
#include <charconv>

#include <utf8proc.h>

#include "scheduler/expression/regex_parser.h"
#include "scheduler/value/utf8.h"

namespace consort {
namespace {

constexpr char32_t kLast = 0x10FFFF;

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

}  // namespace consort
