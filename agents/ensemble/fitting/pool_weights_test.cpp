// Expected weights: scipy 1.17 (bounded minimisation, SLSQP on the simplex) on the same numbers.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/pool_weights.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/temperature.h"

namespace consort::fitting {
namespace {

Matrix logs(const std::vector<std::vector<double>>& p) {
  Matrix out = *matrix_of(p);
  for (double& v : out.values) v = std::log(v);
  return out;
}

struct Trio {
  std::vector<Matrix> log_p;
  std::vector<std::int32_t> truth = {0, 1, 2, 0, 1, 2, 0, 1};
  std::vector<MatrixView> views() const { return {log_p.begin(), log_p.end()}; }
};

Trio trio() {
  const std::vector<std::vector<std::vector<double>>> scores = {{{3.04, -2.56, 0.42},
                                                                 {-0.57, 0.55, -0.22},
                                                                 {-2.02, -0.23, 0.13},
                                                                 {4.32, 0.23, -0.35},
                                                                 {-0.28, 0.33, -1.06},
                                                                 {-0.39, 0.48, 0.76},
                                                                 {1.96, -0.2, 0.02},
                                                                 {1.55, 1.55, -0.51}},
                                                                {{0.32, 0.54, 1.94},
                                                                 {-0.27, 0.26, 1.0},
                                                                 {-0.89, -0.29, 1.38},
                                                                 {1.08, 0.09, 0.67},
                                                                 {-2.83, 1.52, -0.96},
                                                                 {-1.67, 0.28, 1.2},
                                                                 {0.06, -1.08, 0.03},
                                                                 {-0.05, 1.91, 0.75}},
                                                                {{0.19, 1.11, -0.21},
                                                                 {-0.93, 0.58, 0.58},
                                                                 {-0.21, -0.78, 0.23},
                                                                 {-2.49, 0.69, 0.49},
                                                                 {-1.64, 0.06, -0.96},
                                                                 {0.76, -2.03, -0.91},
                                                                 {0.71, 1.16, -2.16},
                                                                 {-0.5, 0.33, -0.61}}};
  Trio made;
  for (const auto& member : scores) made.log_p.push_back(*apply_temperature(*matrix_of(member), 1));
  return made;
}

TEST(LinearPoolWeights, FindTheMaximum) {
  const Matrix p = logs({{.7, .2}, {.1, .6}, {.5, .5}, {.9, .3}, {.2, .8}, {.6, .1}});
  const auto fit = fit_linear_pool(p, {.max_iterations = 5000, .tolerance = 1e-15});
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->weights[0], 0.6159286631348353, 1e-5);
  EXPECT_NEAR(fit->weights[0] + fit->weights[1], 1, 1e-15);
  EXPECT_NEAR(fit->nll, 0.7903376004105099, 1e-11);
  EXPECT_NEAR(fit->nll_uniform, 0.7992119883501682, 1e-14);
  EXPECT_TRUE(fit->converged);
  double before = fit->nll_uniform;  // the likelihood never falls
  for (int steps = 1; steps < 20; ++steps) {
    const double nll = fit_linear_pool(p, {.max_iterations = steps, .tolerance = 0})->nll;
    EXPECT_LE(nll, before + 1e-15);
    before = nll;
  }
}

TEST(LinearPoolWeights, LongTextsAndImpossibleOnes) {
  const double inf = std::numeric_limits<double>::infinity();
  // Likelihoods of texts far below what a double holds: only their ratio counts, e^-1 : 1 here.
  const Matrix tiny = *matrix_of({{-5001, -5000}, {-8001, -8000}});
  EXPECT_NEAR(fit_linear_pool(tiny)->weights[1], 1, 1e-6);
  EXPECT_TRUE(fit_linear_pool(*matrix_of({{-inf, -1}, {-1, -inf}})));
  EXPECT_FALSE(fit_linear_pool(*matrix_of({{-inf, -inf}})));
  EXPECT_FALSE(fit_linear_pool(*matrix_of({{NAN, -1}})));
  EXPECT_FALSE(fit_linear_pool(*matrix_of({{0.5, -1}})));
  EXPECT_FALSE(fit_linear_pool({}));
}

TEST(LogPoolWeights, FindTheMinimum) {
  const Trio t = trio();
  const auto fit = fit_log_pool(t.views(), t.truth);
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->converged);
  EXPECT_NEAR(fit->weights[0], 0.738888706037248, 1e-5);
  EXPECT_NEAR(fit->weights[1], 0.261111293962752, 1e-5);
  EXPECT_NEAR(fit->weights[2], 0, 1e-8);
  EXPECT_NEAR(fit->nll, 0.4140885166621755, 1e-9);
  EXPECT_NEAR(fit->nll_uniform, 0.5618141289127019, 1e-12);
  EXPECT_FALSE(fit_log_pool({}, t.truth));
  EXPECT_FALSE(fit_log_pool(t.views(), std::vector<std::int32_t>{0}));
  const Matrix sure = *matrix_of({{0, -std::numeric_limits<double>::infinity()}});
  const std::vector<MatrixView> views = {sure};
  EXPECT_FALSE(fit_log_pool(views, std::vector<std::int32_t>{0}));
}

// Members whose sharpness differs by orders of magnitude, and twins: the end is certified by the duality gap,
// and no other point of the simplex is better.
TEST(PoolWeights, HardTablesEndAtTheMinimum) {
  for (std::uint64_t table = 0; table < 30; ++table) {
    SeededStream stream(77, table);
    const std::size_t items = 20 + stream.below(100), classes = 2 + stream.below(5),
                      count = 2 + stream.below(5);
    std::vector<std::int32_t> truth;
    for (std::size_t i = 0; i < items; ++i) truth.push_back(static_cast<std::int32_t>(stream.below(classes)));
    std::vector<Matrix> members;
    for (std::size_t m = 0; m < count; ++m) {
      Matrix scores(items, classes);
      const double sharpness = std::exp(4 * stream.uniform() - 1.5);
      for (double& v : scores.values) v = sharpness * (2 * stream.uniform() - 1);
      for (std::size_t i = 0; i < items; ++i) {
        scores.at(i, static_cast<std::size_t>(truth[i])) += 2 * sharpness * stream.uniform();
      }
      members.push_back(*apply_temperature(scores, 1));
    }
    if (table % 3 == 0) members[1] = members[0];
    const std::vector<MatrixView> views(members.begin(), members.end());
    Matrix of_truth(items, count);
    for (std::size_t i = 0; i < items; ++i) {
      for (std::size_t m = 0; m < count; ++m) {
        of_truth.at(i, m) = members[m].at(i, static_cast<std::size_t>(truth[i]));
      }
    }
    const auto log = fit_log_pool(views, truth), linear = fit_linear_pool(of_truth);
    ASSERT_TRUE(log && linear);
    EXPECT_TRUE(log->converged && linear->converged) << table;
    for (int other = 0; other < 10; ++other) {
      std::vector<double> w(count);
      for (double& v : w) v = -std::log(1 - stream.uniform());
      EXPECT_GE(log_pool_gain(views, w, truth)->pool_nll, log->nll - 1e-10);
      EXPECT_GE(linear_pool_gain(views, w, truth)->pool_nll, linear->nll - 1e-10);
    }
    EXPECT_NEAR(log_pool_gain(views, log->weights, truth)->pool_nll, log->nll, 1e-12);
    EXPECT_NEAR(linear_pool_gain(views, linear->weights, truth)->pool_nll, linear->nll, 1e-12);
  }
}

// Research note A2: -ln of the linear pool is at most the members' weighted mean; the log pool's is that mean
// plus ln Z, Z at most 1.
TEST(PoolIdentities, HoldOnEveryItemAndInTheMean) {
  const Trio t = trio();
  const std::vector<double> w = {0.5, 0.3, 0.2};
  const Matrix linear = *linear_pool(t.views(), w), geometric = *log_pool(t.views(), w);
  for (std::size_t i = 0; i < t.truth.size(); ++i) {
    double log_z = 0, z = 0, total = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      double mean = 0, product = 0;
      for (std::size_t m = 0; m < 3; ++m) {
        mean += w[m] * std::exp(t.log_p[m].at(i, c));
        product += w[m] * t.log_p[m].at(i, c);
      }
      EXPECT_NEAR(linear.at(i, c), std::log(mean), 1e-14);
      z += std::exp(product);
      total += std::exp(geometric.at(i, c));
    }
    log_z = std::log(z);
    EXPECT_NEAR(total, 1, 1e-14);
    EXPECT_LE(log_z, 0);
    const auto y = static_cast<std::size_t>(t.truth[i]);
    double members = 0;
    for (std::size_t m = 0; m < 3; ++m) members -= w[m] * t.log_p[m].at(i, y);
    EXPECT_LE(-linear.at(i, y), members);
    EXPECT_NEAR(-geometric.at(i, y), members + log_z, 1e-14);
  }
  const auto of_linear = linear_pool_gain(t.views(), w, t.truth),
             of_log = log_pool_gain(t.views(), w, t.truth);
  ASSERT_TRUE(of_linear && of_log);
  EXPECT_GT(of_linear->gain, 0);
  EXPECT_NEAR(of_linear->mean_nll, of_log->mean_nll, 1e-14);
  EXPECT_NEAR(of_log->gain, of_log->mean_nll - of_log->pool_nll,
              1e-13);  // the gain is -ln Z, found without the truth
  EXPECT_FALSE(log_pool_gain(t.views(), std::vector<double>{1, 1}, t.truth));
  EXPECT_FALSE(linear_pool({}, {}));
}

TEST(PoolWeights, FewItemsPullThemToEqual) {
  EXPECT_EQ(shrunk_weights({1, 0}, 199), (std::vector<double>{0.75, 0.25}));
  EXPECT_EQ(shrunk_weights({1, 0}, 200), (std::vector<double>{1, 0}));
}

}  // namespace
}  // namespace consort::fitting
