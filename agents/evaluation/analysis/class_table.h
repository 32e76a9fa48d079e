// The members of a contest over choices or labels as matrices, a split at a time. Private to this room.
#pragma once

#include "agents/evaluation/analysis/class_strategies.h"
#include "agents/evaluation/analysis/splits.h"

namespace consort {

// One member's matrices over some items.
struct ClassMember {
  fitting::Matrix log_p, per_byte, embedding;
  double cost = 0;  // as ClassView::cost, over all items of the split
  ClassView view() const { return {log_p, per_byte, cost, embedding}; }
};

struct ClassSplit {
  std::vector<std::int32_t> truth;
  std::vector<ClassMember> members;
  std::vector<ClassView> views() const;
  // Some of the items, for cross-fitting.
  ClassSplit part(const std::vector<std::size_t>& items) const;
};

// `items`: places in the task.
ClassSplit class_split(const Task& task, const std::vector<MemberTable>& members,
                       const std::vector<std::size_t>& items);
// Nats of each item, at most -ln of the smallest double: a bootstrap wants finite numbers. Errors: kInvalid
// from measures::nll_by_item.
Result<std::vector<double>> bounded_nll(fitting::MatrixView log_p, std::span<const std::int32_t> truth);
// The widest item's number of options.
std::size_t class_count(const Task& task);
// Whether every row has bytes for each of its scores.
bool has_bytes(const Task& task, const std::vector<MemberTable>& members);

}  // namespace consort
