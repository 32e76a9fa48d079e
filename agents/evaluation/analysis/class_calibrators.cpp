#include "agents/evaluation/analysis/class_calibrators.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/isotonic.h"
#include "agents/ensemble/fitting/platt.h"
#include "agents/ensemble/fitting/temperature.h"
#include "agents/ensemble/fitting/vector_scaling.h"
#include "agents/evaluation/measures/calibration.h"
#include "agents/evaluation/measures/classification.h"

namespace consort {
namespace {

using fitting::Matrix;
using Truth = std::span<const std::int32_t>;

constexpr std::size_t kMostScaledClasses = 64;  // Newton's matrix of vector scaling has (2 K)^2 numbers
constexpr double kLeastProbability = 1e-6;      // isotonic regression gives 0 and 1

bool padded(const Matrix& log_p) {
  return std::any_of(log_p.values.begin(), log_p.values.end(), [](double l) { return l <= kNoClass / 2; });
}

Result<CalibratorResult> measured(std::string way, const Matrix& log_p, Truth truth) {
  CalibratorResult out;
  out.way = std::move(way);
  CONSORT_TRY(nll, bounded_nll(log_p, truth));
  for (const double v : nll) out.nll += v / static_cast<double>(nll.size());
  CONSORT_TRY(brier, measures::mean_brier(log_p, truth));
  out.brier = brier;
  const ClassSaid said = said_by(log_p);
  std::vector<double> confidence;
  for (const double c : said.confidence) confidence.push_back(std::clamp(c, 0.0, 1.0));
  CONSORT_TRY(error, measures::calibration_error(confidence, measures::marks(said.answer, truth)));
  out.ece = error.ece;
  out.ece_debiased = error.debiased;
  return out;
}

std::vector<double> log_odds(const Matrix& log_p) {
  std::vector<double> out;
  for (std::size_t i = 0; i < log_p.rows(); ++i) out.push_back(log_p.at(i, 1) - log_p.at(i, 0));
  return out;
}

template <typename Probability>
Matrix two_classes(const std::vector<double>& scores, const Probability& probability) {
  Matrix out(scores.size(), 2);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double p = std::clamp(probability(scores[i]), kLeastProbability, 1 - kLeastProbability);
    out.at(i, 0) = std::log1p(-p);
    out.at(i, 1) = std::log(p);
  }
  return out;
}

// What a way makes of the test items.
struct Calibrated {
  std::string way;
  Matrix log_p;
};

void add_binary(std::vector<Calibrated>& out, const Matrix& fit, Truth truth, const Matrix& test) {
  const std::vector<double> scores = log_odds(fit), asked = log_odds(test);
  const std::vector<std::uint8_t> positive(truth.begin(), truth.end());
  if (const auto platt = fitting::fit_platt(scores, positive))
    out.push_back({"Platt", two_classes(asked, [&](double s) { return platt->probability(s); })});
  const std::vector<double> targets(truth.begin(), truth.end());
  if (const auto isotonic = fitting::fit_isotonic(scores, targets))
    out.push_back({"isotonic", two_classes(asked, [&](double s) { return isotonic->value(s); })});
}

std::vector<Calibrated> ways_of(const Matrix& fit, Truth truth, const Matrix& test) {
  std::vector<Calibrated> out{{"as it came", test}};
  if (const auto t = fitting::fit_temperature(fit, truth))
    if (auto made = fitting::apply_temperature(test, t->temperature))
      out.push_back({"temperature", std::move(*made)});
  if (padded(fit) || padded(test)) return out;
  if (fit.columns <= kMostScaledClasses)
    if (const auto scaling = fitting::fit_vector_scaling(fit, truth))
      if (auto made = scaling->apply(test)) out.push_back({"vector scaling", std::move(*made)});
  if (fit.columns == 2) add_binary(out, fit, truth, test);
  return out;
}

}  // namespace

Result<std::vector<CalibratorResult>> calibrator_results(const std::string& contestant,
                                                         const ClassStrategy& strategy, const ClassSplit& fit,
                                                         const ClassSplit& test) {
  const std::vector<ClassView> fit_views = fit.views(), test_views = test.views();
  CONSORT_TRY(fitted, strategy.fit(fit_views, fit.truth));
  CONSORT_TRY(known, fitted.apply(fit_views));
  std::vector<CalibratorResult> out;
  if (known.log_p.columns == 0) return out;
  CONSORT_TRY(asked, fitted.apply(test_views));
  for (const Calibrated& c : ways_of(known.log_p, fit.truth, asked.log_p)) {
    CONSORT_TRY(row, measured(c.way, c.log_p, test.truth));
    row.contestant = contestant;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace consort
