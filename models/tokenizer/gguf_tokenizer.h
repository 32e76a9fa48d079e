// What the two GGUF tokenizers (byte-level BPE and SentencePiece BPE) share: token texts, special tokens,
// roles, cutting a text at special tokens, and decoding. Subclasses say how ordinary text becomes tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/gguf_vocabulary.h"
#include "models/tokenizer/special_matcher.h"
#include "models/tokenizer/token_table.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

class GgufTokenizer : public Tokenizer {
 public:
  int vocab_size() const override { return table_.size(); }
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  std::vector<TokenId> encode_with_literals(std::string_view text,
                                            std::span<const ByteRange> literal) const override;
  Result<std::string> decode(std::span<const TokenId> ids, bool specials) const override;
  std::string token_bytes(TokenId id) const override;

  std::optional<TokenId> bos() const override { return roles_.bos; }
  std::optional<TokenId> eos() const override { return roles_.eos; }
  bool adds_bos() const override { return roles_.adds_bos; }
  bool is_end_of_generation(TokenId id) const override;
  bool is_special(TokenId id) const override;
  std::optional<TokenId> find(std::string_view token_text) const override;

 protected:
  // `table` holds the bytes that each token stands for (its text, for control and user-defined ones).
  GgufTokenizer(TokenTable table, std::vector<TokenType> types, SpecialMatcher matcher, TokenRoles roles)
      : table_(std::move(table)),
        types_(std::move(types)),
        matcher_(std::move(matcher)),
        roles_(std::move(roles)) {}

  // Appends the ids of text without special tokens. `after_special`: it opens the text or follows a special
  // token.
  virtual void encode_ordinary(std::string_view text, bool after_special,
                               std::vector<TokenId>& out) const = 0;
  // A stretch of text between special tokens; `first`: it opens the text. By default encode_ordinary.
  virtual void encode_stretch(std::string_view text, bool first, std::vector<TokenId>& out) const {
    static_cast<void>(first);
    encode_ordinary(text, true, out);
  }
  // Whether decoding takes one leading space away (SentencePiece's dummy prefix).
  virtual bool strips_leading_space() const { return false; }

  bool known(TokenId id) const { return id >= 0 && id < table_.size(); }
  TokenType type(TokenId id) const { return types_[static_cast<std::size_t>(id)]; }

  TokenTable table_;
  std::vector<TokenType> types_;
  SpecialMatcher matcher_;
  TokenRoles roles_;

 private:
  void encode_cut(std::string_view text, const std::vector<SpecialMatch>& cuts,
                  std::vector<TokenId>& out) const;
};

// Loaders of the two kinds. Errors: kUnsupported (pre-tokenizer, by name), kCorrupt (tables).
Result<std::unique_ptr<Tokenizer>> load_byte_bpe(const WeightSource& source,
                                                 const GgufVocabulary& vocabulary);
Result<std::unique_ptr<Tokenizer>> load_sentencepiece_bpe(const WeightSource& source,
                                                          const GgufVocabulary& vocabulary);

}  // namespace consort
