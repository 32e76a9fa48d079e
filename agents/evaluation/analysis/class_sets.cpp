#include "agents/evaluation/analysis/class_sets.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/conformal.h"

namespace consort {
namespace {

using fitting::ConformalScore;

// An item with fewer options than the widest one has classes that are none.
void drop_padding(std::vector<std::int32_t>& set, std::span<const double> log_p) {
  std::erase_if(set, [&](std::int32_t c) { return log_p[static_cast<std::size_t>(c)] <= kNoClass / 2; });
}

Result<PredictionSets> sets_of(ConformalScore score, const char* name, const ClassSaid& calibration,
                               std::span<const std::int32_t> calibration_truth, const ClassSaid& test,
                               std::span<const std::int32_t> truth, std::uint64_t seed) {
  fitting::ConformalOptions options;
  options.score = score;
  options.alpha = kSetMissRate;
  options.seed = seed;
  CONSORT_TRY(model, fitting::fit_conformal(calibration.log_p, calibration_truth, options));
  CONSORT_TRY(sets, fitting::conformal_sets(model, test.log_p));
  for (std::size_t i = 0; i < sets.size(); ++i) drop_padding(sets[i], test.log_p.row(i));
  CONSORT_TRY(report, fitting::report_sets(sets, truth, test.log_p.columns));
  CONSORT_TRY(band, fitting::coverage_band(model.items, options.alpha));
  PredictionSets out;
  out.score = name;
  out.calibration_items = model.items;
  out.threshold = model.threshold;
  out.coverage = report.coverage;
  out.band_low = band.low;
  out.band_high = band.high;
  out.mean_size = report.mean_size;
  out.single =
      static_cast<double>(report.sizes.size() > 1 ? report.sizes[1] : 0) / static_cast<double>(sets.size());
  out.empty = static_cast<double>(report.empty) / static_cast<double>(sets.size());
  for (const fitting::ClassCoverage& c : report.classes)
    if (c.items > 0 && !(c.coverage >= out.worst_class)) out.worst_class = c.coverage;
  return out;
}

}  // namespace

bool SetSplit::enough() const {
  return static_cast<double>(calibration.truth.size() + 1) * kSetMissRate >= 1;
}

SetSplit set_split(const ClassSplit& fit, const std::vector<int>& folds) {
  std::vector<std::size_t> fitted, calibration;
  for (std::size_t i = 0; i < folds.size(); ++i) (folds[i] % 2 == 0 ? fitted : calibration).push_back(i);
  return {fit.part(fitted), fit.part(calibration)};
}

Result<std::vector<PredictionSets>> prediction_sets(const std::string& contestant,
                                                    const ClassStrategy& strategy, const SetSplit& split,
                                                    const ClassSplit& test, std::uint64_t seed) {
  const std::vector<ClassView> fitted_views = split.fitted.views(),
                               calibration_views = split.calibration.views(), test_views = test.views();
  CONSORT_TRY(fitted, strategy.fit(fitted_views, split.fitted.truth));
  CONSORT_TRY(calibration, fitted.apply(calibration_views));
  std::vector<PredictionSets> out;
  if (calibration.log_p.columns == 0) return out;
  CONSORT_TRY(said, fitted.apply(test_views));
  constexpr std::pair<ConformalScore, const char*> kScores[] = {
      {ConformalScore::kLac, "LAC"}, {ConformalScore::kAps, "APS"}, {ConformalScore::kRaps, "RAPS"}};
  for (const auto& [score, name] : kScores) {
    CONSORT_TRY(sets, sets_of(score, name, calibration, split.calibration.truth, said, test.truth, seed));
    sets.contestant = contestant;
    out.push_back(std::move(sets));
  }
  return out;
}

}  // namespace consort
