// A language model over 20 tokens and its exact byte probabilities by enumeration. Only tests include it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/alphabet/byte_vocabulary.h"

namespace consort::toy {

// Ids 0 and 1 are control tokens, 2 and 3 end the generation, 4 says "b" as 6 does (byte fallback).
inline const std::vector<std::string>& token_bytes() {
  static const std::vector<std::string> bytes = {"",   "",    "",     "",     "b",    "a",   "b",
                                                 "c",  "ab",  "bc",   "ca",   "aa",   "abc", "bca",
                                                 "cc", "cab", "abca", "bcab", "\xff", "aab"};
  return bytes;
}
inline const std::vector<TokenId>& ends() {
  static const std::vector<TokenId> ids = {2, 3};
  return ids;
}

// Weights of the next token after `tokens`: a hash, so that every history differs.
inline std::vector<float> weights_after(std::span<const TokenId> tokens) {
  std::uint64_t h = 0x1234567;
  for (const TokenId t : tokens)
    h = (h ^ static_cast<std::uint64_t>(t + 3)) * 0x9e3779b97f4a7c15ull + (h >> 29);
  std::vector<float> out;
  for (std::uint64_t v = 0; v < token_bytes().size(); ++v) {
    std::uint64_t x = (h ^ (v + 1)) * 0xbf58476d1ce4e5b9ull;
    x ^= x >> 31;
    out.push_back(static_cast<float>(x >> 44) / 65536.0F + 0.01F);
  }
  return out;
}
inline double sum_of(std::span<const float> weights) {
  double sum = 0;
  for (const float w : weights) sum += static_cast<double>(w);
  return sum;
}

// P(token | tokens, not a control token).
inline double token_probability(std::span<const TokenId> tokens, TokenId next) {
  const auto w = weights_after(tokens);
  return static_cast<double>(w[static_cast<std::size_t>(next)]) /
         (sum_of(w) - static_cast<double>(w[0]) - static_cast<double>(w[1]));
}

// Sum over all token sequences whose bytes begin with `text` and of which no shorter one does, given
// `tokens`.
inline double cover_probability(std::vector<TokenId>& tokens, std::string_view text) {
  if (text.empty()) return 1;
  double sum = 0;
  for (TokenId id = 4; id < static_cast<TokenId>(token_bytes().size()); ++id) {
    const std::string& bytes = token_bytes()[static_cast<std::size_t>(id)];
    if (bytes.size() >= text.size() ? bytes.substr(0, text.size()) != text
                                    : text.substr(0, bytes.size()) != bytes)
      continue;
    const double p = token_probability(tokens, id);
    if (bytes.size() >= text.size()) {
      sum += p;
      continue;
    }
    tokens.push_back(id);
    sum += p * cover_probability(tokens, text.substr(bytes.size()));
    tokens.pop_back();
  }
  return sum;
}
// Sum over the sequences that are exactly `text` of P(sequence) P(end | sequence).
inline double ending_probability(std::vector<TokenId>& tokens, std::string_view text) {
  if (text.empty()) return token_probability(tokens, 2) + token_probability(tokens, 3);
  double sum = 0;
  for (TokenId id = 4; id < static_cast<TokenId>(token_bytes().size()); ++id) {
    const std::string& bytes = token_bytes()[static_cast<std::size_t>(id)];
    if (text.substr(0, bytes.size()) != bytes) continue;
    const double p = token_probability(tokens, id);
    tokens.push_back(id);
    sum += p * ending_probability(tokens, text.substr(bytes.size()));
    tokens.pop_back();
  }
  return sum;
}
inline double prefix_probability(std::string_view text) {
  std::vector<TokenId> tokens;
  return cover_probability(tokens, text);
}

}  // namespace consort::toy
