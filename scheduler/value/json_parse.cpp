// A strict RFC 8259 reader straight into Value: one pass, no intermediate tree, depth bounded by
// kMaxJsonDepth.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "scheduler/value/utf8.h"
#include "scheduler/value/value.h"

namespace consort {
namespace {

class Reader {
 public:
  Reader(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  Result<Value> document() {
    if (const std::size_t bad = utf8::find_invalid(text_); bad != std::string_view::npos) {
      at_ = bad;
      return error("the text is not UTF-8");
    }
    Value v;
    if (!value(v, 1)) return tl::unexpected<Error>(std::move(error_));
    skip_space();
    if (at_ != text_.size()) return error("unexpected text behind the JSON value");
    return v;
  }

 private:
  tl::unexpected<Error> error(std::string what) const {
    std::size_t line = 1, start = 0;
    const std::size_t stop = std::min(at_, text_.size());
    for (std::size_t i = 0; i < stop; ++i) {
      if (text_[i] == '\n') ++line, start = i + 1;
    }
    std::string where(where_);
    if (!where.empty()) where += ", ";
    where += "line " + std::to_string(line) + ", column " +
             std::to_string(utf8::length(text_.substr(start, stop - start)) + 1);
    return fail(ErrorKind::kInvalid, std::move(what), std::move(where));
  }
  bool refuse(std::string what) {
    error_ = error(std::move(what)).value();
    return false;
  }
  bool refuse_here(std::string_view wanted) {
    if (at_ >= text_.size()) return refuse("the JSON text ends early: expected " + std::string(wanted));
    return refuse("expected " + std::string(wanted));
  }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
      ++at_;
    }
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view w, Value v, Value& out) {
    if (text_.substr(at_, w.size()) != w) return refuse_here("a JSON value");
    at_ += w.size();
    out = std::move(v);
    return true;
  }

  bool value(Value& out, int depth) {
    skip_space();
    switch (peek()) {
      case '{':
        return object(out, depth);
      case '[':
        return array(out, depth);
      case '"': {
        std::string s;
        if (!string(s)) return false;
        out = Value(std::move(s));
        return true;
      }
      case 't':
        return word("true", true, out);
      case 'f':
        return word("false", false, out);
      case 'n':
        return word("null", nullptr, out);
      default:
        return number(out);
    }
  }

  bool array(Value& out, int depth) {
    if (depth > kMaxJsonDepth) return refuse("nested deeper than " + std::to_string(kMaxJsonDepth));
    ++at_;
    Value::Array items;
    skip_space();
    if (!take(']')) {
      while (true) {
        Value item;
        if (!value(item, depth + 1)) return false;
        items.push_back(std::move(item));
        skip_space();
        if (take(']')) break;
        if (!take(',')) return refuse_here("',' or ']'");
      }
    }
    out = Value::array(std::move(items));
    return true;
  }

  bool object(Value& out, int depth) {
    if (depth > kMaxJsonDepth) return refuse("nested deeper than " + std::to_string(kMaxJsonDepth));
    ++at_;
    Value::Object members;
    std::vector<std::size_t> places;  // of the keys, for the message about a duplicate
    skip_space();
    if (!take('}')) {
      while (true) {
        skip_space();
        if (peek() != '"') return refuse_here("a key in quotes");
        places.push_back(at_);
        std::string key;
        if (!string(key)) return false;
        skip_space();
        if (!take(':')) return refuse_here("':'");
        Value item;
        if (!value(item, depth + 1)) return false;
        members.emplace_back(std::move(key), std::move(item));
        skip_space();
        if (take('}')) break;
        if (!take(',')) return refuse_here("',' or '}'");
      }
    }
    const std::size_t count = members.size();
    if (const std::size_t twice = find_duplicate(members); twice < count) {
      at_ = places[twice];
      return refuse("key \"" + members[twice].first + "\" stands twice in one object");
    }
    out = Value::object(std::move(members));
    return true;
  }

  // The number of the first member whose key stood before, or the count when all differ.
  static std::size_t find_duplicate(const Value::Object& members) {
    const std::size_t count = members.size();
    if (count <= 16) {
      for (std::size_t i = 1; i < count; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (members[i].first == members[j].first) return i;
        }
      }
      return count;
    }
    std::vector<std::size_t> order(count);
    for (std::size_t i = 0; i < count; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const int c = members[a].first.compare(members[b].first);
      return c != 0 ? c < 0 : a < b;
    });
    std::size_t first = count;
    for (std::size_t i = 1; i < count; ++i) {
      if (members[order[i]].first == members[order[i - 1]].first) first = std::min(first, order[i]);
    }
    return first;
  }

  bool hex4(unsigned& unit) {
    if (text_.size() - at_ < 4) return refuse_here("four hexadecimal digits");
    const char* begin = text_.data() + at_;
    const auto [stop, code] = std::from_chars(begin, begin + 4, unit, 16);
    if (code != std::errc() || stop != begin + 4) return refuse("expected four hexadecimal digits after \\u");
    at_ += 4;
    return true;
  }

  bool unicode_escape(std::string& out) {
    unsigned unit = 0;
    if (!hex4(unit)) return false;
    char32_t c = unit;
    if (unit >= 0xDC00 && unit <= 0xDFFF) return refuse("an unpaired low surrogate in a string");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      unsigned low = 0;
      if (text_.substr(at_, 2) != "\\u") return refuse("an unpaired high surrogate in a string");
      at_ += 2;
      if (!hex4(low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return refuse("an unpaired high surrogate in a string");
      c = 0x10000 + ((unit - 0xD800u) << 10) + (low - 0xDC00u);
    }
    utf8::append(out, c);
    return true;
  }

  bool string(std::string& out) {
    ++at_;
    while (true) {
      std::size_t end = at_;
      while (end < text_.size() && text_[end] != '"' && text_[end] != '\\' &&
             static_cast<unsigned char>(text_[end]) >= 0x20) {
        ++end;
      }
      out.append(text_, at_, end - at_);
      at_ = end;
      if (at_ >= text_.size()) return refuse("the JSON text ends inside a string");
      if (take('"')) return true;
      if (text_[at_] != '\\') return refuse("a control character inside a string must be escaped");
      ++at_;
      const char code = peek();
      ++at_;
      switch (code) {
        case '"':
          out += '"';
          break;
        case '\\':
          out += '\\';
          break;
        case '/':
          out += '/';
          break;
        case 'b':
          out += '\b';
          break;
        case 'f':
          out += '\f';
          break;
        case 'n':
          out += '\n';
          break;
        case 'r':
          out += '\r';
          break;
        case 't':
          out += '\t';
          break;
        case 'u':
          if (!unicode_escape(out)) return false;
          break;
        default:
          --at_;
          return refuse_here("an escape: one of \" \\ / b f n r t u");
      }
    }
  }

  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin;
  }

  bool number(Value& out) {
    const std::size_t begin = at_;
    const bool negative = take('-');
    bool whole = true;
    if (!take('0') && !digits()) {
      if (!negative) at_ = begin;
      return refuse_here(negative ? "a digit" : "a JSON value");
    }
    if (take('.')) {
      whole = false;
      if (!digits()) return refuse_here("a digit after the decimal point");
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return refuse_here("a digit of the exponent");
    }
    const char *first = text_.data() + begin, *last = text_.data() + at_;
    if (whole && !(negative && at_ - begin == 2 && *(first + 1) == '0')) {
      std::int64_t i = 0;
      if (std::from_chars(first, last, i).ec == std::errc()) {
        out = Value(i);
        return true;
      }
    }
    double d = 0;
    const auto code = std::from_chars(first, last, d).ec;
    // Too small for a double reads as zero, as everywhere; too large is an error.
    if (code == std::errc::result_out_of_range) {
      d = underflow(first, last);
      if (!std::isfinite(d)) return at_ = begin, refuse("a number beyond the range of a double");
    }
    out = Value(d);
    return true;
  }

  // from_chars does not say on which side a number left the range.
  static double underflow(const char* first, const char* last) {
    return std::strtod(std::string(first, last).c_str(), nullptr);
  }

  std::string_view text_, where_;
  std::size_t at_ = 0;
  Error error_;
};

}  // namespace

Result<Value> parse_json(std::string_view text, std::string_view where) {
  return Reader(text, where).document();
}

}  // namespace consort
