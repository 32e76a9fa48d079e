#include "models/tokenizer/text_normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "memory/base/text.h"
#include "models/tokenizer/utf8.h"

namespace consort {
namespace {

constexpr std::size_t kGraphemeBytes = 6;  // clusters from here on are taken character by character

// Units of the double array, as darts packs them: a leaf's value in the low 31 bits; else a label in the low
// 8 bits, bit 8 "has a leaf", an offset in the bits from 10 on, shifted by 8 more when bit 9 is set.
bool has_leaf(std::uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
std::uint32_t leaf_value(std::uint32_t unit) {
  return unit & 0x7fffffff;
}
std::uint32_t label(std::uint32_t unit) {
  return unit & 0x800000ff;
}
std::uint32_t offset(std::uint32_t unit) {
  return unit >> 10 << ((unit & 0x200) >> 6);
}

std::size_t cluster_end(std::string_view text, std::size_t at) {
  utf8proc_int32_t state = 0;
  Utf8Char c = utf8_at(text, at);
  for (at += c.bytes; at < text.size(); at += c.bytes) {
    const Utf8Char next = utf8_at(text, at);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(c.code),
                                         static_cast<utf8proc_int32_t>(next.code), &state))
      break;
    c = next;
  }
  return at;
}

std::string lowered(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    at += c.bytes;
    if (c.code == 0x130)
      out += "i\xCC\x87";  // the one character whose small form is two
    else
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code))));
  }
  return out;
}

std::string composed(std::string_view text, int options) {
  utf8proc_uint8_t* made = nullptr;
  const utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                             static_cast<utf8proc_ssize_t>(text.size()), &made,
                                             static_cast<utf8proc_option_t>(options));
  if (size < 0) return std::string(text);
  std::string out(reinterpret_cast<const char*>(made), static_cast<std::size_t>(size));
  std::free(made);
  return out;
}

std::string stripped(std::string_view text, bool left) {
  std::size_t begin = 0, end = text.size();
  if (left) {
    while (begin < end && is_white_space(utf8_at(text, begin).code)) begin += utf8_at(text, begin).bytes;
    return std::string(text.substr(begin));
  }
  std::size_t keep = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    at += c.bytes;
    if (!is_white_space(c.code)) keep = at;
  }
  return std::string(text.substr(0, keep));
}

std::string replaced(std::string_view text, const std::string& from, const std::string& to) {
  if (from.empty()) return std::string(text);
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t hit = text.find(from, at);
    out += text.substr(at, hit == std::string_view::npos ? hit : hit - at);
    if (hit == std::string_view::npos) return out;
    out += to;
    at = hit + from.size();
  }
}

std::string replaced_runs(std::string_view text, const RunPattern& pattern, const std::string& to) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at, count = 0;
    while (end < text.size() && (pattern.many || count < pattern.least)) {
      const Utf8Char c = utf8_at(text, end);
      if (!pattern.holds(c.code)) break;
      end += c.bytes;
      ++count;
    }
    if (count >= pattern.least) {
      out += to;
      at = end;
      continue;
    }
    const std::size_t bytes = count > 0 ? end - at : utf8_at(text, at).bytes;
    out += text.substr(at, bytes);
    at += bytes;
  }
  return out;
}

// One character of a regular expression, an escape resolved. false: an escape that stands for a class.
bool literal(std::string_view regex, std::size_t& at, char32_t& code) {
  if (regex[at] == '\\') {
    if (++at >= regex.size()) return false;
    const char c = regex[at];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
      if (c != 'n' && c != 't' && c != 'r') return false;
      code = c == 'n' ? U'\n' : c == 't' ? U'\t' : U'\r';
      ++at;
      return true;
    }
  }
  const Utf8Char c = utf8_at(regex, at);
  code = c.code;
  at += c.bytes;
  return true;
}

bool parse_class(std::string_view regex, std::size_t& at, RunPattern& out) {
  ++at;  // '['
  if (at < regex.size() && regex[at] == '^') return false;
  while (at < regex.size() && regex[at] != ']') {
    if (regex.substr(at, 2) == "\\s") {
      out.spaces = true;
      at += 2;
      continue;
    }
    if (regex[at] == '[' || regex.substr(at, 2) == "&&") return false;  // nested classes, intersections
    char32_t first = 0, last = 0;
    if (!literal(regex, at, first)) return false;
    last = first;
    if (at + 1 < regex.size() && regex[at] == '-' && regex[at + 1] != ']') {
      ++at;
      if (!literal(regex, at, last) || last < first) return false;
    }
    out.ranges.emplace_back(first, last);
  }
  if (at >= regex.size()) return false;
  ++at;  // ']'
  return out.spaces || !out.ranges.empty();
}

bool parse_quantifier(std::string_view rest, RunPattern& out) {
  if (rest.empty()) return true;
  out.many = true;
  if (rest == "+") return true;
  if (rest.size() < 4 || rest.front() != '{' || rest.substr(rest.size() - 2) != ",}") return false;
  out.least = 0;
  for (const char c : rest.substr(1, rest.size() - 3)) {
    if (c < '0' || c > '9' || out.least > 1000) return false;
    out.least = out.least * 10 + static_cast<std::size_t>(c - '0');
  }
  return out.least > 0;
}

}  // namespace

bool is_white_space(char32_t code) {
  return (code >= 0x9 && code <= 0xD) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

bool PrecompiledMap::read(std::string_view bytes) {
  std::uint32_t size = 0;
  if (bytes.size() < sizeof size) return false;
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  if (size > bytes.size() || size % sizeof(std::uint32_t) != 0 || size == 0) return false;
  units_.resize(size / sizeof(std::uint32_t));
  std::memcpy(units_.data(), bytes.data(), size);
  replacements_ = bytes.substr(size);
  return true;
}

const char* PrecompiledMap::find(std::string_view chunk, std::size_t& size) const {
  std::size_t node = offset(units_[0]);
  for (const char c : chunk) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return nullptr;
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) return nullptr;
    const std::uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) return nullptr;
    const std::size_t at = leaf_value(units_[node]);
    if (at >= replacements_.size()) return nullptr;
    size = std::min(replacements_.find('\0', at), replacements_.size()) - at;
    return replacements_.data() + at;
  }
  return nullptr;
}

std::string PrecompiledMap::apply(std::string_view text) const {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = cluster_end(text, at);
    std::size_t size = 0;
    if (end - at < kGraphemeBytes) {
      if (const char* to = find(text.substr(at, end - at), size)) {
        out.append(to, size);
        at = end;
        continue;
      }
    }
    while (at < end) {
      const std::size_t bytes = utf8_at(text, at).bytes;
      if (const char* to = find(text.substr(at, bytes), size))
        out.append(to, size);
      else
        out += text.substr(at, bytes);
      at += bytes;
    }
  }
  return out;
}

bool RunPattern::parse(std::string_view regex, RunPattern& out) {
  if (regex.empty()) return false;
  std::size_t at = 0;
  if (regex.substr(0, 2) == "\\s") {
    out.spaces = true;
    at = 2;
  } else if (regex[0] == '[') {
    if (!parse_class(regex, at, out)) return false;
  } else {
    char32_t code = 0;
    if (std::strchr(".^$|()*+?{}", regex[0]) != nullptr || !literal(regex, at, code)) return false;
    out.ranges.emplace_back(code, code);
  }
  return parse_quantifier(regex.substr(at), out);
}

bool RunPattern::holds(char32_t code) const {
  if (spaces && is_white_space(code)) return true;
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& range) { return code >= range.first && code <= range.second; });
}

std::string TextNormalizer::apply(std::string_view given) const {
  bool broken = false;
  std::string text = to_utf8(given, broken);
  constexpr int kStable = UTF8PROC_STABLE, kCompose = kStable | UTF8PROC_COMPOSE;
  for (const NormalizerStep& step : steps_) {
    using Kind = NormalizerStep::Kind;
    switch (step.kind) {
      case Kind::kLower:
        text = lowered(text);
        break;
      case Kind::kStripLeft:
        text = stripped(text, true);
        break;
      case Kind::kStripRight:
        text = stripped(text, false);
        break;
      case Kind::kReplaceText:
        text = replaced(text, step.from, step.to);
        break;
      case Kind::kReplaceRuns:
        text = replaced_runs(text, step.pattern, step.to);
        break;
      case Kind::kPrepend:
        if (!text.empty()) text = step.to + text;
        break;
      case Kind::kNfc:
        text = composed(text, kCompose);
        break;
      case Kind::kNfd:
        text = composed(text, kStable | UTF8PROC_DECOMPOSE);
        break;
      case Kind::kNfkc:
        text = composed(text, kCompose | UTF8PROC_COMPAT);
        break;
      case Kind::kNfkd:
        text = composed(text, kStable | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
        break;
      case Kind::kPrecompiled:
        text = step.map->apply(text);
        break;
    }
  }
  return text;
}

}  // namespace consort
