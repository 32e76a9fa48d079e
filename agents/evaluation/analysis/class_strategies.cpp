#include "agents/evaluation/analysis/class_strategies.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "agents/ensemble/fitting/logistic.h"
#include "agents/ensemble/fitting/pool_weights.h"
#include "agents/ensemble/fitting/selection.h"
#include "agents/ensemble/fitting/temperature.h"
#include "agents/evaluation/analysis/class_cascade.h"
#include "agents/evaluation/analysis/class_router.h"
#include "agents/evaluation/analysis/class_votes.h"
#include "agents/evaluation/analysis/splits.h"
#include "agents/evaluation/measures/classification.h"

namespace consort {
namespace {

using fitting::Matrix;
using fitting::MatrixView;
using Views = std::span<const ClassView>;
using Truth = std::span<const std::int32_t>;
using Names = std::vector<std::string>;

constexpr double kLostAnswers = 0.05;  // share of right answers that boundedCascade may cost

constexpr double kStackerPenalty = 1;
constexpr double kItemsForFullTemperature = 50;  // below, ln T is pulled to 0 in proportion
constexpr double kLeastSelectionGain = 1e-4;     // nats an item

std::vector<std::size_t> everybody(std::size_t members) {
  std::vector<std::size_t> out(members);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

// Every member with its own temperature.
Result<std::vector<Matrix>> tempered(Views members, std::span<const double> temperatures) {
  std::vector<Matrix> out;
  for (std::size_t m = 0; m < members.size(); ++m) {
    CONSORT_TRY(made, fitting::apply_temperature(members[m].log_p, temperatures[m]));
    out.push_back(std::move(made));
  }
  return out;
}

// At an edge of the range (every item is right, say) the items do not tell the temperature: it stays 1.
Result<double> temperature_of(const MatrixView& logits, Truth truth) {
  CONSORT_TRY(fit, fitting::fit_temperature(logits, truth));
  if (fit.at_edge && fit.temperature < 1) return 1.0;  // a few items without an error prove no certainty
  const double trust = std::min(1.0, static_cast<double>(truth.size()) / kItemsForFullTemperature);
  return std::exp(trust * std::log(fit.temperature));
}

Result<std::vector<double>> temperatures_of(Views members, Truth truth) {
  std::vector<double> out;
  for (const ClassView& member : members) {
    CONSORT_TRY(temperature, temperature_of(member.log_p, truth));
    out.push_back(temperature);
  }
  return out;
}

std::vector<MatrixView> views(const std::vector<Matrix>& matrices) {
  return {matrices.begin(), matrices.end()};
}
std::vector<MatrixView> views(Views members) {
  std::vector<MatrixView> out;
  for (const ClassView& member : members) out.push_back(member.log_p);
  return out;
}

using Pool = Result<Matrix> (*)(std::span<const MatrixView>, std::span<const double>);

// Nothing fitted: equal weights, members as they are.
ClassStrategy uniform_pool(std::string name, std::string how, Pool pool) {
  return {std::move(name), std::move(how), [pool](Views members, Truth) -> Result<FittedClasses> {
            FittedClasses fitted{Value::object({}), everybody(members.size()), {}};
            fitted.apply = [pool](Views m) -> Result<ClassSaid> {
              CONSORT_TRY(pooled, pool(views(m), {}));
              return said_by(std::move(pooled));
            };
            return fitted;
          }};
}

// Temperatures, weights and a temperature of the pool, one after the other on the same items.
struct PoolFit {
  std::vector<double> temperatures, weights;
  double pool_temperature = 1;

  Result<Matrix> apply(Views members, Pool pool) const {
    CONSORT_TRY(matrices, tempered(members, temperatures));
    CONSORT_TRY(pooled, pool(views(matrices), weights));
    return fitting::apply_temperature(pooled, pool_temperature);
  }
};

FittedClasses fitted_pool(const Names& names, PoolFit fit, Pool pool) {
  FittedClasses out;
  out.parameters = Value::object({{"temperatures", named_numbers(names, fit.temperatures)},
                                  {"weights", named_numbers(names, fit.weights)},
                                  {"pool_temperature", fit.pool_temperature}});
  for (std::size_t m = 0; m < fit.weights.size(); ++m)
    if (fit.weights[m] > 0) out.parts.push_back(m);
  out.apply = [fit = std::move(fit), pool](Views members) -> Result<ClassSaid> {
    CONSORT_TRY(pooled, fit.apply(members, pool));
    return said_by(std::move(pooled));
  };
  return out;
}

Result<Matrix> truth_columns(const std::vector<Matrix>& members, Truth truth) {
  Matrix out(truth.size(), members.size());
  for (std::size_t i = 0; i < truth.size(); ++i)
    for (std::size_t m = 0; m < members.size(); ++m)
      out.at(i, m) = members[m].at(i, static_cast<std::size_t>(truth[i]));
  return out;
}

// Averages of calibrated members are too modest: the pool gets a temperature of its own (research note A5).
Result<FittedClasses> finish_pool(const Names& names, PoolFit fit, Pool pool,
                                  const std::vector<Matrix>& members, Truth truth) {
  CONSORT_TRY(pooled, pool(views(members), fit.weights));
  CONSORT_TRY(last, temperature_of(pooled, truth));
  fit.pool_temperature = last;
  return fitted_pool(names, std::move(fit), pool);
}

ClassStrategy tuned_linear(const Names& names) {
  return {"linearPool fitted",
          "temperature of each member, weights of the linear pool by EM, temperature of the pool",
          [names](Views members, Truth truth) -> Result<FittedClasses> {
            PoolFit fit;
            CONSORT_TRY(temperatures, temperatures_of(members, truth));
            fit.temperatures = std::move(temperatures);
            CONSORT_TRY(matrices, tempered(members, fit.temperatures));
            CONSORT_TRY(columns, truth_columns(matrices, truth));
            CONSORT_TRY(weights, fitting::fit_linear_pool(columns));
            fit.weights = fitting::shrunk_weights(std::move(weights.weights), truth.size());
            return finish_pool(names, std::move(fit), &fitting::linear_pool, matrices, truth);
          }};
}

ClassStrategy tuned_log(const Names& names) {
  return {"logPool fitted",
          "temperature of each member, weights of the log pool by gradient on the simplex, temperature of "
          "the pool",
          [names](Views members, Truth truth) -> Result<FittedClasses> {
            PoolFit fit;
            CONSORT_TRY(temperatures, temperatures_of(members, truth));
            fit.temperatures = std::move(temperatures);
            CONSORT_TRY(matrices, tempered(members, fit.temperatures));
            CONSORT_TRY(weights, fitting::fit_log_pool(views(matrices), truth));
            fit.weights = fitting::shrunk_weights(std::move(weights.weights), truth.size());
            return finish_pool(names, std::move(fit), &fitting::log_pool, matrices, truth);
          }};
}

// Forward selection of members by the fit split's NLL of their uniform pool; one member is an allowed answer.
ClassStrategy greedy(const Names& names) {
  return {"greedyPool",
          "members added one by one while the fit split's NLL of their equal-weight linear pool falls",
          [names](Views members, Truth truth) -> Result<FittedClasses> {
            PoolFit fit;
            CONSORT_TRY(temperatures, temperatures_of(members, truth));
            fit.temperatures = std::move(temperatures);
            CONSORT_TRY(matrices, tempered(members, fit.temperatures));
            const auto value = [&](std::span<const std::size_t> set) {
              std::vector<MatrixView> some;
              for (const std::size_t m : set) some.push_back(matrices[m]);
              const auto pooled = fitting::linear_pool(some, {});
              const auto nll = pooled ? measures::mean_nll(*pooled, truth) : Result<double>(kUnknown);
              return nll ? -*nll : kUnknown;
            };
            CONSORT_TRY(selection, fitting::greedy_selection(members.size(), value, kLeastSelectionGain));
            fit.weights.assign(members.size(), 0.0);
            for (const std::size_t m : selection.members)
              fit.weights[m] = 1.0 / static_cast<double>(selection.members.size());
            return finish_pool(names, std::move(fit), &fitting::linear_pool, matrices, truth);
          }};
}

// Per option: each member's ln p, and whether it is that member's first choice.
struct OptionFeatures {
  Matrix features;
  std::vector<std::size_t> counts;
};

OptionFeatures option_features(const std::vector<Matrix>& members) {
  const std::size_t items = members.front().rows(), classes = members.front().columns;
  OptionFeatures out;
  out.features.columns = 2 * members.size();
  std::vector<std::vector<std::int32_t>> first;
  for (const Matrix& m : members) first.push_back(measures::likeliest(m));
  for (std::size_t i = 0; i < items; ++i) {
    std::size_t count = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      if (members.front().at(i, c) < kNoClass / 100) continue;  // padding, also after a temperature of 20
      ++count;
      for (std::size_t m = 0; m < members.size(); ++m) {
        out.features.values.push_back(std::max(members[m].at(i, c), -50.0));
        out.features.values.push_back(first[m][i] == static_cast<std::int32_t>(c) ? 1 : 0);
      }
    }
    out.counts.push_back(count);
  }
  return out;
}

ClassStrategy stacking(const Names& names) {
  return {"stacking", "conditional logit on each member's calibrated ln p and first choice",
          [names](Views members, Truth truth) -> Result<FittedClasses> {
            CONSORT_TRY(temperatures, temperatures_of(members, truth));
            CONSORT_TRY(matrices, tempered(members, temperatures));
            const OptionFeatures options = option_features(matrices);
            CONSORT_TRY(
                model, fitting::fit_choice_stacker(options.features, options.counts, truth, kStackerPenalty));
            Value::Array weights(model.weights.begin(), model.weights.end());
            FittedClasses fitted{Value::object({{"temperatures", named_numbers(names, temperatures)},
                                                {"weights", Value::array(std::move(weights))}}),
                                 everybody(members.size()),
                                 {}};
            fitted.apply = [model, temperatures](Views m) -> Result<ClassSaid> {
              CONSORT_TRY(tuned, tempered(m, temperatures));
              const OptionFeatures all = option_features(tuned);
              Matrix out(tuned.front().rows(), tuned.front().columns);
              std::fill(out.values.begin(), out.values.end(), kNoClass);
              std::size_t row = 0;
              for (std::size_t i = 0; i < all.counts.size(); ++i) {
                const auto part =
                    std::span<const double>(all.features.values)
                        .subspan(row * all.features.columns, all.counts[i] * all.features.columns);
                const auto logs = model.log_probabilities({part, all.features.columns});
                std::copy(logs.begin(), logs.end(), out.row(i).begin());
                row += all.counts[i];
              }
              return said_by(std::move(out));
            };
            return fitted;
          }};
}

}  // namespace

ClassSaid said_by(Matrix log_p) {
  ClassSaid said;
  said.answer = measures::likeliest(log_p);
  for (std::size_t i = 0; i < log_p.rows(); ++i)
    said.confidence.push_back(std::min(1.0, std::exp(log_p.at(i, static_cast<std::size_t>(said.answer[i])))));
  said.log_p = std::move(log_p);
  return said;
}

ClassStrategy raw_member(std::size_t place) {
  return {"", "as recorded", [place](Views, Truth) -> Result<FittedClasses> {
            FittedClasses fitted{Value::object({}), {place}, {}};
            fitted.apply = [place](Views m) -> Result<ClassSaid> {
              Matrix copy;
              copy.columns = m[place].log_p.columns;
              copy.values.assign(m[place].log_p.values.begin(), m[place].log_p.values.end());
              return said_by(std::move(copy));
            };
            return fitted;
          }};
}

ClassStrategy calibrated_member(const Names& names, std::size_t place) {
  return {"", "with its temperature fitted",
          [names, place](Views members, Truth truth) -> Result<FittedClasses> {
            CONSORT_TRY(t, temperature_of(members[place].log_p, truth));
            FittedClasses fitted{Value::object({{"temperature", t}}), {place}, {}};
            fitted.apply = [place, t = t](Views m) -> Result<ClassSaid> {
              CONSORT_TRY(made, fitting::apply_temperature(m[place].log_p, t));
              return said_by(std::move(made));
            };
            return fitted;
          }};
}

std::vector<ClassStrategy> class_strategies(const Names& names, bool per_byte, double classes) {
  std::vector<ClassStrategy> out = vote_strategies(names, per_byte, classes);
  out.push_back(uniform_pool("linearPool", "mean of the members' probabilities, nothing fitted",
                             &fitting::linear_pool));
  out.push_back(uniform_pool("logPool", "geometric mean of the members' probabilities, nothing fitted",
                             &fitting::log_pool));
  out.push_back(tuned_linear(names));
  out.push_back(tuned_log(names));
  if (names.size() > 2) out.push_back(greedy(names));  // of two it is one or the uniform pool
  out.push_back(stacking(names));
  if (names.size() < 2) return out;
  out.push_back(cascade(names, tuned_linear(names)));
  if (names.size() > 2) out.push_back(agreement_cascade(names, &tuned_linear));
  out.push_back(learned_cascade(names, tuned_linear(names)));
  out.push_back(bounded_cascade(names, tuned_linear(names), kLostAnswers));
  return out;
}

std::vector<std::string> class_strategy_names() {
  std::vector<std::string> out;
  for (const ClassStrategy& s : class_strategies({"a", "b", "c"}, true, 2)) out.push_back(s.name);
  return out;
}

}  // namespace consort
