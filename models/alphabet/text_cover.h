// TextCover: the probability of every byte of a known text, exact, under one model. As ByteCover, but since
// the text is known the rows along its own tokens (the path) are computed by prefill at once; then the forks
// that leave it, place by place, because what may be given up at a byte is known only when all states before
// it are. A row is reduced at once to the few numbers that matter here (CoverWalk).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "models/alphabet/byte_vocabulary.h"
#include "models/alphabet/canonical_filter.h"
#include "models/alphabet/cover_options.h"

namespace consort {

// One row along one text: how much probability goes on with its next d bytes, and which tokens end there.
struct CoverWalk {
  struct Token {
    TokenId id = -1;
    std::uint32_t length = 0;  // bytes
    double probability = 0;
  };
  std::vector<double> masses;  // [d - 1]: of all tokens that begin with the next d bytes or are the d bytes
  std::vector<Token> tokens;   // by length
  double end = 0;
};
// `weights` as in TokenMasses; `text`: what follows the row's tokens.
CoverWalk walk_row(const ByteVocabulary& vocabulary, std::span<const float> weights, double sum,
                   std::string_view text);

// No model inside; one thread at a time. Vocabulary and filter must outlive it.
class TextCover {
 public:
  // A state off the path: the model behind its parent's tokens and one more, which ends at byte `end`.
  struct Fork {
    int id = -1;
    int parent = -1;       // another fork; -1: the path behind its first `path` tokens
    std::size_t path = 0;
    TokenId token = -1;
    std::size_t end = 0;
    double log_weight = 0;
  };
  // `text`: the bytes to score; `path`: their own tokens with the byte where each ends, ascending to
  // text.size(). `recent`: ordinary tokens right before, for the filter (null without options.canonical).
  TextCover(std::string_view text, std::vector<TokenId> path, std::vector<std::uint32_t> ends,
            std::span<const TokenId> recent, CoverOptions options, const CanonicalFilter* filter);

  std::string_view behind(std::size_t path_row) const;  // text behind the first `path_row` path tokens
  std::string_view behind(const Fork& fork) const { return text_.substr(fork.end); }
  // Rows 0 .. path.size() - 1, each once, in any order; only then forks.
  void set_path_row(std::size_t row, CoverWalk walk) { rows_[row] = std::move(walk); }
  // The forks of the next place that has some, whose walks are to be supplied all. Empty at the end.
  std::vector<Fork> next_forks();
  void set_fork_row(std::size_t fork, CoverWalk walk) { rows_[fork] = std::move(walk); }
  // Forks that nothing goes on from any more, since the last call. Those of the last next_forks() may have
  // them as parents.
  std::vector<int> take_dropped() { return std::exchange(dropped_, {}); }

  // When next_forks() was empty. [text.size()] each.
  std::vector<double> log_probabilities() const;  // nats, of each byte after those before, normalised
  std::vector<double> kept() const;               // before byte t: the share that pruning left, >= 1 - prune
  double log_mass() const;                        // of the whole text, nothing normalised
  std::size_t forks() const { return forks_; }

 private:
  struct Node {  // a fork that has descendants
    int id = -1;
    std::vector<TokenId> recent;  // its last tokens, for the filter
  };
  struct Candidate {
    std::shared_ptr<const Node> parent;  // null: the path
    std::size_t path = 0;
    TokenId token = -1;
    double log_weight = 0;
  };
  void add_path();
  void add_state(const CoverWalk& walk, std::size_t at, double log_weight,
                 const std::shared_ptr<const Node>& parent, std::size_t path);
  std::vector<TokenId> recent_of(const Node* parent, std::size_t path) const;
  void prune(std::vector<Candidate>& all, std::size_t place);
  void find_dropped();

  std::string_view text_;
  const std::vector<TokenId> path_;
  const std::vector<std::uint32_t> ends_;
  const std::vector<TokenId> recent_;
  const CoverOptions options_;
  const CanonicalFilter* filter_;
  std::vector<CoverWalk> rows_;  // of the path, then of the open forks
  std::vector<Fork> open_;
  std::vector<std::shared_ptr<const Node>> open_nodes_;
  std::map<std::size_t, std::vector<Candidate>> candidates_;  // by the byte where they end
  std::vector<std::pair<int, std::weak_ptr<const Node>>> alive_;
  std::vector<int> dropped_;
  std::vector<double> log_z_;                      // [bytes + 1]
  std::vector<double> log_pruned_, log_filtered_;  // [bytes + 1]: given up at a byte's end
  bool begun_ = false;
  std::size_t forks_ = 0;
};

}  // namespace consort
