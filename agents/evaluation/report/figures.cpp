#include <fmt/format.h>

#include <algorithm>

#include "agents/evaluation/report/figure.h"

namespace consort {

std::string series_style(std::size_t i) {
  return fmt::format("s{}", i % 8);
}

std::vector<std::size_t> thinned(std::size_t n, std::size_t most) {
  std::vector<std::size_t> out;
  if (n <= most) {
    for (std::size_t i = 0; i < n; ++i) out.push_back(i);
    return out;
  }
  for (std::size_t k = 0; k < most; ++k) out.push_back(k * (n - 1) / (most - 1));
  return out;
}

std::vector<const Contestant*> featured(const Contest& contest, std::size_t most) {
  std::vector<const Contestant*> out;
  const auto add = [&](const Contestant* c) {
    if (c == nullptr || c->entry.role == Role::kOracle || out.size() >= most) return;
    if (contest.find(c->entry.name + " calibrated") != nullptr) return;  // that form stands for both
    if (std::find(out.begin(), out.end(), c) == out.end()) out.push_back(c);
  };
  const std::string& first = contest.measures.front().name;
  if (const auto at = contest.best_member.find(first); at != contest.best_member.end())
    add(contest.find(at->second));
  add(contest.find(contest.chosen));
  if (const auto at = contest.best_control.find(first); at != contest.best_control.end())
    add(contest.find(at->second));
  const std::size_t strategies_first = out.size() + 2;
  for (const Contestant& c : contest.contestants)
    if (c.entry.role == Role::kStrategy && out.size() < strategies_first) add(&c);
  for (const Role role : {Role::kMember, Role::kStrategy})
    for (const Contestant& c : contest.contestants)
      if (c.entry.role == role) add(&c);
  return out;
}

std::vector<Figure> evaluation_figures(const Contest& contest, const EvaluationResults& results) {
  std::vector<Figure> out;
  for (const auto& make : {differences_figure, reliability_figure, risk_coverage_figure, cost_quality_figure,
                           members_figure, items_figure, weights_figure})
    if (auto figure = make(contest, results)) out.push_back(std::move(*figure));
  return out;
}

}  // namespace consort
