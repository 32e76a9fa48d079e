#include "agents/evaluation/analysis/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "agents/evaluation/analysis/answer_contest.h"
#include "agents/evaluation/analysis/class_contest.h"
#include "agents/evaluation/analysis/class_strategies.h"
#include "agents/evaluation/analysis/pair_contest.h"
#include "agents/evaluation/analysis/retrieval_contest.h"
#include "agents/evaluation/analysis/splits.h"
#include "agents/evaluation/analysis/text_contest.h"
#include "agents/evaluation/analysis/text_table.h"

namespace consort {
namespace {

// ln softmax of a row's scores.
std::vector<double> scores_as_logs(const Task& task, const PredictionRow& row) {
  std::vector<double> out = row.scores;
  if (task.per_byte)
    for (std::size_t c = 0; c < out.size() && c < row.bytes.size(); ++c)
      if (row.bytes[c] > 0) out[c] /= static_cast<double>(row.bytes[c]);
  const double top = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (const double v : out) sum += std::exp(v - top);
  for (double& v : out) v -= top + std::log(sum);
  return out;
}

Status fill_logs(const Task& task, MemberTable& member, std::uint64_t seed) {
  if (!member.vectors.empty()) {
    CONSORT_TRY(logs, head_distributions(task, member.vectors, seed));
    member.logs = std::move(logs);
    return {};
  }
  member.logs.assign(task.items.size(), {});
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    const TaskItem& item = task.items[i];
    if (item.split == kTrainSplit) continue;
    const std::size_t wanted = task.kind == TaskKind::kLabels ? task.labels.size() : item.options.size();
    const PredictionRow& row = *member.rows[i];
    const bool finite =
        std::all_of(row.scores.begin(), row.scores.end(), [](double v) { return std::isfinite(v); });
    if (row.scores.size() != wanted || !finite)
      return fail(ErrorKind::kInvalid, fmt::format("{} finite scores are wanted", wanted),
                  member.name + ", item " + item.id);
    member.logs[i] = scores_as_logs(task, row);
  }
  return {};
}

// Mean FLOP of a member on the test split; tokens where there are none.
double price(const MemberTable& member, const Splits& splits, bool in_flop) {
  double sum = 0;
  for (const std::size_t i : splits.test)
    sum += in_flop ? member.rows[i]->flop : static_cast<double>(member.rows[i]->tokens);
  return sum;
}

// Whether a member of a text task gave more than totals: such members can be asked behind a lead-in.
bool scores_pieces(const MemberTable& member) {
  return std::all_of(member.rows.begin(), member.rows.end(), [](const PredictionRow* row) {
    return row == nullptr || !row->byte_logprobs.empty() || !row->text_tokens.ends.empty();
  });
}

double fit_score(const Task& task, const MemberTable& member) {
  switch (task.kind) {
    case TaskKind::kAnswer:
      return answer_fit_accuracy(task, member);
    case TaskKind::kPairs:
      return pair_fit_quality(task, member);
    case TaskKind::kRetrieval:
      return retrieval_fit_ndcg(task, member);
    default:
      return class_fit_accuracy(task, member);
  }
}

}  // namespace

Result<MemberTable> member_table(const Task& task, std::string name, const std::vector<PredictionRow>& rows,
                                 const VectorLookup& vectors) {
  std::map<std::string, const PredictionRow*> by_item;
  for (const PredictionRow& row : rows) by_item.emplace(row.item, &row);
  MemberTable out{std::move(name), std::vector<const PredictionRow*>(task.items.size()), {}, {}};
  bool embeds = false;
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    const auto at = by_item.find(task.items[i].id);
    if (at != by_item.end()) {
      out.rows[i] = at->second;
      embeds = embeds || !at->second->embedding.empty();
    } else if (task.items[i].split != kTrainSplit) {
      return fail(ErrorKind::kInvalid, "a row is missing", out.name + ", item " + task.items[i].id);
    }
  }
  if (!embeds) return out;
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    if (out.rows[i] == nullptr || out.rows[i]->embedding.empty())
      return fail(ErrorKind::kInvalid, "an embedding is missing", out.name + ", item " + task.items[i].id);
    CONSORT_TRY(vector, vectors(out.rows[i]->embedding));
    out.vectors.push_back(std::move(vector));
  }
  return out;
}

Status prepare(AnalysisRequest& request) {
  const Task& task = *request.task;
  if (task.kind != TaskKind::kChoices && task.kind != TaskKind::kLabels) return {};
  for (auto* tables : {&request.members, &request.control})
    for (MemberTable& member : *tables)
      if (member.logs.empty()) CONSORT_CHECK_OK(fill_logs(task, member, request.seed));
  return {};
}

ControlPlan plan_control(const AnalysisRequest& request, int most) {
  const Task& task = *request.task;
  const TaskKind kind = task.kind;
  if (request.members.size() < 2) return {"", 0, "there is one member only"};
  const Splits splits = splits_of(task);
  std::vector<double> scores;
  if (kind == TaskKind::kText)
    scores = text_fit_scores(request);
  else
    for (const MemberTable& m : request.members) scores.push_back(fit_score(task, m));
  const std::size_t best = best_place(scores);
  if (best == scores.size()) return {"", 0, "no item is for fitting"};
  if (kind == TaskKind::kText && !scores_pieces(request.members[best]))
    return {"", 0, "the best member gives likelihoods of whole texts only, which no lead-in stands before"};
  const bool in_flop = price(request.members[best], splits, true) > 0;
  double all = 0;
  for (const MemberTable& m : request.members) all += price(m, splits, in_flop);
  const double own = price(request.members[best], splits, in_flop);
  const int pays =
      own > 0 ? static_cast<int>(std::ceil(all / own - 1e-9)) : static_cast<int>(request.members.size());
  ControlPlan plan{request.members[best].name, std::clamp(pays, 2, most), ""};
  if (kind == TaskKind::kAnswer) return plan;
  if (task.prompts.size() < 2) return {"", 0, "the task has one wording; give 'prompts' in its header"};
  plan.copies = std::min(plan.copies, static_cast<int>(task.prompts.size()));
  return plan;
}

std::vector<std::string> strategies_of(TaskKind kind) {
  switch (kind) {
    case TaskKind::kChoices:
    case TaskKind::kLabels: {
      std::vector<std::string> names = class_strategy_names();
      if (kind == TaskKind::kLabels) names.push_back("concatenate");
      return names;
    }
    case TaskKind::kAnswer:
      return answer_strategy_names();
    case TaskKind::kText:
      return text_strategy_names();
    case TaskKind::kPairs:
      return pair_strategy_names();
    case TaskKind::kRetrieval:
      return retrieval_strategy_names();
  }
  return {};
}

Result<Contest> make_contest(const AnalysisRequest& request) {
  CONSORT_CHECK_OK(check_strategies(request));
  switch (request.task->kind) {
    case TaskKind::kChoices:
    case TaskKind::kLabels:
      return class_contest(request);
    case TaskKind::kAnswer:
      return answer_contest(request);
    case TaskKind::kText:
      return text_contest(request);
    case TaskKind::kPairs:
      return pair_contest(request);
    case TaskKind::kRetrieval:
      return retrieval_contest(request);
  }
  return fail(ErrorKind::kInvalid, "an unknown kind of task", request.task->name);
}

}  // namespace consort
