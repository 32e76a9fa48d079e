#include "agents/evaluation/analysis/class_table.h"

#include <algorithm>
#include <cmath>

#include "agents/evaluation/measures/classification.h"

namespace consort {
namespace {

using fitting::Matrix;

Matrix rows_of(const Matrix& from, const std::vector<std::size_t>& rows) {
  Matrix out;
  out.columns = from.columns;
  if (from.columns == 0) return out;
  for (const std::size_t r : rows)
    out.values.insert(out.values.end(), from.row(r).begin(), from.row(r).end());
  return out;
}

ClassMember class_member(const MemberTable& member, const std::vector<std::size_t>& items,
                         std::size_t classes, bool bytes) {
  ClassMember out;
  out.log_p = Matrix(items.size(), classes);
  std::fill(out.log_p.values.begin(), out.log_p.values.end(), kNoClass);
  if (bytes) out.per_byte = out.log_p;
  if (!member.vectors.empty()) {
    out.embedding.columns = member.vectors[items.empty() ? 0 : items.front()].size();
    for (const std::size_t i : items)
      out.embedding.values.insert(out.embedding.values.end(), member.vectors[i].begin(),
                                  member.vectors[i].end());
  }
  double flop = 0, tokens = 0;
  for (const std::size_t i : items) {
    flop += member.rows[i]->flop;
    tokens += static_cast<double>(member.rows[i]->tokens);
  }
  out.cost = (flop > 0 ? flop : tokens) / static_cast<double>(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::vector<double>& logs = member.logs[items[i]];
    std::copy(logs.begin(), logs.end(), out.log_p.row(i).begin());
    if (!bytes) continue;
    const PredictionRow& row = *member.rows[items[i]];
    for (std::size_t c = 0; c < row.scores.size(); ++c)
      out.per_byte.at(i, c) = row.scores[c] / static_cast<double>(row.bytes[c]);
  }
  return out;
}

}  // namespace

std::vector<ClassView> ClassSplit::views() const {
  std::vector<ClassView> out;
  for (const ClassMember& m : members) out.push_back(m.view());
  return out;
}

ClassSplit ClassSplit::part(const std::vector<std::size_t>& items) const {
  ClassSplit out;
  for (const std::size_t i : items) out.truth.push_back(truth[i]);
  for (const ClassMember& m : members)
    out.members.push_back(
        {rows_of(m.log_p, items), rows_of(m.per_byte, items), rows_of(m.embedding, items), m.cost});
  return out;
}

std::size_t class_count(const Task& task) {
  if (task.kind == TaskKind::kLabels) return task.labels.size();
  std::size_t most = 0;
  for (const TaskItem& item : task.items) most = std::max(most, item.options.size());
  return most;
}

bool has_bytes(const Task& task, const std::vector<MemberTable>& members) {
  for (const MemberTable& member : members)
    for (std::size_t i = 0; i < task.items.size(); ++i) {
      if (task.items[i].split == kTrainSplit) continue;
      const PredictionRow& row = *member.rows[i];
      if (row.scores.empty() || row.bytes.size() < row.scores.size()) return false;
      for (std::size_t c = 0; c < row.scores.size(); ++c)
        if (row.bytes[c] <= 0 || row.scores[c] > 1e-6) return false;
    }
  return true;
}

ClassSplit class_split(const Task& task, const std::vector<MemberTable>& members,
                       const std::vector<std::size_t>& items) {
  ClassSplit out;
  const std::size_t classes = class_count(task);
  const bool bytes = has_bytes(task, members);
  for (const std::size_t i : items) out.truth.push_back(static_cast<std::int32_t>(task.items[i].gold));
  for (const MemberTable& member : members)
    out.members.push_back(class_member(member, items, classes, bytes));
  return out;
}

Result<std::vector<double>> bounded_nll(fitting::MatrixView log_p, std::span<const std::int32_t> truth) {
  constexpr double kWorst = 745;
  CONSORT_TRY(nll, measures::nll_by_item(log_p, truth));
  for (double& v : nll) v = std::min(v, kWorst);
  return nll;
}

}  // namespace consort
