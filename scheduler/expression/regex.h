// Regex: regular expressions for `test` and JSON Schema's `pattern`, matched in time proportional to text
// times pattern (a simulated automaton, no backtracking), so that no pattern from outside can hang a run.
//
// Accepted: literals, `.`, classes `[a-z]`, `[^...]` with ranges and escapes, `\d \w \s \D \W \S`, `\p{L}`
// and the other Unicode general categories, `\t \n \r \f \v \0 \xHH \uHHHH \x{H...} \u{H...} \cX`, escaped
// punctuation, anchors `^ $ \b \B \A \z \Z`, groups `( )`, `(?: )`, `(?<name> )`, alternation, and `* + ? {n}
// {n,} {n,m}` with lazy forms (`*?` means the same here: only whether there is a match counts). Refused by
// name: backreferences, look-around, atomic groups, possessive quantifiers, inline flags, POSIX classes,
// nested classes and class set operations.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"

namespace consort {

struct RegexOptions {
  bool ignore_case = false;           // jq flag i; simple case folding
  bool extended = false;              // jq flag x; white space and # comments in the pattern mean nothing
  bool dot_all = false;               // jq flag p; '.' also matches a line end
  bool not_empty = false;             // jq flag n; an empty match does not count
  bool unicode_classes = true;        // \d \w \s know all of Unicode (Oniguruma); false: ASCII (ECMA 262)
  bool dollar_before_newline = true;  // '$' also before a final line end (Oniguruma); false: ECMA 262
};

// Immutable; any thread may match.
class Regex {
 public:
  static constexpr std::size_t kMaxPatternBytes = 4096;
  static constexpr std::size_t kMaxInstructions = 8192;

  // kUnsupported for syntax outside the list above, kInvalid for broken syntax; `where` is the pattern with
  // the byte offset.
  static Result<Regex> compile(std::string_view pattern, const RegexOptions& options = {});

  // Does the pattern match anywhere in the text (UTF-8)? Costs at most (code points + 1) * size() steps.
  bool search(std::string_view text) const;
  std::size_t size() const { return code_.size(); }  // instructions

 private:
  friend class RegexParser;
  friend class RegexMatcher;
  enum class Kind : std::uint8_t { kSet, kSplit, kJump, kAssert, kMatch };
  enum class Assertion : std::uint8_t { kBegin, kEnd, kEndOrNewline, kWord, kNotWord };
  struct Range {
    char32_t first, last;
  };
  struct Set {
    std::vector<Range> ranges;
    std::vector<std::uint32_t> categories;  // masks of general categories that are in
    bool negated = false;
  };
  struct Instruction {
    Kind kind;
    Assertion assertion = Assertion::kBegin;
    std::uint32_t a = 0, b = 0;  // targets; a = set number for kSet
  };
  bool contains(const Set& set, char32_t c) const;
  bool holds(Assertion assertion, std::string_view text, std::size_t at) const;
  static bool in_set(const Set& set, char32_t c);

  RegexOptions options_;
  std::vector<Instruction> code_;
  std::vector<Set> sets_;
  Set word_;
};

}  // namespace consort
