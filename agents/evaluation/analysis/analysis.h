// Analysis: from recorded rows to results. Pure functions of task, rows and seed; one thread, any one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agents/evaluation/analysis/contest.h"
#include "agents/evaluation/analysis/head.h"
#include "agents/evaluation/table/prediction_row.h"
#include "agents/evaluation/task/task.h"

namespace consort {

// One member's rows in the order of the task's items; items of the training split may be missing.
struct MemberTable {
  std::string name;
  std::vector<const PredictionRow*> rows;  // [task item]; nullptr: not asked (training split only)
  // Filled by prepare(): classes only, ln p over the options or labels; empty for training items.
  LogDistributions logs;
  Vectors vectors;  // [task item]; empty for members that give none
};

struct AnalysisRequest {
  const Task* task = nullptr;        // not null; splits are dealt
  std::vector<MemberTable> members;  // at least one
  std::vector<MemberTable> control;  // the best member once more for each wording or sample; may be empty
  std::string no_control;            // why there is none, for the notes
  std::vector<std::string> combine;  // names of strategies; empty = all of the kind
  std::uint64_t seed = 0;
};

// A member's table from its rows. Vectors that rows refer to are looked up. Errors: kInvalid when a row of
// the fit or test split is missing; those of the source.
using VectorLookup = std::function<Result<std::vector<float>>(const std::string& name)>;
Result<MemberTable> member_table(const Task& task, std::string name, const std::vector<PredictionRow>& rows,
                                 const VectorLookup& vectors);

// Fills `logs` of members and control: the rows' scores as they are (per byte if the task says so), or a head
// on their embeddings, fitted on the training split. Nothing for other kinds than choices and labels.
Status prepare(AnalysisRequest& request);

// What the same-compute control has to ask: the member that is best on the fit split, and how often the whole
// ensemble's FLOP (without it: tokens) on the test split pay for it, at least twice, at most `most`. none:
// `why`.
struct ControlPlan {
  std::string member;
  int copies = 0;  // 0: no control; 2: the member's own wording and one more
  std::string why;
};
ControlPlan plan_control(const AnalysisRequest& request, int most);

// The strategies that make_contest knows for a kind, in the order of its table.
std::vector<std::string> strategies_of(TaskKind kind);
// Errors: kUsage when `combine` names something that the task's kind does not have.
Status check_strategies(const AnalysisRequest& request);

// REQUIRES: prepare() was called. Errors: kUsage for a name in `combine` that the kind does not have;
// kInvalid for rows that cannot be compared.
Result<Contest> make_contest(const AnalysisRequest& request);

struct JudgeOptions {
  int resamples = 10000;  // of bootstrap and permutations; measures over many items together: at most 500
  std::uint64_t seed = 0;
  std::function<void(std::size_t done, std::size_t total)> progress;
};
// Intervals, paired tests, verdicts. Errors: kInvalid from the statistics.
Result<EvaluationResults> judge(const Contest& contest, const Task& task, const JudgeOptions& options);

}  // namespace consort
