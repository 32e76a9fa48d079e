#include "agents/evaluation/analysis/class_router.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "agents/ensemble/fitting/cascade.h"
#include "agents/ensemble/fitting/principal.h"
#include "agents/ensemble/fitting/risk_control.h"
#include "agents/evaluation/analysis/class_cascade.h"

namespace consort {
namespace {

using fitting::Matrix;
using Views = std::span<const ClassView>;
using Truth = std::span<const std::int32_t>;

constexpr double kPenalty = 1;
constexpr int kFolds = 5;
constexpr std::size_t kDirections = 16;  // of an embedding
constexpr std::size_t kMostSettings = 200;  // thresholds that risk control looks at
constexpr double kInfinite = std::numeric_limits<double>::infinity();

// What the first member's distribution tells of its doubt: its largest probability, the lead over the second,
// its entropy (nats), ln of the number of options.
Matrix doubts_of(const Matrix& log_p) {
  Matrix out(log_p.rows(), 4);
  for (std::size_t i = 0; i < log_p.rows(); ++i) {
    double first = 0, second = 0, entropy = 0, options = 0;
    for (const double l : log_p.row(i)) {
      if (l <= kNoClass / 2) continue;
      const double p = std::exp(l);
      ++options;
      entropy -= p > 0 ? p * l : 0;
      second = std::max(second, std::min(first, p));
      first = std::max(first, p);
    }
    out.at(i, 0) = first;
    out.at(i, 1) = first - second;
    out.at(i, 2) = entropy;
    out.at(i, 3) = std::log(std::max(1.0, options));
  }
  return out;
}

// ---- a learned router -----------------------------------------------------------------------------------

struct Route {
  std::optional<fitting::LogisticModel> model;  // none: the others were never, or always, better
  std::optional<fitting::PrincipalAxes> axes;   // of the embedding, where it helps
  double threshold = -kInfinite;                // of 1 - P(the others are better)
  double deferred = 0;
};

double trust(const fitting::LogisticModel& model, std::span<const double> features) {
  return 1 - model.probability(features);
}

// Doubts, and the embedding's coordinates behind them.
Matrix features_of(Matrix doubts, const fitting::MatrixView& embedding,
                   const std::optional<fitting::PrincipalAxes>& axes) {
  if (!axes) return doubts;
  Matrix out(doubts.rows(), doubts.columns + axes->axes.rows());
  for (std::size_t i = 0; i < doubts.rows(); ++i) {
    std::copy(doubts.row(i).begin(), doubts.row(i).end(), out.row(i).begin());
    const std::vector<double> place = axes->coordinates(embedding.row(i));
    std::copy(place.begin(), place.end(), out.row(i).begin() + static_cast<std::ptrdiff_t>(doubts.columns));
  }
  return out;
}

double log_loss(std::span<const double> p, std::span<const std::uint8_t> truth) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    sum -= std::log(std::max(truth[i] == 1 ? p[i] : 1 - p[i], 1e-12));
  return sum;
}

// The threshold is chosen on predictions for items that the router has not seen. The directions have seen the
// items, but not what is right.
Result<Route> route_of(const CascadeStages& stages, const ClassSaid& quick, const ClassSaid& whole,
                       const fitting::MatrixView& embedding, Truth truth) {
  const std::vector<double> cheap = marks_of(quick, truth), strong = marks_of(whole, truth);
  std::vector<std::uint8_t> better;
  for (std::size_t i = 0; i < truth.size(); ++i) better.push_back(strong[i] > cheap[i] ? 1 : 0);
  auto folds = fitting::group_folds(truth.size(), {}, kFolds, 1);
  if (!folds) return Route{};
  Route route;
  Matrix features = doubts_of(quick.log_p);
  auto unseen = fitting::out_of_fold(features, better, kPenalty, *folds);
  if (!unseen) return Route{};  // too few items on which the others are better
  if (auto axes = fitting::principal_axes(embedding, kDirections)) {  // none without an embedding
    Matrix more = features_of(features, embedding, *axes);
    auto seen_more = fitting::out_of_fold(more, better, kPenalty, *folds);
    if (seen_more && log_loss(*seen_more, better) < log_loss(*unseen, better)) {
      route.axes = std::move(*axes);
      features = std::move(more);
      unseen = std::move(seen_more);
    }
  }
  auto model = fitting::fit_router(features, cheap, strong, kPenalty);
  if (!model) return Route{};
  std::vector<double> confidence;
  for (const double p : *unseen) confidence.push_back(1 - p);
  const std::vector<double> own(truth.size(), stages.own_cost), others(truth.size(), stages.others_cost);
  CONSORT_TRY(curve, fitting::cascade_curve({confidence, cheap, strong, own, others}));
  CONSORT_TRY(point, fitting::choose_cascade(curve, {.goal = fitting::CascadeGoal::kCheapestAtStrong}));
  route.model = std::move(*model);
  route.threshold = point.threshold;
  route.deferred = point.deferred;
  return route;
}

Value route_parameters(const std::string& first, const Route& route, const Value& then) {
  Value::Array weights;
  if (route.model)
    for (const double w : route.model->weights) weights.emplace_back(w);
  return Value::object({{"first", first},
                        {"weights", Value::array(std::move(weights))},
                        {"bias", route.model ? Value(route.model->bias) : Value()},
                        {"features", route.axes ? "doubt and embedding" : "doubt"},
                        {"threshold", std::isfinite(route.threshold) ? Value(route.threshold) : Value()},
                        {"deferred", route.deferred},
                        {"then", then}});
}

// ---- a threshold with a guarantee -----------------------------------------------------------------------

// Every second item, from `first` on.
struct Half {
  std::vector<Matrix> log_p, per_byte;
  std::vector<ClassView> views;
  std::vector<std::int32_t> truth;
};

Matrix every_second(const fitting::MatrixView& rows, std::size_t first) {
  Matrix out;
  out.columns = rows.columns;
  for (std::size_t i = first; i < rows.rows(); i += 2)
    out.values.insert(out.values.end(), rows.row(i).begin(), rows.row(i).end());
  return out;
}

Half half_of(Views members, Truth truth, std::size_t first) {
  Half half;
  for (const ClassView& m : members) {
    half.log_p.push_back(every_second(m.log_p, first));
    half.per_byte.push_back(every_second(m.per_byte, first));
  }
  for (std::size_t m = 0; m < members.size(); ++m)
    half.views.push_back({half.log_p[m], half.per_byte[m], members[m].cost});
  for (std::size_t i = first; i < truth.size(); i += 2) half.truth.push_back(truth[i]);
  return half;
}

// From "ask the others always" to "never": an item is kept where its confidence reaches the threshold.
std::vector<double> settings_of(std::vector<double> confidence) {
  std::sort(confidence.rbegin(), confidence.rend());
  std::vector<double> out{kInfinite};
  const std::size_t step = std::max<std::size_t>(1, confidence.size() / kMostSettings);
  for (std::size_t i = 0; i < confidence.size(); i += step) out.push_back(confidence[i]);
  out.push_back(-kInfinite);
  return out;
}

struct Bounded {
  double threshold = kInfinite;
  fitting::RiskChoice risk;
};

Result<Bounded> bounded_threshold(const ClassSaid& quick, const ClassSaid& whole, Truth truth, double alpha) {
  const std::vector<double> settings = settings_of(quick.confidence), cheap = marks_of(quick, truth),
                            strong = marks_of(whole, truth);
  Matrix losses(truth.size(), settings.size());
  for (std::size_t i = 0; i < truth.size(); ++i)
    for (std::size_t s = 0; s < settings.size(); ++s)
      losses.at(i, s) = quick.confidence[i] >= settings[s] && strong[i] > cheap[i] ? 1 : 0;
  CONSORT_TRY(risk, fitting::control_risk(losses, alpha));
  return Bounded{risk.place ? settings[*risk.place] : kInfinite, risk};
}

}  // namespace

ClassStrategy learned_cascade(const std::vector<std::string>& names, ClassStrategy strong) {
  return {"learnedCascade",
          "the cheapest member alone unless a logistic router on its doubt, and its embedding where that helps, expects the others to do better, "
          "else " +
              strong.name + " of all",
          [names, strong = std::move(strong)](Views members, Truth truth) -> Result<FittedClasses> {
            CONSORT_TRY(stages, cascade_stages(names, strong, members, truth));
            CONSORT_TRY(quick, stages.alone.apply(members));
            CONSORT_TRY(whole, stages.all.apply(members));
            CONSORT_TRY(route,
                        route_of(stages, quick, whole, members[stages.first].embedding, truth));
            FittedClasses fitted =
                stages.fitted(route_parameters(names[stages.first], route, stages.all.parameters));
            fitted.apply = [stages, route](Views m) -> Result<ClassSaid> {
              CONSORT_TRY(said, stages.alone.apply(m));
              CONSORT_TRY(rest, stages.all.apply(m));
              const Matrix features = features_of(doubts_of(said.log_p), m[stages.first].embedding, route.axes);
              std::vector<std::uint8_t> sure;
              for (std::size_t i = 0; i < features.rows(); ++i)
                sure.push_back(!route.model || trust(*route.model, features.row(i)) >= route.threshold);
              return first_where(said, std::move(rest), sure);
            };
            return fitted;
          }};
}

ClassStrategy bounded_cascade(const std::vector<std::string>& names, ClassStrategy strong, double alpha) {
  return {
      "boundedCascade",
      "the cheapest member alone above the lowest threshold that costs a right answer on at most a share " +
          write_json(Value(alpha)) + " of items (conformal risk control), else " + strong.name + " of all",
      [names, strong = std::move(strong), alpha](Views members, Truth truth) -> Result<FittedClasses> {
        const Half fit = half_of(members, truth, 0), check = half_of(members, truth, 1);
        CONSORT_TRY(stages, cascade_stages(names, strong, fit.views, fit.truth));
        CONSORT_TRY(quick, stages.alone.apply(check.views));
        CONSORT_TRY(whole, stages.all.apply(check.views));
        CONSORT_TRY(bounded, bounded_threshold(quick, whole, check.truth, alpha));
        FittedClasses fitted = stages.fitted(Value::object(
            {{"first", names[stages.first]},
             {"alpha", alpha},
             {"threshold", std::isfinite(bounded.threshold) ? Value(bounded.threshold) : Value()},
             {"boundedRisk", bounded.risk.bounded_risk},
             {"calibratedOn", check.truth.size()},
             {"then", stages.all.parameters}}));
        fitted.apply = [stages, threshold = bounded.threshold](Views m) {
          return first_above(stages, m, threshold);
        };
        return fitted;
      }};
}

}  // namespace consort
