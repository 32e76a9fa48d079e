// How a mixture's weights moved.
#include <fmt/format.h>

#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/table/table_export.h"

namespace consort {

std::optional<Figure> weights_figure(const Contest& contest, const EvaluationResults&) {
  const WeightTrajectory& t = contest.trajectory;
  if (t.weights.size() < 2) return std::nullopt;
  constexpr std::size_t kMostPoints = 600;
  Drawing d(860, 380);
  d.frame({60, 40, 776, 240}, {0, static_cast<double>(t.weights.size() - 1), t.unit},
          {0, 1, "weight", false, true});
  std::string csv = "step,member,weight\r\n";
  std::vector<std::pair<std::string, std::string>> legend;
  const std::vector<std::size_t> steps = thinned(t.weights.size(), kMostPoints);
  for (std::size_t m = 0; m < t.members.size(); ++m) {
    std::vector<Point> points;
    for (const std::size_t k : steps) {
      points.push_back({static_cast<double>(k), t.weights[k][m]});
      csv += fmt::format("{},{},{}\r\n", k, csv_cell(t.members[m]), t.weights[k][m]);
    }
    d.line(points, series_style(m));
    legend.emplace_back(series_style(m), t.members[m]);
  }
  d.legend(60, 338, legend, 258);
  return Figure{"weights", "Weights as evidence comes", t.what, std::move(d), std::move(csv)};
}

}  // namespace consort
