// SentencePiece's unigram model as tokenizer.json holds it (Kudo 2018, "Subword Regularization",
// section 3.1): of all ways to cut a text into pieces of the vocabulary the one with the highest sum of
// log-probabilities (Viterbi). A character that no piece covers costs the worst score less 10; runs of such
// characters are one unknown token, or their bytes (<0x41>) where the vocabulary falls back to bytes.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/gguf_tokenizer.h"
#include "models/tokenizer/text_normalizer.h"

namespace consort {

class Unigram final : public GgufTokenizer {
 public:
  enum class Prefix { kAlways, kFirst, kNever };  // a space in front of every segment, the text, or nothing
  struct Parts {
    TokenTable table;  // U+2581 stands as a space
    std::vector<TokenType> types;
    SpecialMatcher matcher;
    TokenRoles roles;
    std::vector<double> scores;
    std::array<TokenId, 256> byte_ids;
    bool byte_fallback = false;
    TextNormalizer normalizer;
    Prefix prefix = Prefix::kAlways;
    bool white_space_words = false;  // words are split at white space, which vanishes, and stand alone
    bool splits_words = true;        // a piece never reaches over the space in front of a word
  };
  explicit Unigram(Parts parts);
  std::string kind() const override { return "unigram"; }
  bool adds_leading_space() const override { return prefix_ != Prefix::kNever; }

 protected:
  void encode_stretch(std::string_view text, bool first, std::vector<TokenId>& out) const override;
  void encode_ordinary(std::string_view text, bool after_special, std::vector<TokenId>& out) const override;
  bool strips_leading_space() const override { return adds_leading_space(); }

 private:
  void encode_part(std::string text, bool first, std::vector<TokenId>& out) const;
  void encode_word(std::string_view word, std::vector<TokenId>& out) const;
  void emit_unknown(std::string_view text, std::vector<TokenId>& out) const;

  std::vector<double> scores_;
  std::array<TokenId, 256> byte_ids_;
  bool byte_fallback_;
  TextNormalizer normalizer_;
  Prefix prefix_;
  bool white_space_words_, splits_words_;
  double unknown_score_ = 0;
  std::vector<std::uint16_t> lengths_;  // of the pieces, different ones, ascending: what is looked up
};

// From a folder's tokenizer.json (model Unigram). Errors: kUnsupported names the normaliser, pre-tokeniser or
// post-processor that is not known; kCorrupt for damaged tables.
Result<std::unique_ptr<Tokenizer>> load_unigram(const std::string& folder);
// Whether the folder's tokenizer.json says that it is of this model. false when there is none.
bool is_unigram_folder(const std::string& folder);

}  // namespace consort
