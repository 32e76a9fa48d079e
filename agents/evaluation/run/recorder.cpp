#include "agents/evaluation/run/recorder.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "agents/evaluation/run/calls_parts.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

// What the recorder knows of a row before anybody was asked.
void fill_conditions(PredictionRow& row, const Task& task, const TaskItem& item) {
  row.item = item.id;
  row.split = item.split;
  row.kind = task.kind;
}

void read_answer(PredictionRow& row, const Task& task, const TaskItem& item) {
  CanonicalAnswer read = canonical_answer(task.answer, row.answer_raw, item.options);
  row.answer = std::move(read.value);
  row.reason = std::move(read.reason);
}

struct Pending {
  std::size_t place;  // in the task's items asked for
  const TaskItem* item;
  PredictionRow conditions;
};

class Recorder {
 public:
  Recorder(const EvaluationHost& host, PredictionLog& log, const Task& task, const RecordRequest& request)
      : host_(host), log_(log), task_(task), request_(request) {}

  Result<std::vector<PredictionRow>> run(const RecordProgress& progress) {
    CONSORT_TRY(calls, member_calls(host_, task_, request_.member));
    CONSORT_CHECK_OK(look_up(*calls));
    std::size_t done = rows_.size() - pending_.size();
    if (progress) progress(done, rows_.size());
    const std::size_t block = calls->block();
    for (std::size_t first = 0; first < pending_.size(); first += block) {
      const std::size_t end = std::min(first + block, pending_.size());
      CONSORT_CHECK_OK(ask_block(*calls, first, end));
      done += end - first;
      if (progress) progress(done, rows_.size());
    }
    return std::move(rows_);
  }

 private:
  // Which rows are there already.
  Status look_up(const MemberCalls& calls) {
    const Value digest = host_.models.weights().get(request_.member);
    for (const TaskItem& item : task_.items) {
      if (item.split == kTrainSplit && !(request_.with_training && calls.learns())) continue;
      PredictionRow row;
      fill_conditions(row, task_, item);
      row.member = request_.member;
      row.variant = request_.variant;
      row.weights_digest = digest.is_string() ? digest.as_string() : "";
      row.kernel_path = host_.kernel_path;
      row.seed = task_.kind == TaskKind::kAnswer && request_.variant > 0 ? request_.seed : 0;
      CONSORT_TRY(hash, calls.prompt_hash(item, request_.variant));
      row.prompt_hash = std::move(hash);
      CONSORT_TRY(found, log_.find(row));
      if (found) {
        found->split = item.split;  // dealt anew for each evaluation
        rows_.push_back(std::move(*found));
      } else {
        pending_.push_back({rows_.size(), &item, row});
        rows_.push_back(std::move(row));
      }
    }
    return {};
  }

  Status ask_block(MemberCalls& calls, std::size_t first, std::size_t end) {
    if (host_.request().stop.stop_requested()) return interrupted();
    std::vector<const TaskItem*> items;
    for (std::size_t i = first; i < end; ++i) items.push_back(pending_[i].item);
    auto asked = calls.ask(items, request_.variant, request_.seed);
    if (!asked && asked.error().kind == ErrorKind::kCancelled) return interrupted();
    CONSORT_TRY(answers, std::move(asked));
    for (std::size_t i = first; i < end; ++i) {
      PredictionRow& row = answers.rows[i - first];
      const PredictionRow& conditions = pending_[i].conditions;
      std::tie(row.item, row.member, row.split, row.variant, row.kind) =
          std::tie(conditions.item, conditions.member, conditions.split, conditions.variant, conditions.kind);
      std::tie(row.prompt_hash, row.weights_digest, row.kernel_path, row.seed) = std::tie(
          conditions.prompt_hash, conditions.weights_digest, conditions.kernel_path, conditions.seed);
      if (task_.kind == TaskKind::kAnswer) read_answer(row, task_, *pending_[i].item);
    }
    CONSORT_CHECK_OK(log_.append(answers.rows, answers.vectors));
    for (std::size_t i = first; i < end; ++i) rows_[pending_[i].place] = std::move(answers.rows[i - first]);
    return {};
  }

  Status interrupted() const {
    return fail(ErrorKind::kCancelled, "interrupted", request_.member,
                "what was asked is kept: the same command goes on from there");
  }

  const EvaluationHost& host_;
  PredictionLog& log_;
  const Task& task_;
  const RecordRequest& request_;
  std::vector<PredictionRow> rows_;
  std::vector<Pending> pending_;
};

// How many scores a row of this task has; 0: as many as it likes.
std::size_t scores_wanted(const Task& task, const TaskItem& item) {
  switch (task.kind) {
    case TaskKind::kChoices:
      return item.options.size();
    case TaskKind::kLabels:
      return task.labels.size();
    case TaskKind::kRetrieval:
      return task.documents.size();
    case TaskKind::kText:
    case TaskKind::kPairs:
      return 1;
    case TaskKind::kAnswer:
      return 0;
  }
  return 0;
}

Status complete(PredictionRow& row, const Task& task, const TaskItem& item) {
  const std::string where = row.member + ", item " + row.item;
  if (row.prompt_hash.empty()) row.prompt_hash = value_digest(to_value(row));  // as it came: splits change
  fill_conditions(row, task, item);
  const std::size_t wanted = scores_wanted(task, item);
  if (wanted > 0 && row.scores.size() != wanted)
    return fail(ErrorKind::kInvalid,
                "an imported row has " + std::to_string(row.scores.size()) + " scores, the item wants " +
                    std::to_string(wanted),
                where);
  if (!row.bytes.empty() && row.bytes.size() < row.scores.size())
    return fail(ErrorKind::kInvalid, "an imported row has fewer byte counts than scores", where);
  if (task.kind == TaskKind::kText && row.bytes.empty())
    return fail(ErrorKind::kInvalid, "an imported row of a text needs its bytes", where);
  if (task.kind == TaskKind::kAnswer && row.answer.empty()) {
    if (row.answer_raw.empty() && row.reason.empty())
      return fail(ErrorKind::kInvalid, "an imported row has neither answer nor answer_raw", where);
    read_answer(row, task, item);
  }
  if ((task.kind == TaskKind::kChoices || task.kind == TaskKind::kLabels) && !row.entropy)
    row.entropy = entropy_of_scores(row.scores);
  if (row.kernel_path.empty()) row.kernel_path = "imported";
  return {};
}

}  // namespace

Result<std::vector<PredictionRow>> record_member(const EvaluationHost& host, PredictionLog& log,
                                                 const Task& task, const RecordRequest& request,
                                                 const RecordProgress& progress) {
  return Recorder(host, log, task, request).run(progress);
}

Result<std::vector<PredictionRow>> import_rows(PredictionLog& log, const Task& task,
                                               std::vector<PredictionRow> rows) {
  std::map<std::string, const TaskItem*> items;
  for (const TaskItem& item : task.items) items[item.id] = &item;
  std::set<std::tuple<std::string, std::string, int>> seen;
  std::vector<PredictionRow> fresh;
  for (PredictionRow& row : rows) {
    const auto at = items.find(row.item);
    if (at == items.end())
      return fail(ErrorKind::kInvalid, "an imported row is about an item that the task does not have",
                  row.member + ", item " + row.item);
    if (!seen.insert({row.member, row.item, row.variant}).second)
      return fail(ErrorKind::kInvalid, "two imported rows of one member for one item",
                  row.member + ", item " + row.item);
    CONSORT_CHECK_OK(complete(row, task, *at->second));
    CONSORT_TRY(there, log.find(row));
    if (!there) fresh.push_back(row);
  }
  CONSORT_CHECK_OK(log.append(fresh));
  return rows;
}

}  // namespace consort
