#include "models/tokenizer/jinja/texts.h"

#include <utf8proc.h>

#include <algorithm>

#include "models/tokenizer/utf8.h"

namespace consort::jinja {
namespace {

// str.isspace: White_Space and the four information separators.
bool blank(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// Whether the character at text[at] is to be stripped; its bytes in `bytes`.
bool strippable(const std::string& text, std::size_t at, const std::string* set, std::size_t& bytes) {
  const Utf8Char c = utf8_at(text, at);
  bytes = c.bytes;
  if (set == nullptr) return blank(c.code);
  for (std::size_t i = 0; i < set->size(); i += utf8_at(*set, i).bytes)
    if (set->compare(i, utf8_at(*set, i).bytes, text, at, c.bytes) == 0) return true;
  return false;
}

std::size_t character_before(const std::string& text, std::size_t end, std::size_t begin) {
  std::size_t at = end - 1;
  while (at > begin && end - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at + utf8_at(text, at).bytes == end ? at : end - 1;  // a broken byte stands alone
}

// Appends the case mapping of one character; all its bytes take the mark of the original.
void append_mapped(char32_t code, bool upper, char mark, Text& out) {
  const std::size_t before = out.text.size();
  if (upper && code == 0xDF)
    out.text += "SS";  // the one expansion of German; utf8proc maps single characters
  else
    append_utf8(out.text,
                static_cast<char32_t>(upper ? utf8proc_toupper(static_cast<utf8proc_int32_t>(code))
                                            : utf8proc_tolower(static_cast<utf8proc_int32_t>(code))));
  out.mask.append(out.text.size() - before, mark);
}

template <typename Upper>
Text map_characters(const Text& text, Upper upper) {
  WorkBudget::charge(text.text.size());
  Text out;
  for (std::size_t at = 0; at < text.text.size();) {
    const Utf8Char c = utf8_at(text.text, at);
    const int wanted = upper(c.code);
    if (c.code == kBrokenUtf8 || wanted < 0) {
      out.text.append(text.text, at, c.bytes);
      out.mask.append(text.mask, at, c.bytes);
    } else {
      append_mapped(c.code, wanted > 0, text.mask[at], out);
    }
    at += c.bytes;
  }
  return out;
}

bool letter(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LT;  // cased letters
}

}  // namespace

Text strip(const Text& text, const std::string* set, bool left, bool right) {
  std::size_t begin = 0, end = text.text.size(), bytes = 0;
  while (left && begin < end && strippable(text.text, begin, set, bytes)) begin += bytes;
  while (right && end > begin) {
    const std::size_t at = character_before(text.text, end, begin);
    if (!strippable(text.text, at, set, bytes)) break;
    end = at;
  }
  return text.substr(begin, end - begin);
}

List split(const Text& text, const std::string& separator, std::int64_t limit, bool from_right) {
  List out;
  WorkBudget::charge(text.text.size());
  if (from_right) {
    std::size_t end = text.text.size();
    for (; limit != 0 && end >= separator.size(); --limit) {
      const std::size_t found = text.text.rfind(separator, end - separator.size());
      if (found == std::string::npos) break;
      out.push_back(text.substr(found + separator.size(), end - found - separator.size()));
      end = found;
    }
    out.push_back(text.substr(0, end));
    std::reverse(out.begin(), out.end());
    return out;
  }
  std::size_t at = 0;
  for (std::size_t found; limit != 0 && (found = text.text.find(separator, at)) != std::string::npos;
       --limit) {
    out.push_back(text.substr(at, found - at));
    at = found + separator.size();
  }
  out.push_back(text.substr(at));
  return out;
}

List split_at_blanks(const Text& text, std::int64_t limit) {
  List out;
  WorkBudget::charge(text.text.size());
  const std::string& s = text.text;
  const auto skip = [&](std::size_t at, bool blanks) {
    while (at < s.size() && blank(utf8_at(s, at).code) == blanks) at += utf8_at(s, at).bytes;
    return at;
  };
  for (std::size_t at = skip(0, true); at < s.size(); --limit) {
    if (limit == 0) {
      out.push_back(text.substr(at));
      break;
    }
    const std::size_t end = skip(at, false);
    out.push_back(text.substr(at, end - at));
    at = skip(end, true);
  }
  return out;
}

Text mapped(const Text& text, Case wanted) {
  return map_characters(text, [&](char32_t) { return wanted == Case::kUpper; });
}

Text capitalised(const Text& text, Words words) {
  bool start = true;
  return map_characters(text, [&](char32_t c) {
    const bool upper = start;
    start = words == Words::kLetters ? !letter(c)
                                     : words == Words::kSpaced && (blank(c) || c == '-' || c == '(' ||
                                                                   c == '{' || c == '[' || c == '<');
    return upper ? 1 : 0;
  });
}

}  // namespace consort::jinja
