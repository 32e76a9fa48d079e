// ByteVocabulary: the tokens of one tokenizer as byte strings, sorted, so that every byte prefix is a range
// of tokens: a trie without nodes in memory. Special tokens stand outside; all tokens that end a generation
// (EOS, EOT) are one further symbol behind the 256 bytes.
// Source: Phan et al. 2024, "Exact Byte-Level Probabilities from Tokenized Language Models"; Vieira et al.
// 2024, "From Language Models over Tokens to Language Models over Characters".
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace consort {

inline constexpr int kByteSymbols = 257;  // 256 bytes and the end
inline constexpr int kEndSymbol = 256;
// White space of ASCII, where pre-tokenizers begin words.
constexpr bool is_white(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// All tokens whose bytes begin with one string of `depth` bytes: [begin, end) of the sorted order.
struct TrieNode {
  std::uint32_t begin = 0, end = 0, depth = 0;
  bool empty() const { return begin == end; }
};

// Immutable; any thread. Owned by the engine of its model.
class ByteVocabulary {
 public:
  // Tokens without bytes and control tokens are outside. Costs a sort of the vocabulary (262,144 tokens:
  // about 0.1 s).
  explicit ByteVocabulary(const Tokenizer& tokenizer);
  // bytes[id]: empty for tokens outside. `ends`: ids that mean the end (their bytes are not looked at).
  ByteVocabulary(const std::vector<std::string>& bytes, std::vector<TokenId> ends);

  int vocab_size() const { return vocab_size_; }
  TrieNode root() const { return {0, static_cast<std::uint32_t>(order_.size()), 0}; }
  // The tokens of `node` that go on with `byte`; empty when there are none.
  TrieNode child(const TrieNode& node, std::uint8_t byte) const;
  // [node.begin, complete(node)): tokens that are exactly the node's string; more than one where a vocabulary
  // has a byte-fallback token beside an ordinary one.
  std::uint32_t complete(const TrieNode& node) const;
  TokenId token(std::uint32_t place) const { return order_[place]; }
  std::string_view bytes(std::uint32_t place) const {
    return std::string_view(arena_).substr(starts_[place], starts_[place + 1] - starts_[place]);
  }
  std::span<const TokenId> order() const { return order_; }
  std::span<const TokenId> ends() const { return ends_; }        // ascending
  std::span<const TokenId> outside() const { return outside_; }  // neither bytes nor end, ascending

 private:
  void build(const std::vector<std::string>& bytes);
  std::uint32_t first_not_below(const TrieNode& node, std::uint32_t from, int byte) const;

  int vocab_size_ = 0;
  std::vector<TokenId> order_, ends_, outside_;
  std::string arena_;
  std::vector<std::uint32_t> starts_;
  std::array<std::uint32_t, 257> first_{};  // root's children: [first_[b], first_[b + 1])
};

}  // namespace consort
