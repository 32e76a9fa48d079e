#include "agents/evaluation/analysis/class_cascade.h"

#include <algorithm>
#include <cmath>
#include <numeric>
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

// 1 where both members' likeliest answers are one.
std::vector<std::uint8_t> agreeing(Views pair) {
  const auto a = measures::likeliest(pair[0].log_p), b = measures::likeliest(pair[1].log_p);
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i < a.size(); ++i) out.push_back(a[i] == b[i] && a[i] >= 0);
  return out;
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

ClassStrategy agreement_cascade(const std::vector<std::string>& names,
                                const std::function<ClassStrategy(const std::vector<std::string>&)>& pool) {
  const ClassStrategy strong = pool(names);
  return {"agreementCascade", "the two cheapest members where they agree, else " + strong.name + " of all",
          [names, pool, strong](Views members, Truth truth) -> Result<FittedClasses> {
            std::vector<std::size_t> order(members.size());
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
              return members[a].cost < members[b].cost;
            });
            const std::size_t a = order[0], b = order[1];
            const auto both = [a, b](Views m) { return std::vector<ClassView>{m[a], m[b]}; };
            const std::vector<ClassView> cheap = both(members);
            CONSORT_TRY(early, pool({names[a], names[b]}).fit(cheap, truth));
            CONSORT_TRY(late, strong.fit(members, truth));
            const auto sure = agreeing(cheap);
            const auto deferred = static_cast<double>(std::count(sure.begin(), sure.end(), 0)) /
                                  static_cast<double>(std::max<std::size_t>(1, sure.size()));
            FittedClasses fitted;
            fitted.parameters = Value::object({{"first", Value::array({names[a], names[b]})},
                                               {"deferred", deferred},
                                               {"agreed", early.parameters},
                                               {"then", late.parameters}});
            fitted.parts = order;
            fitted.always = 2;
            fitted.apply = [both, early, late](Views m) -> Result<ClassSaid> {
              const std::vector<ClassView> pair = both(m);
              CONSORT_TRY(quick, early.apply(pair));
              CONSORT_TRY(whole, late.apply(m));
              return first_where(quick, std::move(whole), agreeing(pair));
            };
            return fitted;
          }};
}

}  // namespace consort
