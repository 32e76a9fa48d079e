#include "agents/evaluation/measures/pareto.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace consort::measures {
namespace {

Status check(std::span<const CostQuality> points) {
  if (points.empty()) return fail(ErrorKind::kInvalid, "there are no points of cost and quality");
  for (const CostQuality& p : points) {
    if (!std::isfinite(p.cost) || !std::isfinite(p.quality)) {
      return fail(ErrorKind::kInvalid, "costs and qualities must be finite");
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::size_t>> pareto_front(std::span<const CostQuality> points) {
  CONSORT_CHECK_OK(check(points));
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (points[a].cost != points[b].cost) return points[a].cost < points[b].cost;
    return points[a].quality > points[b].quality;
  });
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    if (front.empty() || points[i].quality > points[front.back()].quality) front.push_back(i);
  }
  return front;
}

Result<double> hypervolume(std::span<const CostQuality> points, CostQuality reference) {
  CONSORT_TRY(front, pareto_front(points));
  CONSORT_CHECK_OK(check({&reference, 1}));
  double area = 0, floor = reference.quality;
  for (const std::size_t i : front) {  // cheapest first: each step adds what it has above the one before
    if (points[i].cost >= reference.cost || points[i].quality <= floor) continue;
    area += (reference.cost - points[i].cost) * (points[i].quality - floor);
    floor = points[i].quality;
  }
  return area;
}

Result<double> chord_quality(CostQuality cheap, CostQuality strong, double cost) {
  const CostQuality ends[] = {cheap, strong};
  CONSORT_CHECK_OK(check(ends));
  if (!(strong.cost > cheap.cost))
    return fail(ErrorKind::kInvalid, "the strong end of a chord must cost more");
  if (!(cost >= cheap.cost && cost <= strong.cost)) {
    return fail(ErrorKind::kInvalid, "a chord holds between the costs of its ends only");
  }
  const double share = (cost - cheap.cost) / (strong.cost - cheap.cost);
  return cheap.quality + share * (strong.quality - cheap.quality);
}

Result<double> above_chord(CostQuality cheap, CostQuality strong, CostQuality point) {
  CONSORT_CHECK_OK(check({&point, 1}));
  CONSORT_TRY(chord, chord_quality(cheap, strong, point.cost));
  return point.quality - chord;
}

Result<std::vector<std::size_t>> mixing_hull(std::span<const CostQuality> points) {
  CONSORT_TRY(front, pareto_front(points));
  std::vector<std::size_t> hull;
  for (const std::size_t i : front) {
    // The middle one goes when it does not lie above the line from the one before to the new one.
    while (hull.size() > 1) {
      const CostQuality &a = points[hull[hull.size() - 2]], &b = points[hull.back()], &c = points[i];
      const double turn =
          (b.cost - a.cost) * (c.quality - a.quality) - (b.quality - a.quality) * (c.cost - a.cost);
      if (turn < 0) break;
      hull.pop_back();
    }
    hull.push_back(i);
  }
  return hull;
}

}  // namespace consort::measures
