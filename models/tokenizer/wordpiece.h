// WordPiece of uncased BERT (Schuster 2012; Devlin 2018): greedy longest match from the left inside each
// word. Read from a Hugging Face folder's tokenizer.json, or vocab.txt where there is none. Immutable; any
// thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/special_matcher.h"
#include "models/tokenizer/token_table.h"
#include "models/tokenizer/tokenizer.h"

namespace consort {

struct WordPieceVocabulary {
  struct Special {
    std::string text;
    TokenId id;
    bool control;  // false: an added token that matches everywhere
  };
  std::vector<std::string> tokens;  // by id
  std::vector<Special> specials;
  std::string continuation = "##";
  std::size_t max_word_characters = 100;
  TokenId unknown = -1, cls = -1, sep = -1;
};

// The bytes of a tokenizer.json or a vocab.txt (one token a line). Both are taken as hostile. Errors:
// kCorrupt (not JSON, ids not 0..n-1, too large), kUnsupported (another model or normaliser, named), kInvalid
// (no [UNK], [CLS] or [SEP]). `where` stands in messages.
Result<WordPieceVocabulary> parse_tokenizer_json(std::string_view bytes, const std::string& where);
Result<WordPieceVocabulary> parse_vocab_txt(std::string_view bytes, const std::string& where);

class WordPiece final : public Tokenizer {
 public:
  explicit WordPiece(const WordPieceVocabulary& vocabulary);

  std::string kind() const override { return "wordpiece"; }
  int vocab_size() const override { return table_.size(); }
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  std::vector<TokenId> encode_with_literals(std::string_view text,
                                            std::span<const ByteRange> literal) const override;
  // Words joined by one space; a joined text is not the text that was encoded (case, accents and spaces are
  // lost).
  Result<std::string> decode(std::span<const TokenId> ids, bool specials) const override;
  std::string token_bytes(TokenId id) const override;  // " word", or the text behind ##

  std::optional<TokenId> bos() const override { return cls_; }
  std::optional<TokenId> eos() const override { return sep_; }
  bool adds_bos() const override { return true; }
  bool is_end_of_generation(TokenId id) const override { return id == sep_; }
  bool is_special(TokenId id) const override;
  std::optional<TokenId> find(std::string_view token_text) const override;

 private:
  void encode_cut(std::string_view text, const std::vector<SpecialMatch>& cuts,
                  std::vector<TokenId>& out) const;
  void encode_word(std::string_view word, std::string& buffer, std::vector<TokenId>& out) const;

  TokenTable table_;
  SpecialMatcher matcher_;
  std::vector<TokenId> specials_;  // ascending
  std::string continuation_;
  std::size_t max_word_characters_;
  TokenId unknown_, cls_, sep_;
};

// Errors: kNotFound when the folder has neither file; as the parsers.
Result<std::unique_ptr<Tokenizer>> load_wordpiece(const std::string& folder);

}  // namespace consort
