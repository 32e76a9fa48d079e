// Byte-level BPE (Radford 2019; Sennrich 2016): a text is cut into pieces, a piece into bytes, and
// neighbouring symbols are merged by rank, lowest first, ties to the left. Bytes for which the vocabulary has
// no token vanish.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "models/tokenizer/gguf_tokenizer.h"
#include "models/tokenizer/splitter.h"

namespace consort {

// (left id, right id) -> rank and merged id; open addressing, 16 bytes a slot.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t left = kEmpty, right = kEmpty, rank = kEmpty;
    TokenId result = -1;
  };
  static constexpr std::uint32_t kEmpty = 0xFFFFFFFF;

  void reserve(std::size_t merges);
  // The first of two equal pairs counts (it has the lower rank). REQUIRES: at most the reserved number of
  // calls.
  void add(TokenId left, TokenId right, std::uint32_t rank, TokenId result);
  // rank == kEmpty when the pair does not merge.
  const Merge& find(TokenId left, TokenId right) const;

 private:
  std::vector<Merge> slots_;
  std::size_t mask_ = 0;
  Merge none_;
};

class ByteBpe final : public GgufTokenizer {
 public:
  struct Parts {
    TokenTable table;
    std::vector<TokenType> types;
    SpecialMatcher matcher;
    TokenRoles roles;
    MergeTable merges;
    std::string pre_name;
    PreTokenizer pre;
    bool whole_words = false;  // a piece that is a token as it stands is not merged (llama-bpe)
  };
  explicit ByteBpe(Parts parts);
  std::string kind() const override { return "bpe/" + pre_name_; }

 protected:
  void encode_ordinary(std::string_view text, bool after_special, std::vector<TokenId>& out) const override;

 private:
  void encode_piece(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_short(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_long(std::string_view piece, std::vector<TokenId>& out) const;

  MergeTable merges_;
  std::string pre_name_;
  PreTokenizer pre_;
  bool whole_words_;
  std::array<TokenId, 256> byte_ids_;
};

}  // namespace consort
