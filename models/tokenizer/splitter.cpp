#include "models/tokenizer/splitter.h"

#include <utf8proc.h>

#include <array>

#include "models/tokenizer/utf8.h"

namespace consort {

namespace {

enum class Class : unsigned char { kEnd, kLetter, kNumber, kSpace, kOther };

// White_Space of the Unicode character database (PropList.txt).
bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

Class classify(char32_t c) {
  if (c >= kBrokenUtf8) return Class::kOther;
  if (is_white_space(c)) return Class::kSpace;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return Class::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return Class::kNumber;
    default:
      return Class::kOther;
  }
}

const std::array<Class, 128>& ascii_classes() {
  static const std::array<Class, 128> table = [] {
    std::array<Class, 128> classes{};
    for (char32_t c = 0; c < 128; ++c) classes[c] = classify(c);
    return classes;
  }();
  return table;
}

struct Symbol {
  char32_t code = 0;
  Class cls = Class::kEnd;
  std::size_t end = 0;  // where the next one begins
};

// Reads symbols of a text; what lies past the end has class kEnd.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text), ascii_(ascii_classes()) {}

  Symbol at(std::size_t begin) const {
    if (begin >= text_.size()) return {0, Class::kEnd, begin};
    const auto byte = static_cast<unsigned char>(text_[begin]);
    if (byte < 0x80) return {byte, ascii_[byte], begin + 1};
    const Utf8Char c = utf8_at(text_, begin);
    return {c.code, classify(c.code), begin + c.bytes};
  }
  // End of the run of `cls` that begins at `begin`.
  std::size_t run(std::size_t begin, Class cls) const {
    for (Symbol s = at(begin); s.cls == cls; s = at(begin)) begin = s.end;
    return begin;
  }
  // End of 's 't 'm 'd 're 've 'll when it stands at `begin`, else 0.
  std::size_t contraction(std::size_t begin, bool any_case) const {
    if (text_[begin] != '\'' || begin + 1 >= text_.size()) return 0;
    const auto fold = [&](std::size_t i) -> char {
      if (i >= text_.size()) return 0;
      const char c = text_[i];
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char first = fold(begin + 1), second = fold(begin + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return begin + 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l'))
      return begin + 3;
    return 0;
  }
  // s+(?!S) and then s+: a run of white space leaves its last symbol to the word behind it.
  std::size_t white_space(std::size_t begin, bool digits_apart) const {
    std::size_t end = begin, last = begin;
    Symbol s = at(begin);
    for (; s.cls == Class::kSpace; s = at(end)) {
      last = end;
      end = s.end;
    }
    const bool run_ends_text = s.cls == Class::kEnd || (digits_apart && s.cls == Class::kNumber);
    return run_ends_text || last == begin ? end : last;
  }

 private:
  std::string_view text_;
  const std::array<Class, 128>& ascii_;
};

std::size_t next_gpt2(const Reader& reader, std::size_t begin, bool digits_apart) {
  const Symbol first = reader.at(begin);
  if (digits_apart && first.cls == Class::kNumber) return first.end;
  if (const std::size_t end = reader.contraction(begin, false)) return end;
  std::size_t body = begin;
  Symbol s = first;
  if (first.code == ' ') {
    body = first.end;
    s = reader.at(body);
    if (digits_apart && s.cls == Class::kNumber) return body;
  }
  if (s.cls != Class::kSpace && s.cls != Class::kEnd) return reader.run(body, s.cls);
  return reader.white_space(begin, digits_apart);
}

// s*[\r\n]+: end of the last line break in the white space at `begin`, else 0.
std::size_t line_breaks(const Reader& reader, std::size_t begin) {
  std::size_t end = 0;
  for (Symbol s = reader.at(begin); s.cls == Class::kSpace; s = reader.at(s.end))
    if (s.code == '\r' || s.code == '\n') end = s.end;
  return end;
}

std::size_t next_llama(const Reader& reader, std::size_t begin, int digits) {
  if (const std::size_t end = reader.contraction(begin, true)) return end;
  const Symbol first = reader.at(begin);
  const bool line_break = first.code == '\r' || first.code == '\n';
  if (first.cls == Class::kLetter) return reader.run(begin, Class::kLetter);
  if (first.cls == Class::kNumber) {
    std::size_t end = first.end;
    for (int i = 1; i < digits && reader.at(end).cls == Class::kNumber; ++i) end = reader.at(end).end;
    return end;
  }
  if (!line_break && reader.at(first.end).cls == Class::kLetter) return reader.run(first.end, Class::kLetter);
  const std::size_t body = first.code == ' ' ? first.end : begin;
  if (reader.at(body).cls == Class::kOther) {
    std::size_t end = reader.run(body, Class::kOther);
    for (Symbol s = reader.at(end); s.cls == Class::kSpace && (s.code == '\r' || s.code == '\n');
         s = reader.at(end))
      end = s.end;
    return end;
  }
  if (const std::size_t end = line_breaks(reader, begin)) return end;
  return reader.white_space(begin, false);
}

}  // namespace

std::optional<PreTokenizer> pre_tokenizer_named(std::string_view name) {
  if (name == "gpt-2") return PreTokenizer::kGpt2;
  if (name == "smollm") return PreTokenizer::kSmolLm;
  if (name == "llama-bpe") return PreTokenizer::kLlamaBpe;
  if (name == "qwen2") return PreTokenizer::kQwen2;
  return std::nullopt;
}

std::size_t next_piece(PreTokenizer kind, std::string_view text, std::size_t begin) {
  const Reader reader(text);
  switch (kind) {
    case PreTokenizer::kGpt2:
      return next_gpt2(reader, begin, false);
    case PreTokenizer::kSmolLm:
      return next_gpt2(reader, begin, true);
    case PreTokenizer::kLlamaBpe:
      return next_llama(reader, begin, 3);
    case PreTokenizer::kQwen2:
      break;
  }
  return next_llama(reader, begin, 1);
}

}  // namespace consort
