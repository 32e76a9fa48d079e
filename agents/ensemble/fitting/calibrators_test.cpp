// Expected values: scipy 1.17 (minimize_scalar, BFGS to 1e-12) and scikit-learn 1.9 (IsotonicRegression) on
// the same numbers.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/isotonic.h"
#include "agents/ensemble/fitting/platt.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/temperature.h"
#include "agents/ensemble/fitting/vector_scaling.h"

namespace consort::fitting {
namespace {

const std::vector<std::vector<double>> kLogits = {{2, 0, -1},   {1.5, 1, 0}, {0, 3, 1},
                                                  {-1, 0.5, 2}, {2, 1.9, 0}, {0.2, 0, 1}};
const std::vector<std::int32_t> kTruth = {0, 1, 1, 2, 0, 0};

TEST(Temperature, IsTheMinimumOfTheNll) {
  const Matrix logits = *matrix_of(kLogits);
  const auto fit = fit_temperature(logits, kTruth);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->temperature, 0.7463031092200721, 1e-6);
  EXPECT_NEAR(fit->nll_after, 0.6140805942748996, 1e-12);
  EXPECT_NEAR(fit->nll_before, 0.6325783138607988, 1e-12);
  EXPECT_FALSE(fit->at_edge);
  const auto scaled = apply_temperature(logits, fit->temperature);
  ASSERT_TRUE(scaled);
  double nll = 0;
  for (std::size_t i = 0; i < 6; ++i) nll -= scaled->at(i, static_cast<std::size_t>(kTruth[i])) / 6;
  EXPECT_NEAR(nll, fit->nll_after, 1e-12);
}

TEST(Temperature, UndoesAKnownScale) {
  // Labels drawn from softmax(logits); the logits are then shown three times too large.
  SeededStream stream(11);
  Matrix logits(4000, 4);
  std::vector<std::int32_t> truth;
  for (std::size_t i = 0; i < logits.rows(); ++i) {
    double total = 0, weights[4];
    for (std::size_t c = 0; c < 4; ++c)
      total += weights[c] = std::exp(logits.at(i, c) = 4 * stream.uniform() - 2);
    double u = stream.uniform() * total;
    std::int32_t label = 0;
    while (label < 3 && u >= weights[label]) u -= weights[label++];
    truth.push_back(label);
  }
  for (double& v : logits.values) v *= 3;
  EXPECT_NEAR(fit_temperature(logits, truth)->temperature, 3, 0.25);
}

TEST(Temperature, SaysWhenTheDataWantMore) {
  const Matrix right = *matrix_of({{1, 0}, {0, 1}}), wrong = *matrix_of({{0, 1}, {1, 0}});
  const std::vector<std::int32_t> truth = {0, 1};
  EXPECT_TRUE(fit_temperature(right, truth)->at_edge);
  EXPECT_NEAR(fit_temperature(right, truth)->temperature, 0.05, 1e-6);
  EXPECT_TRUE(fit_temperature(wrong, truth)->at_edge);
  EXPECT_NEAR(fit_temperature(wrong, truth)->temperature, 20, 1e-4);
  EXPECT_FALSE(fit_temperature(right, std::vector<std::int32_t>{0, 2}));
  EXPECT_FALSE(fit_temperature(right, std::vector<std::int32_t>{0}));
  EXPECT_FALSE(fit_temperature(*matrix_of({{NAN, 0}}), std::vector<std::int32_t>{0}));
  EXPECT_FALSE(fit_temperature({}, {}));
  EXPECT_FALSE(apply_temperature(right, 0));
}

TEST(VectorScaling, AgreesWithBfgs) {
  const Matrix logits = *matrix_of(kLogits);
  const auto fit = fit_vector_scaling(logits, kTruth, 0.5);
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->converged);
  const double factor[] = {1.146932126932105, 1.274974309724588, 1.199212763401657};
  const double offset[] = {0.5267709479081586, -0.027905680372700303, -0.49886529001855506};
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(fit->factor[k], factor[k], 1e-6);
    EXPECT_NEAR(fit->offset[k], offset[k], 1e-6);
  }
  EXPECT_NEAR(fit->nll_before, 0.6325783138607988, 1e-12);
  EXPECT_NEAR(fit->nll_after, 0.5351196729198956, 1e-7);
  const auto scaled = fit->apply(logits);
  double nll = 0;
  for (std::size_t i = 0; i < 6; ++i) nll -= scaled->at(i, static_cast<std::size_t>(kTruth[i])) / 6;
  EXPECT_NEAR(nll, fit->nll_after, 1e-12);
  // A heavy penalty leaves everything as it is.
  EXPECT_NEAR(fit_vector_scaling(logits, kTruth, 1e9)->factor[1], 1, 1e-6);
  EXPECT_FALSE(fit_vector_scaling(logits, kTruth, 0));
  EXPECT_FALSE(fit_vector_scaling(logits, std::vector<std::int32_t>{0}));
  EXPECT_FALSE(fit_vector_scaling({}, {}));
  EXPECT_FALSE(fit->apply(*matrix_of({{1, 2}})));
}

TEST(Platt, AgreesWithBfgs) {
  const std::vector<double> scores = {-2, -1.5, -.5, 0, .3, 1, 1.2, 2.5};
  const std::vector<std::uint8_t> positive = {0, 0, 1, 0, 1, 0, 1, 1};
  const auto fit = fit_platt(scores, positive);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->slope, 0.586301017109011, 1e-7);
  EXPECT_NEAR(fit->offset, -0.071854527013301, 1e-7);
  EXPECT_NEAR(fit->nll, 0.6237133554513004, 1e-12);
  EXPECT_NEAR(fit->probability(0), 1 / (1 + std::exp(0.071854527013301)), 1e-7);
  // Other units, the same probabilities.
  std::vector<double> shifted;
  for (const double s : scores) shifted.push_back(1000 * s + 5e6);
  const auto other = fit_platt(shifted, positive);
  EXPECT_NEAR(other->probability(5e6 + 1000), fit->probability(1), 1e-7);
  // Separable: the smoothed targets keep the slope finite.
  const auto split = fit_platt(std::vector<double>{-1, -2, 1, 2}, std::vector<std::uint8_t>{0, 0, 1, 1});
  ASSERT_TRUE(split);
  EXPECT_TRUE(std::isfinite(split->slope) && split->slope > 0);
  EXPECT_FALSE(fit_platt(scores, std::vector<std::uint8_t>(8, 1)));
  EXPECT_FALSE(fit_platt(scores, std::vector<std::uint8_t>(7, 1)));
  EXPECT_FALSE(fit_platt(std::vector<double>{1, NAN}, std::vector<std::uint8_t>{0, 1}));
}

TEST(Isotonic, PoolsViolatorsAndTies) {
  const std::vector<double> x = {1, 2, 3, 4, 5, 5, 6, 7}, y = {1, 3, 2, 4, 3.5, 1, 5, 4.5};
  const auto fit = fit_isotonic(x, y);
  ASSERT_TRUE(fit);
  const double at[] = {0, 1, 2, 2.5, 3, 4, 5, 5.5, 6, 7, 9};
  const double want[] = {1, 1, 2.5, 2.5, 2.5, 8.5 / 3, 8.5 / 3, 3.791666666666667, 4.75, 4.75, 4.75};
  for (int i = 0; i < 11; ++i) EXPECT_NEAR(fit->value(at[i]), want[i], 1e-12) << at[i];
  const std::vector<double> reversed_x(x.rbegin(), x.rend()), reversed_y(y.rbegin(), y.rend());
  const auto again = fit_isotonic(reversed_x, reversed_y);
  EXPECT_EQ(again->scores, fit->scores);
  EXPECT_EQ(again->values, fit->values);
  // A weight of two is an item given twice.
  const auto weighted =
      fit_isotonic(std::vector<double>{1, 2}, std::vector<double>{3, 0}, std::vector<double>{2, 1});
  EXPECT_NEAR(weighted->value(1.5), 2, 1e-15);
  EXPECT_FALSE(fit_isotonic({}, {}));
  EXPECT_FALSE(fit_isotonic(x, std::vector<double>{1}));
  EXPECT_FALSE(fit_isotonic(std::vector<double>{1}, std::vector<double>{1}, std::vector<double>{0}));
}

}  // namespace
}  // namespace consort::fitting
