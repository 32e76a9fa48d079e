#include "agents/ensemble/fitting/cascade.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "agents/ensemble/fitting/checks.h"

namespace consort::fitting {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSameQuality = 1e-12;

Status check_items(const CascadeItems& items) {
  const struct {
    std::span<const double> values;
    const char* name;
  } columns[] = {{items.confidence, "confidences"},
                 {items.cheap_quality, "qualities of the cheap stage"},
                 {items.strong_quality, "qualities of the strong stage"},
                 {items.cheap_cost, "costs of the cheap stage"},
                 {items.strong_cost, "costs of the strong stage"}};
  for (const auto& column : columns) {
    CONSORT_CHECK_OK(check_finite(column.values, column.name));
    CONSORT_CHECK_OK(check_same_size(column.values.size(), items.confidence.size(),
                                     std::string("confidences and ") + column.name));
  }
  for (std::size_t i = 0; i < items.confidence.size(); ++i) {
    if (items.cheap_cost[i] < 0 || items.strong_cost[i] < 0) {
      return fail(ErrorKind::kInvalid, "costs must not be negative");
    }
  }
  return {};
}

double middle_of(double below, double above) {
  const double middle = below + (above - below) / 2;
  return middle > below ? middle : above;  // neighbouring doubles have none
}

bool better(const CascadePoint& a, const CascadePoint& b) {
  if (std::abs(a.quality - b.quality) > kSameQuality) return a.quality > b.quality;
  return a.cost < b.cost;
}

}  // namespace

Result<std::vector<CascadePoint>> cascade_curve(const CascadeItems& items) {
  CONSORT_CHECK_OK(check_items(items));
  std::vector<std::size_t> order(items.confidence.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return items.confidence[a] < items.confidence[b]; });
  const auto n = static_cast<double>(order.size());
  double quality = 0, cost = 0;
  for (const std::size_t i : order) {
    quality += items.cheap_quality[i];
    cost += items.cheap_cost[i];
  }
  std::vector<CascadePoint> curve = {{-kInfinity, 0, quality / n, cost / n}};
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t i = order[k];
    quality += items.strong_quality[i] - items.cheap_quality[i];
    cost += items.strong_cost[i];
    const bool last = k + 1 == order.size();
    if (!last && items.confidence[order[k + 1]] == items.confidence[i]) continue;
    const double threshold =
        last ? kInfinity : middle_of(items.confidence[i], items.confidence[order[k + 1]]);
    curve.push_back({threshold, static_cast<double>(k + 1) / n, quality / n, cost / n});
  }
  return curve;
}

Result<CascadePoint> choose_cascade(std::span<const CascadePoint> curve, const CascadeRule& rule) {
  if (curve.empty()) return fail(ErrorKind::kInvalid, "a cascade is chosen from a curve with points");
  if (!(rule.tolerance >= 0)) return fail(ErrorKind::kInvalid, "the tolerance must be at least 0");
  const double wanted = curve.back().quality - rule.tolerance - kSameQuality;
  const CascadePoint* best = nullptr;
  for (const CascadePoint& point : curve) {
    switch (rule.goal) {
      case CascadeGoal::kBestQuality:
        if (!best || better(point, *best)) best = &point;
        break;
      case CascadeGoal::kCheapestAtStrong:
        if (point.quality >= wanted && (!best || point.cost < best->cost)) best = &point;
        break;
      case CascadeGoal::kBestInBudget:
        if (point.cost <= rule.budget && (!best || better(point, *best))) best = &point;
        break;
    }
  }
  if (!best) {
    return fail(ErrorKind::kInvalid, "no threshold keeps the budget", "",
                "the cheapest point of the curve costs " + std::to_string(curve.front().cost));
  }
  return *best;
}

Result<CascadePoint> apply_cascade(const CascadeItems& items, double threshold) {
  CONSORT_CHECK_OK(check_items(items));
  if (std::isnan(threshold)) return fail(ErrorKind::kInvalid, "the threshold is no number");
  const auto n = static_cast<double>(items.confidence.size());
  CascadePoint made{threshold, 0, 0, 0};
  for (std::size_t i = 0; i < items.confidence.size(); ++i) {
    const bool deferred = items.confidence[i] < threshold;
    made.deferred += deferred ? 1 : 0;
    made.quality += deferred ? items.strong_quality[i] : items.cheap_quality[i];
    made.cost += items.cheap_cost[i] + (deferred ? items.strong_cost[i] : 0);
  }
  made.deferred /= n;
  made.quality /= n;
  made.cost /= n;
  return made;
}

Result<LogisticModel> fit_router(MatrixView features, std::span<const double> cheap_quality,
                                 std::span<const double> strong_quality, double penalty) {
  CONSORT_CHECK_OK(check_finite(cheap_quality, "qualities of the cheap stage"));
  CONSORT_CHECK_OK(check_finite(strong_quality, "qualities of the strong stage"));
  CONSORT_CHECK_OK(check_same_size(cheap_quality.size(), strong_quality.size(), "qualities of both stages"));
  std::vector<std::uint8_t> target;
  for (std::size_t i = 0; i < cheap_quality.size(); ++i) {
    target.push_back(strong_quality[i] > cheap_quality[i] ? 1 : 0);
  }
  const auto wins = static_cast<std::size_t>(std::count(target.begin(), target.end(), 1));
  if (wins == 0 || wins == target.size()) {
    return fail(ErrorKind::kInvalid, std::string("the strong stage is ") + (wins == 0 ? "never" : "always") +
                                         " better here: there is nothing to route");
  }
  return fit_logistic(features, target, penalty);
}

}  // namespace consort::fitting
