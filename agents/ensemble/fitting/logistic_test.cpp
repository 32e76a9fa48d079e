// Expected weights: scipy 1.17 (BFGS to 1e-12, SLSQP) on the same numbers and losses.
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/cascade.h"
#include "agents/ensemble/fitting/logistic.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/simplex_ridge.h"

namespace consort::fitting {
namespace {

const std::vector<std::vector<double>> kFeatures = {{0.5, 10}, {1.5, 12}, {2, 9},  {3, 15},
                                                    {1, 20},   {2.5, 11}, {0, 14}, {3.5, 13}};
const std::vector<std::uint8_t> kTarget = {0, 1, 1, 0, 0, 1, 0, 1};

TEST(Logistic, AgreesWithBfgs) {
  const auto fit = fit_logistic(*matrix_of(kFeatures), kTarget, 1);
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->converged);
  EXPECT_NEAR(fit->weights[0], 0.659375741424632, 1e-6);
  EXPECT_NEAR(fit->weights[1], -0.25020277532588, 1e-6);
  EXPECT_NEAR(fit->bias, 2.0159194402234797, 1e-5);
  EXPECT_NEAR(fit->probability(kFeatures[0]), 1 / (1 + std::exp(-fit->logit(kFeatures[0]))), 1e-15);
}

TEST(Logistic, UnitsDoNotMatterAndConstantsAreIdle) {
  std::vector<std::vector<double>> other;
  for (const auto& row : kFeatures) other.push_back({1000 * row[0] - 7, row[1] / 50, 3.3});
  const auto a = fit_logistic(*matrix_of(kFeatures), kTarget, 1),
             b = fit_logistic(*matrix_of(other), kTarget, 1);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(b->weights[2], 0);
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_NEAR(a->probability(kFeatures[i]), b->probability(other[i]), 1e-9);
  // A hyperplane separates these; the penalty keeps the minimum finite.
  const auto apart =
      fit_logistic(*matrix_of({{0}, {1}, {2}, {3}}), std::vector<std::uint8_t>{0, 0, 1, 1}, 1e-3);
  ASSERT_TRUE(apart);
  EXPECT_TRUE(apart->converged && std::isfinite(apart->weights[0]));
}

TEST(Logistic, RefusesWhatCannotBeFitted) {
  const Matrix x = *matrix_of(kFeatures);
  EXPECT_FALSE(fit_logistic(x, std::vector<std::uint8_t>(8, 0), 1));
  EXPECT_FALSE(fit_logistic(x, std::vector<std::uint8_t>(8, 2), 1));
  EXPECT_FALSE(fit_logistic(x, std::vector<std::uint8_t>(7, 1), 1));
  EXPECT_FALSE(fit_logistic(x, kTarget, 0));
  EXPECT_FALSE(fit_logistic({}, {}, 1));
  EXPECT_FALSE(fit_logistic(*matrix_of({{INFINITY}, {0}}), std::vector<std::uint8_t>{0, 1}, 1));
}

TEST(OutOfFold, GroupsStayTogetherAndNobodySeesItself) {
  const std::vector<std::int32_t> groups = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
  const auto folds = group_folds(10, groups, 5, 3);
  ASSERT_TRUE(folds);
  for (std::size_t i = 0; i < 10; i += 2) EXPECT_EQ((*folds)[i], (*folds)[i + 1]);
  EXPECT_EQ(std::set<int>(folds->begin(), folds->end()).size(), 5u);
  EXPECT_EQ(*folds, *group_folds(10, groups, 5, 3));
  EXPECT_NE(*group_folds(100, {}, 5, 3), *group_folds(100, {}, 5, 4));
  EXPECT_FALSE(group_folds(10, groups, 6, 3));
  EXPECT_FALSE(group_folds(10, groups, 1, 3));
  EXPECT_FALSE(group_folds(9, groups, 2, 3));
  // Items 0 and 1 are predicted by a model of the six others alone.
  const Matrix x = *matrix_of(kFeatures);
  const std::vector<int> of = {0, 0, 1, 1, 2, 2, 3, 3};
  const auto out = out_of_fold(x, kTarget, 1, of);
  ASSERT_TRUE(out);
  const auto rest = fit_logistic({std::span<const double>(x.values).subspan(4), 2},
                                 std::span<const std::uint8_t>(kTarget).subspan(2), 1);
  EXPECT_EQ((*out)[0], rest->probability(kFeatures[0]));
  EXPECT_EQ((*out)[1], rest->probability(kFeatures[1]));
  EXPECT_FALSE(out_of_fold(x, kTarget, 1, std::vector<int>(8, 0)));
  EXPECT_FALSE(out_of_fold(x, kTarget, 1, std::vector<int>{0, 1, 1, 0, 0, 1, 0, 1}));  // one class left
}

// Pure noise: in-sample predictions look informative, out-of-fold ones must not.
TEST(OutOfFold, NoiseStaysNoise) {
  SeededStream stream(2);
  Matrix x(200, 20);
  std::vector<std::uint8_t> y;
  for (double& v : x.values) v = stream.uniform();
  for (int i = 0; i < 200; ++i) y.push_back(stream.below(2) == 0 ? 0 : 1);
  const auto folds = group_folds(200, {}, 5, 1);
  const auto honest = out_of_fold(x, y, 1, *folds);
  const auto model = fit_logistic(x, y, 1);
  int seen = 0, unseen = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    seen += (model->probability(x.row(i)) > 0.5) == (y[i] != 0) ? 1 : 0;
    unseen += ((*honest)[i] > 0.5) == (y[i] != 0) ? 1 : 0;
  }
  EXPECT_GT(seen, 120);
  EXPECT_NEAR(unseen, 100, 25);
}

TEST(ChoiceStacker, AgreesWithBfgs) {
  const Matrix f = *matrix_of({{1, .2}, {.5, -1}, {0, .3}, {2, 1}, {-1, .5}, {.3, .1}, {.2, .9}, {.7, -.2}});
  const std::vector<std::size_t> choices = {3, 2, 3};
  const std::vector<std::int32_t> truth = {0, 1, 1};
  const auto fit = fit_choice_stacker(f, choices, truth, 0.5);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->weights[0], -0.575394747661072, 1e-6);
  EXPECT_NEAR(fit->weights[1], 1.281425385204089, 1e-6);
  const auto log_p = fit->log_probabilities({std::span<const double>(f.values).subspan(6, 4), 2});
  EXPECT_NEAR(std::exp(log_p[0]) + std::exp(log_p[1]), 1, 1e-15);
  EXPECT_NEAR(log_p[0] - log_p[1], fit->weights[0] * 3 + fit->weights[1] * 0.5, 1e-12);
  EXPECT_FALSE(fit_choice_stacker(f, std::vector<std::size_t>{3, 2, 2}, truth, 0.5));
  EXPECT_FALSE(fit_choice_stacker(f, std::vector<std::size_t>{3, 1, 4}, truth, 0.5));
  EXPECT_FALSE(fit_choice_stacker(f, std::vector<std::size_t>{3, 2, 30}, truth, 0.5));
  EXPECT_FALSE(fit_choice_stacker(f, choices, std::vector<std::int32_t>{0, 2, 1}, 0.5));
  EXPECT_FALSE(fit_choice_stacker(f, choices, truth, -1));
}

TEST(SimplexRidge, AgreesWithSlsqp) {
  const Matrix f = *matrix_of({{1, 2, 0}, {2, 1.5, 3}, {3, 3.5, 1}, {4, 3, 5}, {5, 6, 4}});
  const std::vector<double> y = {1.4, 1.8, 3, 3.9, 5.3};
  const auto free = fit_simplex_ridge(f, y, 0), held = fit_simplex_ridge(f, y, 0.5);
  ASSERT_TRUE(free && held);
  EXPECT_TRUE(free->converged && held->converged);
  const double want_free[] = {0.580645232564683, 0.348387048765974, 0.070967718669344};
  const double want_held[] = {0.373239442651912, 0.443192481074413, 0.183568076273675};
  for (std::size_t m = 0; m < 3; ++m) {
    EXPECT_NEAR(free->weights[m], want_free[m], 1e-5);
    EXPECT_NEAR(held->weights[m], want_held[m], 1e-6);
  }
  EXPECT_NEAR(free->mse, 0.01148387096774237, 1e-12);
  EXPECT_NEAR(free->mse_uniform, 0.12888888888888883, 1e-14);
  // A member that only hurts gets nothing; far targets lose no digits.
  const auto vertex = fit_simplex_ridge(*matrix_of({{1e6, 1e6 + 9}, {1e6 + 1, 1e6 - 8}}),
                                        std::vector<double>{1e6, 1e6 + 1}, 0);
  EXPECT_NEAR(vertex->weights[0], 1, 1e-9);
  EXPECT_FALSE(fit_simplex_ridge(f, std::vector<double>{1}, 0));
  EXPECT_FALSE(fit_simplex_ridge(f, y, -1));
  EXPECT_FALSE(fit_simplex_ridge({}, {}, 0));
}

TEST(Router, LearnsWhereTheStrongStageWins) {
  // The strong stage is better exactly where the feature is above 0.5.
  Matrix x(100, 1);
  std::vector<double> cheap, strong;
  for (std::size_t i = 0; i < 100; ++i) {
    x.at(i, 0) = static_cast<double>(i) / 100;
    cheap.push_back(i > 50 ? 0 : 1);
    strong.push_back(1);
  }
  const auto router = fit_router(x, cheap, strong, 0.01);
  ASSERT_TRUE(router);
  EXPECT_GT(router->probability(std::vector<double>{0.9}), 0.9);
  EXPECT_LT(router->probability(std::vector<double>{0.1}), 0.1);
  EXPECT_FALSE(fit_router(x, strong, strong, 0.01));
  EXPECT_FALSE(fit_router(x, cheap, std::vector<double>{1}, 0.01));
}

}  // namespace
}  // namespace consort::fitting
