// ByteCover: one model's distribution of the next byte, exact, while a text grows. The text so far can be cut
// into tokens in many ways; a cover is such a sequence whose last token may still be incomplete. Each state
// is the language model behind some complete tokens and a node of the trie below it; its weight is the
// probability of those tokens and of the bytes behind them. When a byte completes tokens of a state, each of
// these forks a new state at the root, which needs a forward pass; the state itself goes on with the tokens
// that are longer. Source: as byte_vocabulary.h; pruning and lazy forks follow Vieira et al. 2024, section 4.
//
// The heavy states may come to nothing: they are in the middle of long tokens when another byte comes, or the
// filter forbids what they become. Then what was pruned is all that there is. Who meets a byte like that covers
// the last bytes again, with a cover that is held (hold()): see scheduler/decode.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "models/alphabet/byte_vocabulary.h"
#include "models/alphabet/canonical_filter.h"
#include "models/alphabet/cover_options.h"
#include "models/alphabet/own_cut.h"
#include "models/alphabet/token_masses.h"

namespace consort {

// No model inside: the caller computes rows. One thread at a time. The vocabulary and the filter must outlive
// it.
class ByteCover {
 public:
  using Handle = std::int64_t;
  struct Fork {
    Handle parent = -1, child = -1;
    TokenId token = -1;
  };
  // What happened to the probability when a byte came: of the byte itself, and of what was given up then, as
  // shares of everything that was alive behind it.
  struct Step {
    double probability = 0;    // of the byte, normalised over the alphabet
    double pruned = 0;         // at most options.prune, unless max_states cut more
    double not_canonical = 0;  // dropped by the filter
  };
  using Distribution = std::array<double, kByteSymbols>;

  // filter: null without options.canonical.
  ByteCover(const ByteVocabulary& vocabulary, CoverOptions options, const CanonicalFilter* filter)
      : vocabulary_(vocabulary), options_(options), filter_(filter) {}

  // Forgets all states; one new at the root. `recent`: the ordinary tokens right before, for the filter. The
  // returned handle needs a row.
  Handle restart(std::span<const TokenId> recent);
  // The covers that begin with these tokens are kept, whatever they weigh and whatever the filter says.
  // REQUIRES: right behind restart().
  void hold(std::vector<OwnToken> path) {
    held_ = std::move(path);
    states_.back().held = 0;
  }
  // The row after the tokens of `handle`. REQUIRES: restart() or consume() gave the handle and it is not
  // dropped.
  void supply(Handle handle, TokenMasses masses);
  bool ready() const;  // every state has its row

  // Goes on with `byte`; `forks` gets the states that now need rows. A probability of 0: no cover is left,
  // the states are gone; restart() from the text's own encoding (healing). REQUIRES: ready().
  Step consume(std::uint8_t byte, std::vector<Fork>& forks);
  // Sums to 1. REQUIRES: ready() and a state.
  Distribution distribution() const;
  // Handles that are not needed any more since the last call.
  std::vector<Handle> take_dropped() { return std::exchange(dropped_, {}); }
  std::size_t states() const { return states_.size(); }

 private:
  struct State {
    Handle handle = -1;
    TrieNode node;
    double weight = 0;  // shares; they sum to 1
    std::shared_ptr<const TokenMasses> masses;
    std::vector<TokenId> recent;  // tokens before the node, the last few
    int held = -1;                // its tokens are so many of the held ones; -1: others
  };
  struct Candidate {
    State state;
    TokenId token = -1;  // of a fork; -1: the state itself, goes on
    bool held = false;
  };
  double open_mass(const State& s) const;  // of the tokens longer than the node
  void branch(const State& s, std::uint8_t byte, std::vector<Candidate>& out, Step& step) const;
  void prune(std::vector<Candidate>& all, Step& step);

  const ByteVocabulary& vocabulary_;
  const CoverOptions options_;
  const CanonicalFilter* filter_;
  std::vector<State> states_;
  std::vector<OwnToken> held_;
  std::vector<Handle> dropped_;
  Handle next_ = 0;
};

}  // namespace consort
