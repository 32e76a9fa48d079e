#include "agents/evaluation/analysis/contest.h"

#include <algorithm>
#include <cmath>

namespace consort {

const Contestant* Contest::find(std::string_view name) const {
  const auto at = std::find_if(contestants.begin(), contestants.end(),
                               [&](const Contestant& c) { return c.entry.name == name; });
  return at == contestants.end() ? nullptr : &*at;
}

double measured(const Contest& contest, const Contestant& contestant, const std::string& measure,
                std::span<const std::size_t> items) {
  if (const auto group = contest.groups.find(measure); group != contest.groups.end())
    return group->second(contestant, items);
  const auto at = contestant.items.find(measure);
  if (at == contestant.items.end()) return kUnknown;
  double sum = 0, weight = 0;
  for (const std::size_t i : items) {
    if (std::isnan(at->second.sums[i])) continue;
    sum += at->second.sums[i];
    weight += at->second.weights.empty() ? 1 : at->second.weights[i];
  }
  return weight > 0 ? sum / weight : kUnknown;
}

}  // namespace consort
