// SentencePiece BPE as GGUF files of tokenizer model `llama` hold it (Kudo 2018, "SentencePiece"): characters
// are merged where the joined text is a token, the highest score first, ties to the left; what remains
// without a token becomes its bytes (<0x41>). Within this class the stand-in U+2581 of the space is a space:
// both mean the same.
#pragma once

#include <array>
#include <bitset>
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/gguf_tokenizer.h"

namespace consort {

class SentencePieceBpe final : public GgufTokenizer {
 public:
  struct Parts {
    TokenTable table;
    std::vector<TokenType> types;
    SpecialMatcher matcher;
    TokenRoles roles;
    std::vector<float> scores;
    std::array<TokenId, 256> byte_ids;  // -1: the vocabulary has no token for this byte
    bool space_prefix = true;           // text after a special token, or the first, gets a space in front
  };
  explicit SentencePieceBpe(Parts parts);
  std::string kind() const override { return "spm"; }
  bool adds_leading_space() const override { return space_prefix_; }

 protected:
  void encode_ordinary(std::string_view text, bool after_special, std::vector<TokenId>& out) const override;
  bool strips_leading_space() const override { return space_prefix_; }

 private:
  struct Symbol {
    std::uint32_t begin, end;  // byte range of the segment
    std::int32_t previous, next;
    TokenId id;  // -1: no token has this text
  };
  struct Merge {
    float score;
    std::int32_t left;
    std::uint32_t end;
    TokenId result;
    bool operator<(const Merge& other) const {  // std::priority_queue gives the largest first
      return score != other.score ? score < other.score : left > other.left;
    }
  };
  void note_borders(std::string_view text);
  void encode_segment(std::string_view segment, std::vector<TokenId>& out) const;
  void merge_short(std::string_view segment, std::vector<Symbol>& symbols, std::vector<TokenId>& out) const;
  void merge_long(std::string_view segment, std::vector<Symbol>& symbols, std::vector<TokenId>& out) const;
  void emit(std::string_view segment, const Symbol& symbol, std::vector<TokenId>& out) const;

  std::vector<float> scores_;
  std::array<TokenId, 256> byte_ids_;
  bool space_prefix_;
  // Bit (last byte of one character, first byte of the next): the two stand side by side in some token. Where
  // the bit is clear no merge can cross, so a text falls into short independent segments (mostly words).
  std::unique_ptr<std::bitset<65536>> joined_;
};

}  // namespace consort
