// Calibration, selective prediction and deferral by hand; bias of ECE on data that are calibrated by
// construction.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/random.h"
#include "agents/evaluation/measures/calibration.h"
#include "agents/evaluation/measures/deferral.h"
#include "agents/evaluation/measures/selective.h"

namespace consort::measures {
namespace {

using Marks = std::vector<std::uint8_t>;

TEST(Calibration, EqualWidthByHand) {
  const std::vector<double> confidence = {.05, .15, .95, .95};
  const auto error = calibration_error(confidence, Marks{0, 1, 1, 0}, Binning::kEqualWidth, 10);
  ASSERT_TRUE(error);
  ASSERT_EQ(error->bins.size(), 10u);
  EXPECT_EQ(error->bins[9].count, 2u);
  EXPECT_NEAR(error->bins[9].confidence, 0.95, 1e-15);
  EXPECT_EQ(error->bins[9].accuracy, 0.5);
  EXPECT_EQ(error->bins[5].count, 0u);
  EXPECT_NEAR(error->ece, 0.25 * 0.05 + 0.25 * 0.85 + 0.5 * 0.45, 1e-15);
  EXPECT_NEAR(error->largest, 0.85, 1e-15);
  // The mean of |N(.45, .125)| is 0.4859...; bins of one kind have no noise.
  const double folded = 0.4841008391503651;
  EXPECT_NEAR(error->debiased, 0.25 * 0.05 + 0.25 * 0.85 + 0.5 * (0.9 - folded), 1e-14);
  EXPECT_NEAR(error->squared_debiased, 0.5 * (0.45 * 0.45 - 0.25), 1e-14);
}

TEST(Calibration, BordersBelongToTheUpperBin) {
  // 0.1 + 0.2 style borders: i / 10 must fall into bin i for every i.
  for (int i = 0; i <= 10; ++i) {
    const auto bins = reliability_bins(std::vector<double>{i / 10.0}, Marks{1}, Binning::kEqualWidth, 10);
    EXPECT_EQ((*bins)[static_cast<std::size_t>(std::min(i, 9))].count, 1u) << i;
  }
}

TEST(Calibration, EqualMassKeepsTiesTogether) {
  const std::vector<double> confidence = {.9, .1, .5, .5, .5, .8};
  const auto bins = reliability_bins(confidence, Marks{1, 0, 1, 0, 1, 1}, Binning::kEqualMass, 3);
  ASSERT_TRUE(bins);
  ASSERT_EQ(bins->size(), 2u);  // .1 .5 | .5 .5 | .8 .9 would tear the ties: .1 .5 .5 .5 | .8 .9
  EXPECT_EQ((*bins)[0].count, 4u);
  EXPECT_EQ((*bins)[0].low, .1);
  EXPECT_EQ((*bins)[0].high, .5);
  EXPECT_NEAR((*bins)[0].confidence, 0.4, 1e-15);
  EXPECT_EQ((*bins)[0].accuracy, 0.5);
  EXPECT_EQ((*bins)[1].count, 2u);
  std::vector<double> spread;
  for (int i = 0; i < 45; ++i) spread.push_back(i / 45.0);
  const auto even = reliability_bins(spread, Marks(45, 1));
  ASSERT_TRUE(even);
  EXPECT_EQ(even->size(), 15u);
  for (const auto& bin : *even) EXPECT_EQ(bin.count, 3u);
}

// Calibrated by construction: the true error is 0, so what is measured is bias.
TEST(Calibration, DebiasedIsNearerToTheTruth) {
  double plain = 0, debiased = 0, squared = 0;
  for (std::uint64_t set = 0; set < 50; ++set) {
    fitting::SeededStream stream(3, set);
    std::vector<double> confidence;
    Marks correct;
    for (int i = 0; i < 300; ++i) {
      confidence.push_back(0.5 + 0.5 * stream.uniform());
      correct.push_back(stream.uniform() < confidence.back() ? 1 : 0);
    }
    const auto error = calibration_error(confidence, correct);
    plain += error->ece / 50;
    debiased += error->debiased / 50;
    squared += error->squared_debiased / 50;
  }
  EXPECT_GT(plain, 0.05);
  EXPECT_LT(debiased, 0.75 * plain);
  EXPECT_NEAR(squared, 0, 0.0015);
}

TEST(Calibration, ClassWiseByHand) {
  // One bin: class 0 says .7 and .1, is 1 and 0: |.4 - .5|; class 1 the mirror.
  fitting::Matrix log_p = *fitting::matrix_of({{.7, .3}, {.1, .9}});
  for (double& v : log_p.values) v = std::log(v);
  const std::vector<std::int32_t> truth = {0, 1};
  EXPECT_NEAR(*classwise_ece(log_p, truth, Binning::kEqualWidth, 1), 0.1, 1e-15);
  EXPECT_FALSE(classwise_ece(log_p, std::vector<std::int32_t>{0, 2}));
}

TEST(Calibration, RefusesWhatIsNoConfidence) {
  EXPECT_FALSE(reliability_bins({}, {}));
  EXPECT_FALSE(reliability_bins(std::vector<double>{1.1}, Marks{1}));
  EXPECT_FALSE(reliability_bins(std::vector<double>{NAN}, Marks{1}));
  EXPECT_FALSE(reliability_bins(std::vector<double>{.5}, Marks{2}));
  EXPECT_FALSE(reliability_bins(std::vector<double>{.5}, Marks{1, 1}));
  EXPECT_FALSE(reliability_bins(std::vector<double>{.5}, Marks{1}, Binning::kEqualMass, 0));
}

TEST(Selective, ByHandWithTies) {
  const auto risk = selective_risk(std::vector<double>{.9, .8, .8, .1}, std::vector<double>{0, 1, 0, 1});
  ASSERT_TRUE(risk);
  EXPECT_NEAR(risk->aurc, (0 + 0.25 + 1.0 / 3 + 0.5) / 4, 1e-15);
  EXPECT_NEAR(risk->optimal, (0 + 0 + 1.0 / 3 + 0.5) / 4, 1e-15);
  EXPECT_NEAR(risk->excess, 0.0625, 1e-15);
  ASSERT_EQ(risk->curve.size(), 3u);
  EXPECT_EQ(risk->curve[1].coverage, 0.75);
  EXPECT_NEAR(risk->curve[1].risk, 1.0 / 3, 1e-15);
  EXPECT_EQ(risk->curve[1].threshold, 0.8);
  // The order of tied items does not matter.
  const auto other = selective_risk(std::vector<double>{.8, .1, .8, .9}, std::vector<double>{0, 1, 1, 0});
  EXPECT_EQ(other->aurc, risk->aurc);
  // No information: every risk is the mean.
  EXPECT_NEAR(selective_risk(std::vector<double>(4, 1.0), std::vector<double>{0, 1, 0, 1})->aurc, 0.5, 1e-15);
  // The best order tends to r + (1 - r) ln(1 - r).
  std::vector<double> confidence, loss;
  for (int i = 0; i < 20000; ++i) {
    confidence.push_back(-i);
    loss.push_back(i < 14000 ? 0 : 1);
  }
  const auto best = selective_risk(confidence, loss);
  EXPECT_NEAR(best->excess, 0, 1e-15);
  EXPECT_NEAR(best->optimal, 0.3 + 0.7 * std::log(0.7), 1e-4);
  EXPECT_FALSE(selective_risk({}, {}));
  EXPECT_FALSE(selective_risk(std::vector<double>{1}, std::vector<double>{-1}));
  EXPECT_FALSE(selective_risk(std::vector<double>{NAN}, std::vector<double>{1}));
  EXPECT_FALSE(selective_risk(std::vector<double>{1}, std::vector<double>{1, 1}));
}

TEST(Deferral, AreaByHand) {
  using Curve = std::vector<fitting::CascadePoint>;
  const Curve curve = {{0, 0, .5, 1}, {0, .25, .7, 2}, {0, 1, .8, 5}};
  const auto area = deferral_area(curve);
  ASSERT_TRUE(area);
  EXPECT_NEAR(area->area, 0.25 * 0.6 + 0.75 * 0.75, 1e-15);
  EXPECT_NEAR(area->random, 0.65, 1e-15);
  EXPECT_NEAR(area->gain, 0.0625, 1e-15);
  EXPECT_NEAR(area->recovered, 0.2125 / 0.3, 1e-14);
  EXPECT_NEAR(*deferral_for(curve, 1.0 / 3), 0.125, 1e-15);
  EXPECT_NEAR(*deferral_for(curve, 1), 1, 1e-15);
  EXPECT_TRUE(std::isnan(deferral_area(Curve{{0, 0, .5, 1}, {0, 1, .5, 2}})->recovered));
  EXPECT_FALSE(deferral_for(Curve{{0, 0, .5, 1}, {0, 1, .5, 2}}, 0.5));
  EXPECT_FALSE(deferral_for(curve, 0));
  EXPECT_FALSE(deferral_area(Curve{{0, 0, .5, 1}}));
  EXPECT_FALSE(deferral_area(Curve{{0, 0, .5, 1}, {0, .9, .5, 2}}));
  EXPECT_FALSE(deferral_area(Curve{{0, 0, .5, 1}, {0, 0, .6, 2}, {0, 1, .5, 2}}));
}

}  // namespace
}  // namespace consort::measures
