// EnsembleStrategy: one way to combine members. One folder each (vote/, rank/, ...); the list in
// CMakeLists.txt of this folder generates the registration. Strategies are stateless and pure: same table and
// options, same result, whatever the order of members or candidates; any thread may call them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/ensemble/prediction.h"
#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

// What a strategy reads of the table, so that a handler knows what to ask the members for.
enum class PredictionNeed {
  kAnswers,  // members[].answer with its log-probability and bytes (one generation a member)
  kScores,   // candidates and members[].scores (one scoring pass a member)
};

// One candidate or group of equal answers, best first.
struct RankedAnswer {
  std::string answer;     // a candidate, or the group's answer in the words of its likeliest member
  std::string canonical;  // what was compared (votes); the candidate itself otherwise
  std::optional<std::size_t> candidate;  // its place in table.candidates
  double score = 0;                  // sum of weights (votes), pooled score (rank), log-probability (pools)
  double probability = 0;            // of the combined distribution; sums to 1
  std::vector<std::string> members;  // votes: who gave it
};

// How a tie at the top was settled: "none" (there was none), "weight", "logprob", "validation", or
// "unbroken": all rules left them equal, and the answer that sorts first as text is given so that the result
// is still a function of the table alone.
struct TieInfo {
  std::string rule = "none";
  std::vector<std::string> among;  // the answers that were tied before the rule
};

// Doubt about the combined distribution; all by the natural logarithm.
struct Signals {
  double entropy = 0;  // nats, of the combined distribution
  double margin = 0;   // probability of the first less that of the second (1 when there is one answer)
  double disagreement =
      0;                  // votes, rank: share of weight whose own first choice is not the answer;
                          // pools: Jensen-Shannon divergence of the members in nats (total less mean entropy)
  double confidence = 0;  // probability of the answer
};

struct MemberReport {
  std::string name;
  std::string answer;     // as the member gave it, or its own first candidate
  std::string canonical;  // votes: what was compared; empty when it abstained
  std::string reason;     // votes: the canonicaliser's reason code; "error" for a failed member
  bool abstained = false;
  double score = 0;   // log-probability per byte of its answer, nats
  double weight = 0;  // as used: normalised over the members that took part
  MemberCost cost;
  std::optional<Error> error;
};

struct EnsembleResult {
  std::string strategy;
  std::string answer;  // of ranking[0]
  std::optional<std::size_t> candidate;
  std::vector<RankedAnswer> ranking;
  TieInfo tie;
  Signals signals;
  std::vector<MemberReport> members;  // in the table's order
  std::vector<std::string> missing;   // names of failed members
  MemberCost cost;                    // sum over members

  // {answer, candidate, ranking, members, missing, combined: {strategy, tie}, signals, cost}: the `ensemble`
  // task's output. `wanted` names the signals to show; empty = all.
  Value to_value(const std::vector<std::string>& wanted_signals = {}) const;
};

class EnsembleStrategy {
 public:
  virtual ~EnsembleStrategy() = default;
  virtual std::string_view name() const = 0;  // as in a workflow: "weightedVote"
  virtual PredictionNeed needs() const = 0;
  virtual const Value& options_schema() const = 0;  // JSON Schema of `options`
  virtual const Value& recorded_case() const = 0;   // case.json: {table, options, expect}, a worked example
  // kInvalid: options or table are malformed. kRuntime: nobody took part (all failed or abstained).
  virtual Result<EnsembleResult> combine(const PredictionTable& table, const Value& options) const = 0;
};

// All strategies, in the order of CMakeLists.txt.
const std::vector<const EnsembleStrategy*>& ensemble_strategies();
const EnsembleStrategy* find_ensemble_strategy(std::string_view name);  // nullptr when there is none
std::string ensemble_strategy_names();  // "vote, weightedVote, ..." for messages

// Validates options against the strategy's schema, checks the table, leaves failed members out as the policy
// says, combines. The one entry for handlers and commands.
struct MemberPolicy {
  bool report_errors = false;   // onMemberError: report (false: fail, the first member's error is the call's)
  std::size_t min_members = 1;  // with report: fewer members than this is an error (kUnavailable)
};
Result<EnsembleResult> combine_predictions(std::string_view strategy, const PredictionTable& table,
                                           const Value& options, const MemberPolicy& policy = {});

}  // namespace consort
