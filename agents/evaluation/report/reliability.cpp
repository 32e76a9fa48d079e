// Reliability: how often answers given with a confidence are right, in bins of equal mass.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/evaluation/measures/calibration.h"
#include "agents/evaluation/report/figure.h"
#include "agents/evaluation/table/table_export.h"

namespace consort {
namespace {

constexpr double kPanel = 250, kGap = 66, kLeft = 56, kTop = 56, kStrip = 44;
constexpr std::size_t kMostPanels = 3;

using measures::ReliabilityBin;

std::vector<ReliabilityBin> bins_of(const Contestant& c, std::size_t wanted) {
  const std::vector<std::uint8_t> right(c.right.begin(), c.right.end());
  return measures::reliability_bins(c.confidence, right, measures::Binning::kEqualMass, wanted)
      .value_or(std::vector<ReliabilityBin>());
}

// Wilson's interval of a share, 95 %.
std::pair<double, double> wilson(double share, std::size_t items) {
  constexpr double z = 1.959964;
  const double n = static_cast<double>(items), mid = share + z * z / (2 * n);
  const double half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {(mid - half) / (1 + z * z / n), (mid + half) / (1 + z * z / n)};
}

void draw_panel(Drawing& d, const Contestant& c, const std::vector<ReliabilityBin>& bins, double left,
                std::size_t place) {
  d.frame({left, kTop, kPanel, kPanel}, {0, 1, "", false, true}, {0, 1, "right", false, true});
  d.title(shortened(c.entry.name, 36));
  d.line({{0, 0}, {1, 1}}, "soft", true);
  std::vector<Point> points;
  for (const ReliabilityBin& b : bins) {
    const auto [low, high] = wilson(b.accuracy, b.count);
    d.interval({b.confidence, low}, {b.confidence, high}, "faint");
    points.push_back({b.confidence, b.accuracy});
  }
  d.line(points, series_style(place));
  for (std::size_t i = 0; i < bins.size(); ++i)
    d.mark(points[i], series_style(place),
           fmt::format("{} items: confidence {:.3f}, right {:.3f}", bins[i].count, bins[i].confidence,
                       bins[i].accuracy));
  constexpr std::size_t kBars = 20;
  std::vector<double> counts(kBars);
  for (const double v : c.confidence)
    counts[std::min(kBars - 1, static_cast<std::size_t>(std::max(0.0, v) * kBars))] += 1;
  const double most = *std::max_element(counts.begin(), counts.end());
  d.frame({left, kTop + kPanel + 26, kPanel, kStrip}, {0, 1, "confidence", false, true, false},
          {0, 1, "", false, false, false});
  for (std::size_t k = 0; k < kBars; ++k)
    if (counts[k] > 0)
      d.box({static_cast<double>(k) / kBars + 0.004, 0},
            {static_cast<double>(k + 1) / kBars - 0.004, counts[k] / most}, "equal",
            fmt::format("{} items", counts[k]));
}

}  // namespace

std::optional<Figure> reliability_figure(const Contest& contest, const EvaluationResults&) {
  std::vector<const Contestant*> panels;
  const auto add = [&](const Contestant* c) {
    if (c == nullptr || c->log_p.empty() || c->right.empty() || panels.size() >= kMostPanels) return;
    if (std::find(panels.begin(), panels.end(), c) == panels.end()) panels.push_back(c);
  };
  if (contest.best_member.contains("nll")) {
    const Contestant* best = contest.find(contest.best_member.at("nll"));
    if (best != nullptr && !best->parts.empty()) {
      add(contest.find(best->parts.front()));  // as it came
      add(contest.find(best->parts.front() + " calibrated"));
    }
  }
  add(contest.find(contest.chosen));
  for (const Contestant* c : featured(contest, 8))
    if (c->entry.role == Role::kStrategy) add(c);
  if (panels.empty()) return std::nullopt;
  const std::size_t wanted = contest.size() >= 600 ? 15 : contest.size() >= 100 ? 10 : 5;
  Drawing d(kLeft + static_cast<double>(kMostPanels) * (kPanel + kGap) - kGap + 16,
            kTop + kPanel + 26 + kStrip + 44);
  std::string csv = "contestant,bin,items,confidence,right\r\n";
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const std::vector<ReliabilityBin> bins = bins_of(*panels[i], wanted);
    draw_panel(d, *panels[i], bins, kLeft + static_cast<double>(i) * (kPanel + kGap), i);
    for (std::size_t k = 0; k < bins.size(); ++k)
      csv += fmt::format("{},{},{},{},{}\r\n", csv_cell(panels[i]->entry.name), k + 1, bins[k].count,
                         bins[k].confidence, bins[k].accuracy);
  }
  return Figure{
      "reliability", "Reliability",
      fmt::format(
          "Share of right answers against confidence in {} bins of equal mass, with 95 % intervals of "
          "each bin; on the dashed line confidence is what it says. Below: where the confidences "
          "lie. First panel: the best member as it came; second: with its temperature fitted.",
          wanted),
      std::move(d), std::move(csv)};
}

}  // namespace consort
