#include "agents/evaluation/analysis/splits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "agents/ensemble/fitting/logistic.h"

namespace consort {
namespace {

// Groups as dense numbers, an item without one alone.
std::vector<std::int32_t> group_numbers(const Task& task, const std::vector<std::size_t>& items) {
  std::map<std::string, std::int32_t> numbers;
  std::vector<std::int32_t> out;
  std::int32_t next = 0;
  for (const std::size_t i : items) {
    const std::string& group = task.items[i].group;
    if (group.empty()) {
      out.push_back(next++);
      continue;
    }
    const auto [at, fresh] = numbers.emplace(group, next);
    if (fresh) ++next;
    out.push_back(at->second);
  }
  return out;
}

}  // namespace

Splits splits_of(const Task& task) {
  Splits s;
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    if (task.items[i].split == kFitSplit) s.fit.push_back(i);
    if (task.items[i].split == kTestSplit) s.test.push_back(i);
  }
  s.fit_groups = group_numbers(task, s.fit);
  s.test_groups = group_numbers(task, s.test);
  return s;
}

Contest empty_contest(const Task& task, const Splits& splits) {
  Contest contest;
  for (const std::size_t i : splits.test) contest.item_names.push_back(task.items[i].id);
  contest.clusters.assign(splits.test_groups.begin(), splits.test_groups.end());
  return contest;
}

bool wanted(const AnalysisRequest& request, const std::string& strategy) {
  return request.combine.empty() ||
         std::find(request.combine.begin(), request.combine.end(), strategy) != request.combine.end();
}

Status check_strategies(const AnalysisRequest& request) {
  const std::vector<std::string> known = strategies_of(request.task->kind);
  for (const std::string& name : request.combine) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string list;
    for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
    return fail(
        ErrorKind::kUsage,
        fmt::format("tasks of kind {} have no strategy '{}'", task_kind_name(request.task->kind), name),
        "--combine", "there are: " + list);
  }
  return {};
}

void add_cost(TableEntry& entry, const std::vector<const MemberTable*>& members, const Splits& splits) {
  double flop = 0, tokens = 0;
  for (const MemberTable* member : members)
    for (const std::size_t i : splits.test) {
      flop += member->rows[i]->flop;
      tokens += static_cast<double>(member->rows[i]->tokens);
    }
  entry.flop += flop / static_cast<double>(splits.test.size());
  entry.tokens += tokens / static_cast<double>(splits.test.size());
}

Contestant contestant_of(const AnalysisRequest& request, const Splits& splits, std::string name, Role role,
                         std::string how, const std::vector<std::size_t>& members, Value parameters) {
  Contestant c;
  c.entry.name = std::move(name);
  c.entry.role = role;
  c.entry.how = std::move(how);
  c.entry.parameters = std::move(parameters);
  std::vector<const MemberTable*> asked;
  for (const std::size_t m : members) {
    c.parts.push_back(request.members[m].name);
    asked.push_back(&request.members[m]);
  }
  add_cost(c.entry, asked, splits);
  return c;
}

Contestant oracle_of(const AnalysisRequest& request, const Splits& splits, std::string how) {
  std::vector<std::size_t> all(request.members.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return contestant_of(request, splits, "oracle", Role::kOracle, std::move(how), all, Value());
}

namespace {

void set_best(std::map<std::string, std::string>& best, TableEntry& entry, const Contest& contest) {
  for (const std::string& measure : contest.tested) {
    best[measure] = entry.name;
    entry.best_for.push_back(measure);
  }
}

}  // namespace

void set_best_member(Contest& contest, std::size_t place) {
  set_best(contest.best_member, contest.contestants[place].entry, contest);
}

void set_control(Contest& contest) {
  set_control(contest, contest.contestants.size() - 1);
}

void set_control(Contest& contest, std::size_t place) {
  set_best(contest.best_control, contest.contestants[place].entry, contest);
}

Contestant wordings_of(const AnalysisRequest& request, const Splits& splits, const std::string& member,
                       std::string how) {
  Contestant c =
      contestant_of(request, splits, fmt::format("{} x {} wordings", request.control.size(), member),
                    Role::kControl, std::move(how), {}, Value::object({}));
  std::vector<const MemberTable*> tables;
  for (const MemberTable& t : request.control) {
    c.parts.push_back(t.name);
    tables.push_back(&t);
  }
  add_cost(c.entry, tables, splits);
  return c;
}

std::vector<std::vector<std::size_t>> subsets_of(std::size_t members, std::size_t most) {
  std::vector<std::vector<std::size_t>> out;
  for (std::size_t size = 1; size <= members; ++size) {
    std::vector<std::size_t> set(size);
    for (std::size_t i = 0; i < size; ++i) set[i] = i;
    for (std::size_t taken = 0; taken * members < most || taken == 0; ++taken) {  // in lexicographic order
      out.push_back(set);
      std::size_t i = size;
      while (i > 0 && set[i - 1] == members - size + i - 1) --i;
      if (i == 0) break;
      ++set[i - 1];
      for (std::size_t k = i; k < size; ++k) set[k] = set[k - 1] + 1;
    }
  }
  return out;
}

std::size_t best_place(const std::vector<double>& values) {
  std::size_t best = values.size();
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i]) && (best == values.size() || values[i] > values[best])) best = i;
  return best;
}

Value named_numbers(const std::vector<std::string>& names, const std::vector<double>& values) {
  Value::Object out;
  for (std::size_t i = 0; i < names.size(); ++i) out.emplace_back(names[i], values[i]);
  return Value::object(std::move(out));
}

void choose(Contest& contest, const std::vector<double>& values, const std::string& measure,
            bool cross_fitted) {
  const std::size_t best = best_place(values);
  if (!cross_fitted) {
    contest.notes.push_back("too few items for fitting to choose a contestant by cross-fitting: give more");
  } else if (best < values.size()) {
    contest.chosen = contest.contestants[best].entry.name;
    contest.chosen_by = measure;
  }
}

Result<std::vector<int>> folds_of(const Splits& splits, std::uint64_t seed) {
  const std::size_t groups =
      splits.fit_groups.empty()
          ? 0
          : static_cast<std::size_t>(*std::max_element(splits.fit_groups.begin(), splits.fit_groups.end())) +
                1;
  if (groups < 2 * kFolds) return std::vector<int>();
  return fitting::group_folds(splits.fit.size(), splits.fit_groups, kFolds, seed);
}

}  // namespace consort
