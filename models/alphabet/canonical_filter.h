// CanonicalFilter: would the tokenizer itself emit this token after those? A byte-pair encoder gives a text
// one encoding only, and a sequence of tokens is that encoding exactly where every neighbouring pair is
// (merges inside two neighbours do not depend on what stands around them), so looking at the last pair is
// enough. Source: Hayase et al. 2025, "Sampling from Your Language Model One Byte at a Time", section 3.2;
// Berglund and van der Merwe 2023, "Formalizing BPE tokenization".
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/alphabet/byte_vocabulary.h"

namespace consort {

// Immutable; any thread. The tokenizer must outlive it.
class CanonicalFilter {
 public:
  explicit CanonicalFilter(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // `before`: the text's tokens so far, no special ones; the last kWindow are looked at, so that a
  // pre-tokenizer sees where it is. What comes behind is not known: white space, which a pre-tokenizer cuts
  // by what follows, counts as canonical when it is so at the end of the text or before a letter.
  bool allows(std::span<const TokenId> before, TokenId next) const;
  static constexpr std::size_t kWindow = 4;

 private:
  bool ends_with(std::string_view text, std::size_t next_at, std::size_t next_end, TokenId last,
                 TokenId next) const;
  const Tokenizer& tokenizer_;
};

}  // namespace consort
