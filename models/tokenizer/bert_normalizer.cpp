#include "models/tokenizer/bert_normalizer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include "models/tokenizer/utf8.h"

namespace consort {

namespace {

struct ClassRange {
  std::uint32_t first, last;
  char cls;
};
struct MapRun {
  std::uint32_t first;
  std::uint16_t count;
  std::uint8_t step;
  std::uint32_t target;
};
struct MapPair {
  std::uint32_t code, target;
};
struct MapSequence {
  std::uint32_t code;
  std::array<std::uint32_t, 3> targets;
};

#include "models/tokenizer/bert_unicode_table.inc"

char class_of(char32_t c) {
  const auto* range = std::partition_point(std::begin(kClassRanges), std::end(kClassRanges),
                                           [&](const ClassRange& r) { return r.last < c; });
  return range != std::end(kClassRanges) && range->first <= c ? range->cls : 0;
}

// Decomposed and lower case: writes one to three code points, returns how many.
int mapped(char32_t c, std::array<char32_t, 3>& out) {
  constexpr char32_t kHangulFirst = 0xAC00, kHangulLast = 0xD7A3;  // Unicode 15.0, section 3.12
  if (c >= kHangulFirst && c <= kHangulLast) {
    const char32_t index = c - kHangulFirst;
    out = {0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28};
    return index % 28 == 0 ? 2 : 3;
  }
  const auto* run = std::upper_bound(std::begin(kMapRuns), std::end(kMapRuns), c,
                                     [](char32_t code, const MapRun& r) { return code < r.first; });
  if (run != std::begin(kMapRuns)) {
    --run;
    const char32_t distance = c - run->first;
    if (distance % run->step == 0 && distance / run->step < run->count) {
      out[0] = run->target + distance;
      return 1;
    }
  }
  const auto* pair = std::lower_bound(std::begin(kMapPairs), std::end(kMapPairs), c,
                                      [](const MapPair& p, char32_t code) { return p.code < code; });
  if (pair != std::end(kMapPairs) && pair->code == c) {
    out[0] = pair->target;
    return 1;
  }
  const auto* sequence = std::lower_bound(std::begin(kMapSequences), std::end(kMapSequences), c,
                                          [](const MapSequence& s, char32_t code) { return s.code < code; });
  if (sequence != std::end(kMapSequences) && sequence->code == c) {
    int count = 0;
    for (const std::uint32_t target : sequence->targets)
      if (target != 0) out[static_cast<std::size_t>(count++)] = target;
    return count;
  }
  out[0] = c;
  return 1;
}

class Splitter {
 public:
  explicit Splitter(std::size_t bytes) { words_.text.reserve(bytes + bytes / 8); }

  void cut() {
    if (words_.text.size() > (words_.ends.empty() ? 0 : words_.ends.back()))
      words_.ends.push_back(words_.text.size());
  }
  void put(char32_t c, bool alone) {
    if (alone) cut();
    append_utf8(words_.text, c);
    if (alone) cut();
  }
  BertWords take() {
    cut();
    return std::move(words_);
  }

 private:
  BertWords words_;
};

struct AsciiFate {
  char lower;
  char cls;
};

const std::array<AsciiFate, 128>& ascii_fates() {
  static const std::array<AsciiFate, 128> table = [] {
    std::array<AsciiFate, 128> fates{};
    for (char32_t c = 0; c < 128; ++c)
      fates[c] = {static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c), class_of(c)};
    return fates;
  }();
  return table;
}

}  // namespace

BertWords bert_words(std::string_view text) {
  const auto& ascii = ascii_fates();
  Splitter out(text.size());
  std::array<char32_t, 3> targets;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = utf8_at(text, at);
    at += c.bytes;
    if (c.code == kBrokenUtf8) continue;
    if (c.code < 128) {
      const AsciiFate fate = ascii[c.code];
      if (fate.cls == 'S')
        out.cut();
      else if (fate.cls != 'R')
        out.put(static_cast<char32_t>(fate.lower), fate.cls == 'P');
      continue;
    }
    const char cls = class_of(c.code);
    if (cls == 'R' || cls == 'M') continue;
    if (cls == 'S') {
      out.cut();
      continue;
    }
    const int count = mapped(c.code, targets);
    const bool changed = count != 1 || targets[0] != c.code;
    for (int i = 0; i < count; ++i) {
      const char32_t target = targets[static_cast<std::size_t>(i)];
      const bool punctuation = (changed ? class_of(target) : cls) == 'P';
      out.put(target, punctuation || cls == 'C');
    }
  }
  return out.take();
}

}  // namespace consort
