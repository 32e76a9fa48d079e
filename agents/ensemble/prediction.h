// The prediction table: everything members said about one item, recorded once. Every strategy is a pure
// function of it, so combinations are replayed, tested and bootstrapped without inference. Plain data; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

// What one member spent on the item.
struct MemberCost {
  std::int64_t tokens = 0;     // prompt and completion together
  double milliseconds = 0;     // of the device
  double flop = 0, bytes = 0;  // arithmetic and memory traffic by the model's cost figures
};

// Log-probability of one candidate under one member.
struct CandidateScore {
  double logprob_nats = 0;  // of the whole candidate given the prompt; <= 0
  std::size_t bytes = 0;    // UTF-8 bytes that were scored
  int tokens = 0;
};

struct MemberPrediction {
  std::string name;
  double weight = 1;                 // >= 0; not normalised
  std::optional<double> validation;  // score on validation data, higher is better; the last tie rule
  // Answer level (vote, weightedVote): what the member wrote, and how likely it found its own text.
  std::optional<std::string> answer;
  double answer_logprob_nats = 0;
  std::size_t answer_bytes = 0;
  // Candidate level (rank, linearPool, logPool): one score a candidate of the table, in its order.
  std::vector<CandidateScore> scores;
  MemberCost cost;
  std::optional<Error> error;  // a failed member: it has no say and is listed as missing
};

struct PredictionTable {
  std::vector<std::string> candidates;  // the choices; letter answers are matched against them as well
  std::vector<MemberPrediction> members;
};

// {candidates, members: [{name, weight, validation, answer, logprobNats, bytes, scores: [{logprobNats, bytes,
// tokens}], cost: {tokens, milliseconds, flop, bytes}, error}]}, and back. Reading is strict (kInvalid with
// the JSON Pointer in `where`).
Value to_value(const PredictionTable& table);
Result<PredictionTable> prediction_table_from(const Value& v);
Value to_value(const MemberCost& cost);

}  // namespace consort
