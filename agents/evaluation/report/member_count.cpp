// Quality against the number of members: every subset's uniform pool, and the mean.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/table/table_export.h"

namespace consort {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : " + ") + name;
  return out;
}

}  // namespace

std::optional<Figure> members_figure(const Contest& contest, const EvaluationResults& results) {
  if (contest.subsets.empty() || contest.best_member.empty()) return std::nullopt;
  const MeasureInfo& m = results.measures.front();
  std::map<std::size_t, std::vector<double>> by_size;
  std::vector<double> values;
  std::string csv = "members,size," + m.name + "\r\n";
  for (const SubsetQuality& s : contest.subsets) {
    by_size[s.members.size()].push_back(s.value);
    values.push_back(s.value);
    csv += fmt::format("{},{},{}\r\n", csv_cell(joined(s.members)), s.members.size(), s.value);
  }
  if (by_size.size() < 2) return std::nullopt;
  const auto [low, high] = padded_range(values);
  Drawing d(860, 360);
  d.frame(
      {60, 40, 776, 250},
      {0.6, static_cast<double>(by_size.rbegin()->first) + 0.4, "members in the pool", false, false, false},
      {low, high, m.name, false, m.share});
  std::vector<Point> means;
  for (const auto& [size, list] : by_size) {
    double sum = 0;
    for (const double v : list) sum += v;
    means.push_back({static_cast<double>(size), sum / static_cast<double>(list.size())});
    d.words({static_cast<double>(size), low}, 0, 16, std::to_string(size), "middle", "quiet small");
  }
  d.line(means, "s0");
  for (const SubsetQuality& s : contest.subsets)
    d.mark({static_cast<double>(s.members.size()), s.value}, "s1",
           fmt::format("{}: {}", joined(s.members), shown(m, s.value)), 4, true);
  for (const Point& p : means) d.mark(p, "s0", fmt::format("mean of {}: {}", p.x, shown(m, p.y)), 5);
  return Figure{
      "members", "Quality and the number of members",
      "Uniform linear pool (without probabilities: the vote) of every subset of the members, nothing fitted: "
      "each ring is a subset, the line their mean.",
      std::move(d), std::move(csv)};
}

}  // namespace consort
