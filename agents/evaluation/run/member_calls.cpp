#include "agents/evaluation/run/member_calls.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agents/evaluation/run/calls_parts.h"
#include "scheduler/host/wait_on.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

constexpr std::uintmax_t kMostFileBytes = std::uintmax_t{256} << 20;

// Asks about one item; kUnsupported means that the model cannot be asked this way.
Result<bool> can(MemberCalls& calls, const TaskItem& item) {
  auto answer = calls.ask({&item}, 0, 0);
  if (answer) return true;
  if (answer.error().kind == ErrorKind::kUnsupported) return false;
  return forward_error(answer);
}

// The first way that the model can be asked.
Result<std::unique_ptr<MemberCalls>> first_possible(std::vector<std::unique_ptr<MemberCalls>> ways,
                                                    const Task& task, const std::string& model) {
  for (auto& way : ways) {
    CONSORT_TRY(possible, can(*way, task.items.front()));
    if (possible) return std::move(way);
  }
  return fail(ErrorKind::kUnsupported,
              "the model can do nothing with items of kind " + std::string(task_kind_name(task.kind)), model);
}

}  // namespace

Result<std::string> read_item_file(const Task& task, const std::string& path) {
  namespace fs = std::filesystem;
  fs::path at(path);
  if (at.is_relative() && !task.folder.empty()) at = fs::path(task.folder) / at;
  std::error_code error;
  const auto size = fs::file_size(at, error);
  if (error)
    return fail(ErrorKind::kNotFound, "an item's file cannot be read: " + error.message(), at.string());
  if (size > kMostFileBytes) return fail(ErrorKind::kInvalid, "an item's file is above 256 MiB", at.string());
  std::ifstream in(at, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) return fail(ErrorKind::kIo, "an item's file cannot be read", at.string());
  return std::move(bytes).str();
}

const std::string& wording(const Task& task, int variant) {
  return task.prompts[std::min(static_cast<std::size_t>(variant), task.prompts.size() - 1)];
}

std::string worded_other(const Task& task, const TaskItem& item, int variant) {
  TaskItem other;
  other.text = item.other;
  return fill_prompt(wording(task, variant), other);
}

Result<ModelInput> label_input(const Task& task, const TaskItem& item, int variant) {
  ModelInput input;
  if (item.input == LabelInput::kText || item.input == LabelInput::kSmiles) {
    input.kind = item.input == LabelInput::kText ? InputKind::kText : InputKind::kMolecule;
    input.text = item.input == LabelInput::kText ? fill_prompt(wording(task, variant), item) : item.text;
    return input;
  }
  CONSORT_TRY(bytes, read_item_file(task, item.text));
  input.kind = item.input == LabelInput::kImage ? InputKind::kImage : InputKind::kFile;
  input.bytes = SharedBytes::of(std::move(bytes));
  input.name = item.text;
  return input;
}

Result<std::string> label_content(const Task& task, const TaskItem& item, int variant) {
  CONSORT_TRY(input, label_input(task, item, variant));
  return input.bytes ? bytes_digest(input.bytes->text()) : input.text;
}

Error of_item(Error error, const TaskItem& item) {
  error.where = "item " + item.id + (error.where.empty() ? "" : ", " + error.where);
  return error;
}

double entropy_of_scores(const std::vector<double>& scores) {
  if (scores.empty()) return 0;
  const double top = *std::max_element(scores.begin(), scores.end());
  if (!std::isfinite(top)) return 0;
  double sum = 0, weighted = 0;
  for (const double s : scores) {
    const double e = std::exp(s - top);
    sum += e;
    if (e > 0) weighted += e * (s - top);
  }
  return std::max(0.0, std::log(sum) - weighted / sum);
}

Result<std::unique_ptr<MemberCalls>> member_calls(const EvaluationHost& host, const Task& task,
                                                  const std::string& model) {
  if (model == kWordsMember && task.kind == TaskKind::kRetrieval) return word_calls(task);
  CONSORT_TRY(handle, wait_on(host.io, host.models.acquire(model, host.request())));
  std::vector<std::unique_ptr<MemberCalls>> ways;
  switch (task.kind) {
    case TaskKind::kChoices:
    case TaskKind::kAnswer:
    case TaskKind::kText:
      return language_calls(host, task, handle);
    case TaskKind::kLabels:
      if (std::any_of(task.items.begin(), task.items.end(),
                      [](const TaskItem& i) { return i.split == kTrainSplit; }))
        ways.push_back(embedding_calls(host, task, handle));
      ways.push_back(classifier_calls(host, task, handle));
      if (task.items.front().input == LabelInput::kText) ways.push_back(language_calls(host, task, handle));
      break;
    case TaskKind::kPairs:
    case TaskKind::kRetrieval:
      ways.push_back(embedding_calls(host, task, handle));
      ways.push_back(reranker_calls(host, task, handle));
      break;
  }
  return first_possible(std::move(ways), task, model);
}

}  // namespace consort
