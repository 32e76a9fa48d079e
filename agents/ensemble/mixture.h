// Bayesian mixture of models over one text, by their code lengths. Every member's likelihood of the whole
// text is weighted with its prior; the mixture's probability is their sum, so its code is never longer than
// the best member's by more than -log2(prior of that member): log2(M) bits for M members of equal weight.
// (The mixture is over whole texts, exact from totals alone; mixing token by token needs a common
// vocabulary.) Source: Bayesian mixture codes, P. Grunwald, The Minimum Description Length Principle (2007),
// chapter 6. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "memory/base/status.h"

namespace consort {

// What one member says about the text.
struct TextLikelihood {
  std::string name;
  double weight = 1;      // >= 0; priors are the normalised weights
  double nll_nats = 0;    // of the bytes it scored
  std::size_t bytes = 0;  // how many those were
};

struct TextMixture {
  double nll_nats = 0;                     // of the whole text under the mixture
  double bits_per_byte = 0;                // over all bytes of the text
  std::vector<double> member_nats;         // code length of the whole text under each member
  std::vector<double> priors, posteriors;  // each sums to 1
  double entropy = 0;                      // nats, of the posteriors: which member the text speaks for
};

// A member that did not score some bytes (the first token of a chunk where the model has no BOS) pays 8 bits
// for each of those, so that all code the same text. Result does not depend on the members' order. Errors:
// kInvalid for no members, a negative or non-finite weight or likelihood, no positive weight, more scored
// bytes than there are.
Result<TextMixture> mix_texts(const std::vector<TextLikelihood>& members, std::size_t text_bytes);

}  // namespace consort
