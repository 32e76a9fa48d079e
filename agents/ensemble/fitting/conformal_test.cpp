// Hand examples, and coverage on distributions that are true by construction.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/conformal.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/risk_control.h"

namespace consort::fitting {
namespace {

using Labels = std::vector<std::int32_t>;
using Sets = std::vector<Labels>;

Matrix logs(const std::vector<std::vector<double>>& p) {
  Matrix out = *matrix_of(p);
  for (double& v : out.values) v = std::log(v);
  return out;
}

TEST(ConformalQuantile, IsTheFiniteSampleOne) {
  const std::vector<double> nine = {.9, .1, .8, .2, .7, .3, .6, .4, .5};
  EXPECT_EQ(*conformal_quantile(nine, 0.1), 0.9);   // ceil(10 * 0.9) = 9th
  EXPECT_EQ(*conformal_quantile(nine, 0.5), 0.5);   // 5th
  EXPECT_EQ(*conformal_quantile(nine, 0.45), 0.6);  // ceil(5.5) = 6th
  EXPECT_TRUE(
      std::isinf(*conformal_quantile(std::span<const double>(nine).first(8), 0.1)));  // ceil(8.1) = 9 of 8
  EXPECT_FALSE(conformal_quantile({}, 0.1));
  EXPECT_FALSE(conformal_quantile(nine, 0));
  EXPECT_FALSE(conformal_quantile(nine, 1));
  EXPECT_FALSE(conformal_quantile(std::vector<double>{NAN}, 0.1));
}

TEST(Conformal, ScoresByHand) {
  // One row, each class once the truth: LAC .5 .7 .8; APS (u = 1) .5 .8 1; RAPS adds 0, .1, .2 for ranks 1,
  // 2, 3.
  const Matrix rows = logs({{.5, .3, .2}, {.5, .3, .2}, {.5, .3, .2}});
  const Labels truth = {0, 1, 2};
  const auto threshold = [&](ConformalOptions o) { return fit_conformal(rows, truth, o)->threshold; };
  const ConformalOptions lac{ConformalScore::kLac, 0.5}, aps{ConformalScore::kAps, 0.5, 0, 0, false},
      raps{ConformalScore::kRaps, 0.5, 0.1, 1, false};
  EXPECT_NEAR(threshold(lac), 0.7, 1e-15);  // ceil(4 * 0.5) = 2nd of 3
  EXPECT_NEAR(threshold(aps), 0.8, 1e-15);
  EXPECT_NEAR(threshold(raps), 0.9, 1e-15);
  const Matrix seen = logs({{.1, .85, .05}, {.34, .33, .33}, {.28, .36, .36}});
  const auto sets = conformal_sets(*fit_conformal(rows, truth, lac), seen);
  ASSERT_TRUE(sets);
  EXPECT_EQ(*sets, (Sets{{1}, {0, 1, 2}, {1, 2}}));  // p >= 0.3, ties by class
  // Nobody is likely enough: LAC sets may be empty.
  const auto strict = conformal_sets(
      *fit_conformal(logs({{.9, .1}, {.9, .1}, {.8, .2}}), Labels{0, 0, 0}, lac), logs({{.5, .5}}));
  EXPECT_TRUE((*strict)[0].empty());
  // Too few calibration items: the whole.
  ConformalOptions careful = lac;
  careful.alpha = 0.05;
  EXPECT_EQ((*conformal_sets(*fit_conformal(rows, truth, careful), seen))[0].size(), 3u);
  EXPECT_FALSE(fit_conformal(rows, Labels{0, 1}, lac));
  EXPECT_FALSE(fit_conformal(rows, truth, {.alpha = 1}));
  EXPECT_FALSE(fit_conformal(rows, truth, {.lambda = -1}));
  EXPECT_FALSE(conformal_sets({}, {}));
}

TEST(Conformal, ReportCountsByHand) {
  const auto report = report_sets(Sets{{0}, {}, {1, 2}, {0, 1}}, Labels{0, 0, 1, 2}, 4);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->coverage, 0.5);
  EXPECT_EQ(report->mean_size, 1.25);
  EXPECT_EQ(report->empty, 1u);
  EXPECT_EQ(report->sizes, (std::vector<std::size_t>{1, 1, 2, 0, 0}));
  EXPECT_EQ(report->classes[0].coverage, 0.5);
  EXPECT_EQ(report->classes[1].coverage, 1);
  EXPECT_EQ(report->classes[2].coverage, 0);
  EXPECT_TRUE(std::isnan(report->classes[3].coverage));
  EXPECT_FALSE(report_sets({}, {}, 2));
  EXPECT_FALSE(report_sets(Sets{{2}}, Labels{0}, 2));
  EXPECT_FALSE(report_sets(Sets{{0}}, Labels{0, 1}, 2));
}

TEST(Conformal, BandIsTheBetaOfVovk) {
  const auto band = coverage_band(1000, 0.1);  // Beta(901, 100); scipy 1.17
  ASSERT_TRUE(band);
  EXPECT_NEAR(band->mean, 901.0 / 1001, 1e-15);
  EXPECT_NEAR(band->low, 0.8807915173137935, 1e-10);
  EXPECT_NEAR(band->high, 0.91789466564442, 1e-10);
  EXPECT_FALSE(coverage_band(8, 0.1));
  EXPECT_TRUE(coverage_band(9, 0.1));
  EXPECT_FALSE(coverage_band(1000, 0.1, 1));
}

// Labels drawn from overconfident versions of what is shown: the sets cover all the same.
TEST(Conformal, CoversWhatWasPromised) {
  SeededStream stream(21);
  const auto draw = [&](std::size_t n, Matrix& log_p, Labels& truth) {
    log_p = Matrix(n, 6);
    for (std::size_t i = 0; i < n; ++i) {
      double total = 0, sharp_total = 0, weights[6];
      for (std::size_t c = 0; c < 6; ++c) {
        const double z = 3 * stream.uniform();
        total += weights[c] = std::exp(z);
        sharp_total += std::exp(2 * z);
        log_p.at(i, c) = 2 * z;
      }
      for (double& v : log_p.row(i)) v -= std::log(sharp_total);
      double u = stream.uniform() * total;
      std::int32_t label = 0;
      while (label < 5 && u >= weights[label]) u -= weights[label++];
      truth.push_back(label);
    }
  };
  Matrix calibration, test;
  Labels calibration_truth, test_truth;
  draw(1000, calibration, calibration_truth);
  draw(5000, test, test_truth);
  const auto band = coverage_band(1000, 0.1, 0.999);
  for (const ConformalScore score : {ConformalScore::kLac, ConformalScore::kAps, ConformalScore::kRaps}) {
    const ConformalOptions options{.score = score, .alpha = 0.1, .k_reg = 2, .seed = 4};
    const auto model = fit_conformal(calibration, calibration_truth, options);
    const auto sets = conformal_sets(*model, test);
    EXPECT_EQ(*sets, *conformal_sets(*model, test));
    const auto report = report_sets(*sets, test_truth, 6);
    const double noise = 3.3 * std::sqrt(0.09 / 5000);  // of 5,000 test items
    EXPECT_GT(report->coverage, band->low - noise) << static_cast<int>(score);
    EXPECT_LT(report->coverage, band->high + noise) << static_cast<int>(score);
    EXPECT_LT(report->mean_size, 6);
  }
}

TEST(Conformal, MajorityOfSets) {
  EXPECT_EQ(*majority_set(Sets{{0, 1}, {1, 2}, {1, 2, 2}}), (Labels{1, 2}));
  EXPECT_EQ(*majority_set(Sets{{0}, {1}}), Labels{});  // half is not more than half
  EXPECT_FALSE(majority_set({}));
}

TEST(RiskControl, TakesTheBoldestSettingThatKeepsTheBound) {
  // Sums 0, 1, 2, 3 of n = 3: (sum + 1) / 4 is 0.25, 0.5, 0.75, 1.
  const Matrix losses = *matrix_of({{0, 0, 1, 1}, {0, 0, 0, 1}, {0, 1, 1, 1}});
  const auto half = control_risk(losses, 0.5);
  ASSERT_TRUE(half);
  EXPECT_EQ(half->place, 1u);
  EXPECT_NEAR(half->risk, 1.0 / 3, 1e-15);
  EXPECT_EQ(half->bounded_risk, 0.5);
  EXPECT_EQ(control_risk(losses, 1)->place, 3u);
  const auto none = control_risk(losses, 0.2);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->place);
  EXPECT_EQ(none->bounded_risk, 0.25);
  EXPECT_FALSE(control_risk(*matrix_of({{1, 0}}), 0.5));
  EXPECT_FALSE(control_risk(losses, 0.5, 0.5));
  EXPECT_FALSE(control_risk(losses, 0));
  EXPECT_FALSE(control_risk({}, 0.5));
}

}  // namespace
}  // namespace consort::fitting
