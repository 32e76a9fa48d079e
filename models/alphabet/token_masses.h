// TokenMasses: what one row of logits says about every byte prefix, as sums over ranges of the sorted
// vocabulary. The probabilities are those of the tokens under the condition that the token is not outside the
// alphabet (control tokens), so that the masses of the 256 bytes and of the end sum to 1 at the root.
//
// Sums are of float64 over blocks of 64 and of 4,096 tokens, and never differences: a range keeps its
// relative precision however small it is (differences of running sums lose what is below 1e-16 of the whole
// row).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/alphabet/byte_vocabulary.h"

namespace consort {

// A value of one thread at a time for writing, any for reading. 4 bytes a token.
class TokenMasses {
 public:
  TokenMasses() = default;
  // weights[id] >= 0, proportional to the tokens' probabilities, with their sum; at least vocab_size of them
  // (padded heads may have more). Only places of `within` are kept: mass() of nodes outside is not defined.
  TokenMasses(const ByteVocabulary& vocabulary, std::span<const float> weights, double sum,
              const TrieNode& within);

  double mass(const TrieNode& node) const { return range(node.begin, node.end); }
  double range(std::uint32_t begin, std::uint32_t end) const;  // tokens at places [begin, end)
  double token(std::uint32_t place) const { return static_cast<double>(sorted_[place - first_]) * scale_; }
  double end() const { return end_; }  // of the end symbol, at the root

 private:
  std::uint32_t first_ = 0;  // place of sorted_[0], a multiple of kWide
  double scale_ = 0, end_ = 0;
  std::vector<float> sorted_;
  std::vector<double> blocks_, wide_;
};

}  // namespace consort
