// Risk against coverage: the error rate among the items answered when the least confident are left out.
#include <fmt/format.h>

#include <algorithm>

#include "agents/evaluation/measures/selective.h"
#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/table/table_export.h"

namespace consort {
namespace {

constexpr std::size_t kMostLines = 5, kMostPoints = 240;

// Whether it orders the items at all.
bool tells_doubt(const Contestant& c) {
  return !c.right.empty() && !c.confidence.empty() &&
         *std::max_element(c.confidence.begin(), c.confidence.end()) >
             *std::min_element(c.confidence.begin(), c.confidence.end());
}

// One point a distinct confidence: within a group of equal ones there is no order.
std::vector<Point> curve(const Contestant& c) {
  std::vector<double> loss;
  for (const double right : c.right) loss.push_back(1 - right);
  std::vector<Point> out;
  if (const auto risk = measures::selective_risk(c.confidence, loss))
    for (const auto& p : risk->curve) out.push_back({p.coverage, p.risk});
  return out;
}

}  // namespace

std::optional<Figure> risk_coverage_figure(const Contest& contest, const EvaluationResults&) {
  std::vector<const Contestant*> lines;
  for (const Contestant* c : featured(contest, 16))
    if (tells_doubt(*c) && lines.size() < kMostLines) lines.push_back(c);
  if (lines.empty()) return std::nullopt;
  std::vector<std::vector<Point>> curves;
  double most = 0;
  for (const Contestant* c : lines) {
    curves.push_back(curve(*c));
    for (const Point& p : curves.back())
      if (p.x >= 0.05) most = std::max(most, p.y);  // a few confident mistakes must not set the scale
  }
  Drawing d(860, 430);
  d.frame({60, 40, 776, 290}, {0, 1, "items answered", false, true},
          {0, std::min(1.0, most * 1.08 + 0.01), "wrong among them", false, true});
  std::string csv = "contestant,coverage,risk\r\n";
  std::vector<std::pair<std::string, std::string>> legend;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::vector<Point> shown;
    for (const std::size_t k : thinned(curves[i].size(), kMostPoints)) shown.push_back(curves[i][k]);
    for (const Point& p : shown) csv += fmt::format("{},{},{}\r\n", csv_cell(lines[i]->entry.name), p.x, p.y);
    std::erase_if(shown, [&](const Point& p) { return p.y > most * 1.08 + 0.01; });
    d.line(shown, series_style(i), lines[i]->entry.role == Role::kControl);
    legend.emplace_back(series_style(i) + (lines[i]->entry.role == Role::kControl ? " dash" : ""),
                        lines[i]->entry.name);
  }
  d.legend(60, 388, legend, 258);
  return Figure{
      "risk-coverage", "Risk and coverage",
      "Error rate among the items that are answered when the least confident ones are left out. Lower is "
      "better; a curve that falls to the left knows what it does not know.",
      std::move(d), std::move(csv)};
}

}  // namespace consort
