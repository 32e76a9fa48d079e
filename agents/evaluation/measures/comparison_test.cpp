// Diversity, similarity, Pareto fronts, regression by hand; CKA and ranks as numpy and scipy 1.17 have them.
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/random.h"
#include "agents/evaluation/measures/ambiguity.h"
#include "agents/evaluation/measures/diversity.h"
#include "agents/evaluation/measures/pareto.h"
#include "agents/evaluation/measures/regression.h"
#include "agents/evaluation/measures/seeds.h"
#include "agents/evaluation/measures/similarity.h"

namespace consort::measures {
namespace {

using fitting::Matrix;
using fitting::matrix_of;
using Marks = std::vector<std::uint8_t>;

// Published answers of two 175B models to GSM8K (research note B).
TEST(Diversity, GoldenPair) {
  const auto pair = pair_diversity({382, 76, 360, 501});
  ASSERT_TRUE(pair);
  EXPECT_NEAR(pair->disagreement, 0.3306, 5e-5);
  EXPECT_NEAR(*pair->q, 0.7498, 5e-5);
  EXPECT_NEAR(*pair->kappa, 0.3632, 5e-5);
  EXPECT_NEAR(pair->double_fault, 501.0 / 1319, 1e-15);
  EXPECT_NEAR(pair->oracle, 818.0 / 1319, 1e-15);
}

TEST(Diversity, CountsAndEdges) {
  const auto counts = pair_counts(Marks{1, 1, 0, 0, 1}, Marks{1, 0, 1, 0, 1});
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->n11, 2u);
  EXPECT_EQ(counts->n10, 1u);
  EXPECT_EQ(counts->n01, 1u);
  EXPECT_EQ(counts->n00, 1u);
  const auto always = pair_diversity({5, 0, 0, 0});  // both always right: nothing to measure by
  EXPECT_FALSE(always->q);
  EXPECT_FALSE(always->kappa);
  EXPECT_EQ(pair_diversity({0, 1, 1, 0})->q, -1);
  EXPECT_EQ(pair_diversity({0, 1, 1, 0})->kappa, -1);
  EXPECT_FALSE(pair_diversity({}));
  EXPECT_FALSE(pair_counts({}, {}));
  EXPECT_FALSE(pair_counts(Marks{1}, Marks{1, 0}));
  EXPECT_FALSE(pair_counts(Marks{1}, Marks{2}));
  EXPECT_NEAR(*oracle_accuracy(std::vector<Marks>{{1, 0, 0}, {0, 0, 1}}), 2.0 / 3, 1e-15);
  EXPECT_FALSE(oracle_accuracy({}));
  EXPECT_FALSE(oracle_accuracy(std::vector<Marks>{{1}, {1, 0}}));
  using Votes = std::vector<std::vector<std::int32_t>>;
  EXPECT_NEAR(*mean_vote_entropy(Votes{{0, 1}, {2, 2}, {-1, -1}}), std::numbers::ln2 / 2, 1e-15);
  EXPECT_FALSE(mean_vote_entropy(Votes{{-1}}));
}

TEST(Similarity, AgreesWithNumpy) {
  const Matrix x = *matrix_of({{0.13, -0.13, 0.64},
                               {0.1, -0.54, 0.36},
                               {1.3, 0.95, -0.7},
                               {-1.27, -0.62, 0.04},
                               {-2.33, -0.22, -1.25},
                               {-0.73, -0.54, -0.32}});
  const Matrix y =
      *matrix_of({{0.1, 0.23}, {-0.5, -0.97}, {0.65, 2.52}, {-0.97, -2.26}, {-0.18, -2.9}, {0.09, -1.43}});
  EXPECT_NEAR(*linear_cka(x, y), 0.871312116840023, 1e-13);
  EXPECT_NEAR(*debiased_cka(x, y), 0.8374501983777922, 1e-13);
  EXPECT_NEAR(*linear_cka(x, x), 1, 1e-14);
  EXPECT_NEAR(*debiased_cka(y, y), 1, 1e-14);
  Matrix turned = y;  // a quarter turn, seven times as large, moved
  for (std::size_t r = 0; r < y.rows(); ++r) {
    turned.at(r, 0) = 7 * y.at(r, 1) + 3;
    turned.at(r, 1) = -7 * y.at(r, 0);
  }
  EXPECT_NEAR(*linear_cka(x, turned), 0.871312116840023, 1e-13);
  EXPECT_NEAR(*debiased_cka(x, turned), 0.8374501983777922, 1e-12);
  EXPECT_FALSE(linear_cka(x, *matrix_of({{1}, {2}})));
  EXPECT_FALSE(linear_cka(x, Matrix(6, 2)));
  EXPECT_FALSE(debiased_cka(*matrix_of({{1}, {2}, {4}}), *matrix_of({{1}, {2}, {3}})));
  EXPECT_FALSE(linear_cka({}, {}));
}

// Unrelated and wide: plain CKA calls it alike, the debiased one does not.
TEST(Similarity, DebiasedSeesThroughWidth) {
  fitting::SeededStream stream(4);
  Matrix x(30, 300), y(30, 300);
  for (double& v : x.values) v = stream.uniform();
  for (double& v : y.values) v = stream.uniform();
  EXPECT_GT(*linear_cka(x, y), 0.8);
  EXPECT_NEAR(*debiased_cka(x, y), 0, 0.15);
}

TEST(Ambiguity, IdentityByHand) {
  const Matrix f = *matrix_of({{1, 3}, {2, 2}});
  const std::vector<double> y = {1, 0};
  const auto split = ambiguity(f, y);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->ensemble_error, 2.5);
  EXPECT_EQ(split->member_error, 3);
  EXPECT_EQ(split->ambiguity, 0.5);
  const auto uneven = ambiguity(f, y, std::vector<double>{3, 1});
  EXPECT_NEAR(uneven->ensemble_error, uneven->member_error - uneven->ambiguity, 1e-15);
  EXPECT_FALSE(ambiguity(f, std::vector<double>{1}));
  EXPECT_FALSE(ambiguity(f, y, std::vector<double>{1}));
  EXPECT_FALSE(ambiguity({}, {}));
}

TEST(Pareto, ByHand) {
  const std::vector<CostQuality> points = {{1, .5}, {2, .7}, {3, .6}, {4, .9}, {2, .65}, {1, .5}, {3, .75}};
  EXPECT_EQ(*pareto_front(points), (std::vector<std::size_t>{0, 1, 6, 3}));
  EXPECT_EQ(*mixing_hull(points),
            (std::vector<std::size_t>{0, 1, 3}));  // (3, .75) lies under the line to (4, .9)
  const std::vector<CostQuality> three = {{1, .5}, {2, .7}, {4, .9}, {9, .95}, {0.5, .3}};
  EXPECT_NEAR(*hypervolume(three, {5, .4}), 4 * 0.1 + 3 * 0.2 + 1 * 0.2, 1e-15);
  EXPECT_EQ(*hypervolume(three, {0.1, 0}), 0);
  EXPECT_NEAR(*chord_quality({1, .5}, {4, .9}, 2), 0.5 + 0.4 / 3, 1e-15);
  EXPECT_NEAR(*above_chord({1, .5}, {4, .9}, {2, .7}), 0.2 - 0.4 / 3, 1e-15);
  EXPECT_FALSE(chord_quality({1, .5}, {1, .9}, 1));
  EXPECT_FALSE(chord_quality({1, .5}, {4, .9}, 5));
  EXPECT_FALSE(pareto_front({}));
  EXPECT_FALSE(pareto_front(std::vector<CostQuality>{{NAN, 1}}));
  EXPECT_FALSE(mixing_hull({}));
}

TEST(Regression, ByHandAndAsScipyHasIt) {
  const auto scores = regression_scores(std::vector<double>{1, 2, 4}, std::vector<double>{1, 3, 3});
  ASSERT_TRUE(scores);
  EXPECT_NEAR(scores->rmse, std::sqrt(2.0 / 3), 1e-15);
  EXPECT_NEAR(scores->mae, 2.0 / 3, 1e-15);
  EXPECT_NEAR(scores->r2, 0.25, 1e-15);
  EXPECT_TRUE(std::isnan(regression_scores(std::vector<double>{1, 2}, std::vector<double>{3, 3})->r2));
  const std::vector<double> u = {1, 2, 3, 4, 5, 6}, v = {2, 1, 4, 4, 7, 5};
  EXPECT_NEAR(*spearman(u, v), 0.8696565534786727, 1e-14);
  EXPECT_NEAR(*pearson(u, v), 0.8254300234850258, 1e-14);
  EXPECT_EQ(mean_ranks(v), (std::vector<double>{2, 1, 3.5, 3.5, 6, 5}));
  EXPECT_FALSE(pearson(u, std::vector<double>(6, 1.0)));
  EXPECT_FALSE(spearman(u, std::vector<double>{1}));
  EXPECT_FALSE(regression_scores({}, {}));
  EXPECT_FALSE(regression_scores(std::vector<double>{NAN}, std::vector<double>{1}));
}

TEST(Seeds, VarianceByHand) {
  const auto spread = seed_spread(*matrix_of({{1, 2, 3}, {2, 3, 5}}));
  ASSERT_TRUE(spread);
  EXPECT_NEAR(spread->mean, 16.0 / 6, 1e-14);
  EXPECT_NEAR(spread->seed_sd, std::sqrt(8.0 / 9), 1e-14);
  EXPECT_NEAR(spread->residual_variance, 1.0 / 6, 1e-14);
  EXPECT_NEAR(spread->seed_variance, 5.0 / 6, 1e-14);
  EXPECT_NEAR(spread->item_variance, 1.5, 1e-14);
  EXPECT_FALSE(seed_spread(*matrix_of({{1, 2}})));
  EXPECT_FALSE(seed_spread(*matrix_of({{1}, {2}})));
}

}  // namespace
}  // namespace consort::measures
