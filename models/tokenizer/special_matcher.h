// SpecialMatcher: finds the special tokens of a vocabulary in a text. Built once when the tokenizer is loaded
// (rebuilding it for each call dominated encoding elsewhere). Immutable after building; any thread.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace consort {

struct SpecialMatch {
  std::size_t begin, end;  // byte range in the text
  TokenId id;
};

class SpecialMatcher {
 public:
  struct Entry {
    std::string_view text;  // needed while building only
    TokenId id;
    bool control;  // true: matches only where special-token text is parsed; false: matches everywhere
  };
  static constexpr std::size_t kMaxTextBytes = 4096;       // of one special token
  static constexpr std::size_t kMaxTotalBytes = 8u << 20;  // of all of them: bounds the trie

  SpecialMatcher() = default;
  // Entries with empty text are left out. REQUIRES: the bounds above (the loader checks).
  explicit SpecialMatcher(std::span<const Entry> entries);

  // Matches in text order, not overlapping. Where candidates overlap, the longer text wins wherever it
  // stands, then the one further left (the order in which llama.cpp cuts a text). Control tokens match when
  // `parse_special`, and not where they touch one of the `literal` ranges (ascending, not overlapping).
  std::vector<SpecialMatch> find(std::string_view text, bool parse_special,
                                 std::span<const ByteRange> literal = {}) const;
  // The token with exactly this text, or -1.
  TokenId exact(std::string_view text) const;

 private:
  struct Node {
    std::int32_t always = -1, control = -1;  // token ending here
  };
  struct Edge {
    std::uint32_t key = kNoKey;  // (node << 8) | byte
    std::uint32_t child = 0;
  };
  static constexpr std::uint32_t kNoKey = 0xFFFFFFFF;
  struct Query;
  struct Candidate {
    std::size_t begin, length;
    TokenId id;
  };

  std::uint32_t child(std::uint32_t node, unsigned char byte) const;  // 0 when there is none
  Candidate longest(const Query& query, std::size_t begin, std::size_t below) const;
  void resolve(const Query& query, std::vector<Candidate>& cluster, std::vector<SpecialMatch>& out) const;

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::uint32_t edge_mask_ = 0;
  std::bitset<256> first_bytes_;
};

}  // namespace consort
