// TextNormalizer: the "normalizer" of a Hugging Face tokenizer.json as a list of steps: what a text goes
// through before it becomes tokens. Used by the unigram tokenizer. Immutable after building; any thread.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace consort {

// SentencePiece's compiled table of replacements: a double-array trie (Aoe 1989; the units' bits as in darts)
// over a text of replacements that end with zero bytes. All bounds are checked while it is used.
class PrecompiledMap {
 public:
  // `bytes`: the trie's size in bytes, 32 bits, its units, the replacements. false: not such a table.
  bool read(std::string_view bytes);
  // Every grapheme cluster below six bytes, else each of its characters, becomes the replacement of the
  // shortest entry that it begins with (as Hugging Face's tokenizers do it; the rest of it is dropped).
  std::string apply(std::string_view text) const;

 private:
  const char* find(std::string_view chunk, std::size_t& size) const;  // null: none

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

// A character class with a quantifier, of the few regular expressions that vocabularies use: "\s+", " {2,}",
// "[!\"#]", "x".
struct RunPattern {
  bool spaces = false;  // \s: Unicode white space
  std::vector<std::pair<char32_t, char32_t>> ranges;
  std::size_t least = 1;
  bool many = false;  // any number from `least` on, else exactly `least`

  // false: another expression than these.
  static bool parse(std::string_view regex, RunPattern& out);
  bool holds(char32_t code) const;
};

struct NormalizerStep {
  enum class Kind {
    kLower,
    kStripLeft,
    kStripRight,
    kReplaceText,
    kReplaceRuns,
    kPrepend,
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kPrecompiled
  };
  Kind kind = Kind::kLower;
  std::string from, to;  // kReplaceText; `to` also of kReplaceRuns and kPrepend
  RunPattern pattern;    // kReplaceRuns
  std::shared_ptr<const PrecompiledMap> map;
};

class TextNormalizer {
 public:
  TextNormalizer() = default;
  explicit TextNormalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {}
  // Broken UTF-8 becomes U+FFFD first.
  std::string apply(std::string_view text) const;

 private:
  std::vector<NormalizerStep> steps_;
};

bool is_white_space(char32_t code);  // Unicode's White_Space

}  // namespace consort
