#include "models/tokenizer/jinja/lexer.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "models/tokenizer/jinja/ast.h"
#include "models/tokenizer/utf8.h"

namespace consort::jinja {
namespace {

bool space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

class Cutter {
 public:
  explicit Cutter(std::string_view source) : source_(source) {
    // Jinja drops one newline at the very end (keep_trailing_newline is off).
    if (!source_.empty() && source_.back() == '\n') source_.remove_suffix(1);
  }

  std::vector<Chunk> run() {
    while (at_ < source_.size()) {
      const std::size_t open = next_tag();
      if (open == std::string_view::npos) {
        add_text(source_.substr(at_), false);
        break;
      }
      tag(open);
    }
    return std::move(chunks_);
  }

 private:
  std::size_t next_tag() const {
    for (std::size_t i = at_; i + 1 < source_.size(); ++i)
      if (source_[i] == '{' && (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#'))
        return i;
    return std::string_view::npos;
  }

  // REQUIRES: offsets that never go back (the count goes on from the last one).
  void position(std::size_t offset, int& line, int& column) {
    for (; counted_ < offset; ++counted_)
      if (source_[counted_] == '\n') {
        ++line_;
        line_start_ = counted_ + 1;
      }
    line = line_;
    column = static_cast<int>(offset - line_start_) + 1;
  }

  // Text between tags. After a tag with `-` its leading white space goes; after a block one newline goes.
  void add_text(std::string_view text, bool strip_end) {
    if (strip_start_) {
      while (!text.empty() && space(text.front())) text.remove_prefix(1);
    } else if (trim_newline_ && !text.empty()) {
      if (text.starts_with("\r\n")) {
        text.remove_prefix(2);
      } else if (text.front() == '\n') {
        text.remove_prefix(1);
      }
    }
    if (strip_end)
      while (!text.empty() && space(text.back())) text.remove_suffix(1);
    strip_start_ = trim_newline_ = false;
    if (text.empty()) return;
    Chunk chunk{Chunk::Kind::kText, std::string(text)};
    chunks_.push_back(std::move(chunk));
  }

  // lstrip_blocks: blanks between the start of the line and a block go.
  std::string_view without_indent(std::string_view text) const {
    std::size_t end = text.size();
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
    const bool line_start = end > 0 ? text[end - 1] == '\n' : at_line_start();
    return line_start ? text.substr(0, end) : text;
  }
  bool at_line_start() const { return at_ == 0 || source_[at_ - 1] == '\n'; }

  // End of the tag whose inside starts at `begin`; quotes and open brackets protect (not in comments).
  std::size_t close_of(std::size_t begin, std::string_view close, bool quotes) const {
    char quote = 0;
    int open = 0;
    for (std::size_t i = begin; i + 1 < source_.size(); ++i) {
      const char c = source_[i];
      if (quote) {
        if (c == '\\') {
          ++i;
        } else if (c == quote) {
          quote = 0;
        }
        continue;
      }
      if (open <= 0 && source_.substr(i, 2) == close) return i;
      if (!quotes) continue;
      if (c == '\'' || c == '"') quote = c;
      if (c == '{' || c == '[' || c == '(') ++open;
      if (c == '}' || c == ']' || c == ')') --open;
    }
    return std::string_view::npos;
  }

  void tag(std::size_t open) {
    const char type = source_[open + 1];
    std::size_t begin = open + 2;
    const char mark = begin < source_.size() ? source_[begin] : ' ';
    const bool strip = mark == '-';
    std::string_view before = source_.substr(at_, open - at_);
    if (type != '{' && !strip && mark != '+') before = without_indent(before);
    add_text(before, strip);
    if (strip || mark == '+') ++begin;
    int line = 1, column = 1;
    position(open, line, column);
    const std::string_view close = type == '{' ? "}}" : type == '%' ? "%}" : "#}";
    const std::size_t end = close_of(begin, close, type != '#');
    if (end == std::string_view::npos)
      throw ParseError(std::string("a tag '") + std::string(source_.substr(open, 2)) + "' is not closed",
                       line, column);
    std::size_t inside_end = end;
    const bool strip_after = inside_end > begin && source_[inside_end - 1] == '-';
    const bool keep_after = inside_end > begin && source_[inside_end - 1] == '+' && type == '%';
    if (strip_after || keep_after) --inside_end;
    if (type != '#') {
      const auto kind = type == '{' ? Chunk::Kind::kOutput : Chunk::Kind::kStatement;
      chunks_.push_back({kind, std::string(source_.substr(begin, inside_end - begin)), line, column});
    }
    strip_start_ = strip_after;
    trim_newline_ = type != '{' && !keep_after;
    at_ = end + 2;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::size_t counted_ = 0, line_start_ = 0;  // of position()
  int line_ = 1;
  bool strip_start_ = false, trim_newline_ = false;
  std::vector<Chunk> chunks_;
};

bool name_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool name_part(char c) {
  return name_start(c) || std::isdigit(static_cast<unsigned char>(c));
}

// Appends the character of exactly `digits` hexadecimal digits and returns their number, or 0 and a question
// mark.
std::size_t append_code(std::string_view hex, std::size_t digits, std::string& out) {
  unsigned code = 0;
  const auto parsed = std::from_chars(hex.data(), hex.data() + std::min(digits, hex.size()), code, 16);
  if (parsed.ec != std::errc() || parsed.ptr != hex.data() + digits) {
    out += '?';
    return 0;
  }
  append_utf8(out, code);
  return digits;
}

std::string decode_string(std::string_view raw) {
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 >= raw.size()) {
      out += raw[i];
      continue;
    }
    const char c = raw[++i];
    switch (c) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case 'r':
        out += '\r';
        break;
      case '\\':
      case '\'':
      case '"':
        out += c;
        break;
      case 'x':
        i += append_code(raw.substr(i + 1), 2, out);
        break;
      case 'u':
        i += append_code(raw.substr(i + 1), 4, out);
        break;
      default:
        out += '\\';
        out += c;
    }
  }
  return out;
}

// End of the number at s[at]: digits, a fraction, an exponent. `real` says whether it has one of the latter.
std::size_t number_end(const std::string& s, std::size_t at, bool& real) {
  const auto digit = [&](std::size_t i) {
    return i < s.size() && std::isdigit(static_cast<unsigned char>(s[i])) != 0;
  };
  while (digit(at)) ++at;
  if (at < s.size() && s[at] == '.' && digit(at + 1)) {
    real = true;
    for (++at; digit(at);) ++at;
  }
  if (at >= s.size() || (s[at] != 'e' && s[at] != 'E')) return at;
  const std::size_t sign = at + 1 < s.size() && (s[at + 1] == '+' || s[at + 1] == '-') ? 2 : 1;
  if (!digit(at + sign)) return at;
  real = true;
  for (at += sign; digit(at);) ++at;
  return at;
}

}  // namespace

std::vector<Chunk> cut_template(std::string_view source) {
  return Cutter(source).run();
}

std::vector<Token> cut_tag(const Chunk& chunk) {
  std::vector<Token> tokens;
  const std::string& s = chunk.text;
  int line = chunk.line;
  for (std::size_t i = 0; i < s.size();) {
    const char c = s[i];
    const int column = chunk.column + static_cast<int>(i) + 2;
    std::size_t end = i + 1;
    Token token;
    if (space(c)) {
      line += c == '\n';
      ++i;
      continue;
    }
    if (name_start(c)) {
      while (end < s.size() && name_part(s[end])) ++end;
      token = {Token::Kind::kName, s.substr(i, end - i), line, column};
    } else if (std::isdigit(static_cast<unsigned char>(c))) {
      bool real = false;
      end = number_end(s, i, real);
      if (end - i > 18) throw ParseError("a number is too long", line, column);
      token = {real ? Token::Kind::kFloat : Token::Kind::kInteger, s.substr(i, end - i), line, column};
    } else if (c == '\'' || c == '"') {
      while (end < s.size() && s[end] != c) end += s[end] == '\\' ? 2 : 1;
      if (end >= s.size()) throw ParseError("a text is not closed", line, column);
      token = {Token::Kind::kString, decode_string(std::string_view(s).substr(i + 1, end - i - 1)), line,
               column};
      ++end;
    } else {
      static constexpr std::string_view kTwo[] = {"==", "!=", "<=", ">=", "//", "**"};
      for (std::string_view two : kTwo)
        if (s.compare(i, 2, two) == 0) end = i + 2;
      if (end == i + 1 && std::string_view("+-*/%~<>=()[]{}.,:|").find(c) == std::string_view::npos)
        throw ParseError(std::string("unexpected character '") + c + "'", line, column);
      token = {Token::Kind::kOperator, s.substr(i, end - i), line, column};
    }
    tokens.push_back(std::move(token));
    i = end;
  }
  tokens.push_back({Token::Kind::kEnd, "", line, chunk.column + static_cast<int>(s.size()) + 2});
  return tokens;
}

}  // namespace consort::jinja
