#include "memory/retrieval/analyzer.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <utf8proc.h>

#include "memory/base/text.h"

namespace consort {
namespace {

enum class CharClass : std::uint8_t { kOther, kLetter, kDigit, kDense, kApostrophe, kPoint, kJoin };

// Scripts written without blanks between words.
bool dense_script(utf8proc_int32_t c) {
  return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x3ffff) || (c >= 0x3041 && c <= 0x30ff) || (c >= 0x0e01 && c <= 0x0eff) ||
         (c >= 0x1000 && c <= 0x109f) || (c >= 0x1780 && c <= 0x17ff);
}

CharClass classify(utf8proc_int32_t c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return CharClass::kLetter;
    if (c >= '0' && c <= '9') return CharClass::kDigit;
    if (c == '\'') return CharClass::kApostrophe;
    if (c == '.' || c == ',') return CharClass::kPoint;
    return c == '_' ? CharClass::kJoin : CharClass::kOther;
  }
  if (c == 0x2019 || c == 0xb7) return CharClass::kApostrophe;
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_NL:
      return dense_script(c) ? CharClass::kDense : CharClass::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::kDigit;
    default:
      return CharClass::kOther;
  }
}

struct Char {
  std::size_t begin = 0, end = 0;
  CharClass kind = CharClass::kOther;
};

std::vector<Char> decode(std::string_view text) {
  std::vector<Char> chars;
  chars.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    utf8proc_int32_t c = first;
    std::size_t length = 1;
    if (first >= 0x80) {
      const auto got = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                        static_cast<utf8proc_ssize_t>(text.size() - at), &c);
      if (got > 0)
        length = static_cast<std::size_t>(got);
      else
        c = ' ';
    }
    chars.push_back({at, at + length, classify(c)});
    at += length;
  }
  return chars;
}

bool in_word(CharClass k) {
  return k == CharClass::kLetter || k == CharClass::kDigit || k == CharClass::kJoin;
}

// An apostrophe between letters and a point or comma between digits stay inside a word (UAX #29, WB6 to
// WB12).
bool bridges(const std::vector<Char>& chars, std::size_t i) {
  if (i == 0 || i + 1 >= chars.size()) return false;
  const CharClass sides = chars[i].kind == CharClass::kApostrophe ? CharClass::kLetter : CharClass::kDigit;
  const bool mid = chars[i].kind == CharClass::kApostrophe || chars[i].kind == CharClass::kPoint;
  return mid && chars[i - 1].kind == sides && chars[i + 1].kind == sides;
}

// NFKC with case folding; ASCII needs only lower case.
std::string fold(std::string_view text) {
  const bool ascii = std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
  if (ascii) {
    std::string lower(text);
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return lower;
  }
  bool replaced = false;
  const std::string clean = to_utf8(text, replaced);
  utf8proc_uint8_t* raw = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(clean.data()),
                                   static_cast<utf8proc_ssize_t>(clean.size()), &raw,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                                                                  UTF8PROC_COMPAT | UTF8PROC_CASEFOLD));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> held(raw, &std::free);
  return length < 0 ? clean
                    : std::string(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(length));
}

void push_word(std::string_view word, const AnalyzerOptions& options, std::vector<std::string>& terms) {
  if (!options.english_stemming) {
    terms.emplace_back(word);
    return;
  }
  for (const std::string_view possessive : {"'s", "\u2019s"}) {
    if (word.size() > possessive.size() && word.ends_with(possessive)) word.remove_suffix(possessive.size());
  }
  terms.push_back(porter_stem(word));
}

}  // namespace

std::vector<std::string> analyze(std::string_view text, const AnalyzerOptions& options) {
  const std::string folded = fold(text);
  const std::string_view bytes = folded;
  const std::vector<Char> chars = decode(bytes);
  std::vector<std::string> terms;
  for (std::size_t i = 0; i < chars.size();) {
    if (chars[i].kind == CharClass::kDense) {
      std::size_t end = i;
      while (end < chars.size() && chars[end].kind == CharClass::kDense) ++end;
      if (end - i == 1) terms.emplace_back(bytes.substr(chars[i].begin, chars[i].end - chars[i].begin));
      for (; i + 1 < end; ++i)
        terms.emplace_back(bytes.substr(chars[i].begin, chars[i + 1].end - chars[i].begin));
      i = end;
    } else if (in_word(chars[i].kind)) {
      std::size_t end = i;
      while (end < chars.size() && (in_word(chars[end].kind) || bridges(chars, end))) ++end;
      push_word(bytes.substr(chars[i].begin, chars[end - 1].end - chars[i].begin), options, terms);
      i = end;
    } else {
      ++i;
    }
  }
  return terms;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    utf8proc_int32_t c = 0;
    const auto got = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                      static_cast<utf8proc_ssize_t>(text.size() - at), &c);
    if (got <= 0) return false;
    at += static_cast<std::size_t>(got);
  }
  return true;
}

std::string to_nfc(std::string_view text) {
  const bool ascii = std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
  if (ascii) return std::string(text);
  utf8proc_uint8_t* raw = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &raw,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> held(raw, &std::free);
  return length < 0 ? std::string(text)
                    : std::string(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(length));
}

}  // namespace consort
