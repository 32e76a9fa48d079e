// The byte-level BPE of CLIP: lower-cased text, the last symbol of a word marked "</w>", spaces dropped.
// Source: Radford et al. 2021, clip/simple_tokenizer.py; as in the tokenizer.json of transformers (NFC,
// spaces collapsed, lower case; split by contractions, letters, single numbers, runs of other characters).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/byte_bpe.h"
#include "models/tokenizer/gguf_tokenizer.h"

namespace consort {

class ClipBpe final : public GgufTokenizer {
 public:
  // Ids of a byte inside a word and at its end.
  struct ByteIds {
    std::array<TokenId, 256> inside, last;
  };
  ClipBpe(TokenTable table, std::vector<TokenType> types, SpecialMatcher matcher, TokenRoles roles,
          MergeTable merges, ByteIds bytes)
      : GgufTokenizer(std::move(table), std::move(types), std::move(matcher), std::move(roles)),
        merges_(std::move(merges)),
        bytes_(bytes) {}
  std::string kind() const override { return "bpe/clip"; }

 protected:
  void encode_ordinary(std::string_view text, bool after_special, std::vector<TokenId>& out) const override;

 private:
  void encode_word(std::string_view word, std::vector<TokenId>& out) const;

  MergeTable merges_;
  ByteIds bytes_;
};

// From a folder's tokenizer.json (model BPE with "</w>") or vocab.json and merges.txt. Errors: kNotFound when
// there is neither; kUnsupported for other pipelines; kCorrupt for damaged tables.
Result<std::unique_ptr<Tokenizer>> load_clip_bpe(const std::string& folder);

}  // namespace consort
