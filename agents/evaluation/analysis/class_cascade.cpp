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
Result<fitting::CascadePoint> threshold_of(const ClassSaid& quick, const ClassSaid& whole, Views members,
                                           std::size_t first, Truth truth) {
  double others = 0;
  for (std::size_t m = 0; m < members.size(); ++m)
    if (m != first) others += members[m].cost;
  const std::vector<double> cheap_quality = marks_of(quick, truth), strong_quality = marks_of(whole, truth),
                            cheap_cost(truth.size(), members[first].cost), strong_cost(truth.size(), others);
  CONSORT_TRY(curve, fitting::cascade_curve(
                         {quick.confidence, cheap_quality, strong_quality, cheap_cost, strong_cost}));
  return fitting::choose_cascade(curve, {.goal = fitting::CascadeGoal::kCheapestAtStrong});
}

}  // namespace

std::size_t cheapest_member(Views members) {
  const auto least = std::min_element(members.begin(), members.end(),
                                      [](const ClassView& a, const ClassView& b) { return a.cost < b.cost; });
  return static_cast<std::size_t>(least - members.begin());
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

ClassStrategy cascade(const std::vector<std::string>& names, ClassStrategy strong) {
  return {"cascade",
          "the cheapest member alone where its calibrated probability reaches a threshold, else " +
              strong.name + " of all",
          [names, strong = std::move(strong)](Views members, Truth truth) -> Result<FittedClasses> {
            const std::size_t first = cheapest_member(members);
            CONSORT_TRY(alone, calibrated_member(names, first).fit(members, truth));
            CONSORT_TRY(all, strong.fit(members, truth));
            CONSORT_TRY(quick, alone.apply(members));
            CONSORT_TRY(whole, all.apply(members));
            CONSORT_TRY(point, threshold_of(quick, whole, members, first, truth));
            FittedClasses fitted;
            fitted.parameters = Value::object(
                {{"first", names[first]},
                 {"threshold", std::isfinite(point.threshold) ? Value(point.threshold) : Value()},
                 {"deferred", point.deferred},
                 {"then", all.parameters}});
            fitted.parts = {first};
            for (const std::size_t m : all.parts)
              if (m != first) fitted.parts.push_back(m);
            fitted.apply = [alone, all, threshold = point.threshold](Views m) -> Result<ClassSaid> {
              CONSORT_TRY(sure, alone.apply(m));
              CONSORT_TRY(rest, all.apply(m));
              std::vector<std::uint8_t> kept;
              for (const double c : sure.confidence) kept.push_back(c >= threshold);
              return first_where(sure, std::move(rest), kept);
            };
            return fitted;
          }};
}

}  // namespace consort
