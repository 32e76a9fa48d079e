#include "agents/evaluation/analysis/class_cascade.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agents/ensemble/fitting/cascade.h"
#include "agents/evaluation/measures/classification.h"

namespace consort {
namespace {

using Views = std::span<const ClassView>;
using Truth = std::span<const std::int32_t>;

// Items of equal confidence go together, so the threshold is one number.
Result<fitting::CascadePoint> threshold_of(const CascadeStages& stages, const ClassSaid& quick,
                                           const ClassSaid& whole, Truth truth) {
  const std::vector<double> cheap_quality = marks_of(quick, truth), strong_quality = marks_of(whole, truth),
                            cheap_cost(truth.size(), stages.own_cost),
                            strong_cost(truth.size(), stages.others_cost);
  CONSORT_TRY(curve, fitting::cascade_curve(
                         {quick.confidence, cheap_quality, strong_quality, cheap_cost, strong_cost}));
  return fitting::choose_cascade(curve, {.goal = fitting::CascadeGoal::kCheapestAtStrong});
}

std::size_t cheapest(Views members) {
  const auto least = std::min_element(members.begin(), members.end(),
                                      [](const ClassView& a, const ClassView& b) { return a.cost < b.cost; });
  return static_cast<std::size_t>(least - members.begin());
}

}  // namespace

FittedClasses CascadeStages::fitted(Value parameters) const {
  FittedClasses out;
  out.parameters = std::move(parameters);
  out.parts = {first};
  for (const std::size_t m : all.parts)
    if (m != first) out.parts.push_back(m);
  return out;
}

Result<CascadeStages> cascade_stages(const std::vector<std::string>& names, const ClassStrategy& strong,
                                     Views members, Truth truth) {
  CascadeStages out;
  out.first = cheapest(members);
  for (std::size_t m = 0; m < members.size(); ++m)
    (m == out.first ? out.own_cost : out.others_cost) += members[m].cost;
  CONSORT_TRY(alone, calibrated_member(names, out.first).fit(members, truth));
  CONSORT_TRY(all, strong.fit(members, truth));
  out.alone = std::move(alone);
  out.all = std::move(all);
  return out;
}

std::vector<double> marks_of(const ClassSaid& said, Truth truth) {
  const auto marks = measures::marks(said.answer, truth);
  return {marks.begin(), marks.end()};
}

ClassSaid first_where(const ClassSaid& quick, ClassSaid whole, const std::vector<std::uint8_t>& sure) {
  whole.alone = sure;
  for (std::size_t i = 0; i < quick.answer.size(); ++i) {
    if (sure[i] == 0) continue;
    whole.answer[i] = quick.answer[i];
    whole.confidence[i] = quick.confidence[i];
    std::copy(quick.log_p.row(i).begin(), quick.log_p.row(i).end(), whole.log_p.row(i).begin());
  }
  return whole;
}

Result<ClassSaid> first_above(const CascadeStages& stages, Views members, double threshold) {
  CONSORT_TRY(quick, stages.alone.apply(members));
  CONSORT_TRY(whole, stages.all.apply(members));
  std::vector<std::uint8_t> sure;
  for (const double c : quick.confidence) sure.push_back(c >= threshold);
  return first_where(quick, std::move(whole), sure);
}

ClassStrategy cascade(const std::vector<std::string>& names, ClassStrategy strong) {
  return {"cascade",
          "the cheapest member alone where its calibrated probability reaches a threshold, else " +
              strong.name + " of all",
          [names, strong = std::move(strong)](Views members, Truth truth) -> Result<FittedClasses> {
            CONSORT_TRY(stages, cascade_stages(names, strong, members, truth));
            CONSORT_TRY(quick, stages.alone.apply(members));
            CONSORT_TRY(whole, stages.all.apply(members));
            CONSORT_TRY(point, threshold_of(stages, quick, whole, truth));
            FittedClasses fitted = stages.fitted(Value::object(
                {{"first", names[stages.first]},
                 {"threshold", std::isfinite(point.threshold) ? Value(point.threshold) : Value()},
                 {"deferred", point.deferred},
                 {"then", stages.all.parameters}}));
            fitted.apply = [stages, threshold = point.threshold](Views m) {
              return first_above(stages, m, threshold);
            };
            return fitted;
          }};
}

}  // namespace consort
