// ByteSearch: from the members' distributions of the next byte to the bytes that all of them write next:
// greedily, drawn, or as a beam. It decides and keeps the books; whoever drives it asks the members' sessions
// (NextBytesRequest) for what it wants next.
//
// Speculation (one text): one member drafts bytes by itself, the others look at them as a whole, and verify()
// takes or replaces them one by one, so that the text is distributed as if next() had written it. A drafted
// symbol x ~ q is taken with probability min(1, p(x) / q(x)), otherwise one is drawn from max(p - q, 0)
// (Leviathan et al. 2023; Chen et al. 2023; with p of an ensemble: Fu et al. 2025). q of one model, p of
// another or of all: over bytes their tokenizers do not matter.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scheduler/decode/byte_combiner.h"
#include "scheduler/decode/step_signals.h"
#include "scheduler/decode/text_assembler.h"
#include "scheduler/host/requests.h"

namespace consort {

// Ends a text early when, with `after` bytes written or more, a mean over the bytes so far is beyond a bound.
struct DoubtBound {
  int after = 1;
  std::optional<double> entropy, disagreement;  // above it
  std::optional<double> margin, confidence;     // below it
};

struct ByteSearchOptions {
  CombinerOptions combiner;
  int max_bytes = 1024;
  int beams = 1;
  bool draw = false;  // from the combination as it is; otherwise the likeliest byte, the lower of equals
  std::uint64_t seed = 0;
  std::vector<std::string> stop;
  std::vector<int> signals_at;  // byte counts at which the means are kept
  std::optional<DoubtBound> doubt;
  bool trajectory = false;  // keep the weights before every byte
  // Speculation with `draw`: a drafted symbol is kept only if next() would have drawn it, so that the text is
  // the same with and without drafts. Fewer drafts are kept than by the ratio.
  bool same_draws = false;
};

// One text as far as it is written. Means are over its bytes (and the end, where it ended so).
struct ByteText {
  TextAssembler text;
  int bytes = 0;               // taken; a stop string's count too
  double logprob = 0;          // nats, under the combination
  std::vector<double> member_logprobs;  // nats, of each member; what a dropped one said until then
  std::vector<int> agreed;     // times that a member's own likeliest symbol was the one taken
  ByteCombiner combiner;
  StepSignals sum;
  int steps = 0;  // symbols in sum
  struct Reading {
    int byte = 0;
    StepSignals mean;  // over the bytes so far
  };
  std::vector<Reading> readings;
  std::vector<std::vector<float>> trajectory;  // [steps][members]
  std::string finish;                          // stop | length | doubt; empty while it grows
  StepSignals mean() const { return steps > 0 ? sum / steps : StepSignals{}; }
};

// One thread at a time.
class ByteSearch {
 public:
  // Errors: kInvalid for options out of range, stop strings, weights that do not fit.
  static Result<ByteSearch> create(ByteSearchOptions options, std::size_t members);

  // distributions[m]: member m's rows [strands(), 257]; dropped members' are not looked at. Gives what to
  // ask every member next; empty when the search is over.
  std::vector<StrandStep> next(std::span<const std::span<const double>> distributions);
  // One text: the symbol that a member with the distribution `q` [257] drafts, `ahead` symbols behind the text.
  int draft(std::span<const double> q, int ahead) const;
  // One text: takes `drafted`, which draft() made of `q`, or another symbol in its place, and returns it.
  // distributions as for next(). REQUIRES: not finished(), one text.
  int verify(std::span<const std::span<const double>> distributions, int drafted, std::span<const double> q);
  void drop_member(std::size_t m);  // REQUIRES: one stays
  void end_by_length();             // a member has no room for more
  std::size_t strands() const { return live_.size(); }
  bool finished() const { return live_.empty(); }
  // The best text so far; the only one without beams. After the end: the result.
  ByteText& best();

 private:
  ByteSearch(ByteSearchOptions options, ByteText first);
  struct Choice {
    std::size_t from = 0;
    int symbol = 0;
    double score = 0;
  };
  std::vector<Choice> choices(const std::vector<std::vector<double>>& combined) const;
  int pick(std::span<const double> p, int position) const;  // drawn, or the likeliest
  void take(ByteText& text, int symbol, std::span<const double> combined,
            std::span<const std::span<const double>> members) const;
  void note(ByteText& text) const;
  void finish(ByteText text);

  ByteSearchOptions options_;
  std::vector<ByteText> live_;
  std::optional<ByteText> done_;  // the best that has ended
};

}  // namespace consort
