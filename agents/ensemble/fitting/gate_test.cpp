// Expected numbers: scipy 1.17 (BFGS to 1e-10 from 40 starts, the lowest end) on the same numbers and loss.
#include "agents/ensemble/fitting/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "agents/ensemble/fitting/random.h"
#include "scheduler/decode/byte_combiner.h"

namespace consort::fitting {
namespace {

const std::vector<std::vector<double>> kFeatures = {{0.5, 10}, {1.5, 12}, {2, 9},  {3, 15},
                                                    {1, 20},   {2.5, 11}, {0, 14}, {3.5, 13}};
const std::vector<std::vector<double>> kShares = {{.7, .2, .4}, {.1, .5, .3}, {.2, .6, .1}, {.9, .3, .2},
                                                  {.3, .1, .8}, {.2, .7, .5}, {.6, .4, .1}, {.1, .2, .9}};
constexpr double kPenalty = 0.05;

Matrix logs(std::vector<std::vector<double>> p) {
  for (auto& row : p)
    for (double& v : row) v = std::log(v);
  return *matrix_of(p);
}

// Two members that give one of two symbols 0.9, each the other one; which member speaks depends on `x`.
struct Planted {
  Matrix features{20000, 2}, log_p{20000, 2};
  Planted() {
    SeededStream random(3);
    for (std::size_t i = 0; i < features.rows(); ++i) {
      const double x = 2 * random.uniform() - 1;
      const bool first = random.uniform() < 1 / (1 + std::exp(-(2 * x + 0.5)));
      const bool symbol = (random.uniform() < 0.9) == first;
      features.at(i, 0) = x;
      features.at(i, 1) = random.uniform();  // says nothing
      log_p.at(i, 0) = std::log(symbol ? 0.9 : 0.1);
      log_p.at(i, 1) = std::log(symbol ? 0.1 : 0.9);
    }
  }
};

TEST(Gate, AgreesWithBfgs) {
  const auto fit = fit_gate(*matrix_of(kFeatures), logs(kShares), kPenalty);
  ASSERT_TRUE(fit) << fit.error().line();
  EXPECT_TRUE(fit->converged);
  const double weights[3][2] = {{-1.9167326470635517, -0.21353538959251162},
                                {0.4814219184883207, -0.23440365103930097},
                                {1.4353104627104867, 0.4479390930478334}};
  const double biases[3] = {5.037170200827428, 2.9590874082073264, -7.996257609034755};
  for (std::size_t m = 0; m < 3; ++m) {
    EXPECT_NEAR(fit->biases[m], biases[m], 1e-5);
    for (std::size_t j = 0; j < 2; ++j) EXPECT_NEAR(fit->weights.at(m, j), weights[m][j], 1e-6);
  }
  EXPECT_NEAR(fit->nll, 0.6510542155333601, 1e-8);
  EXPECT_LT(fit->slope, 1e-6);
  const auto w = fit->log_weights(kFeatures[0]);
  EXPECT_NEAR(std::exp(w[0]), 0.7431021, 1e-6);
  EXPECT_NEAR(std::exp(w[0]) + std::exp(w[1]) + std::exp(w[2]), 1, 1e-12);
}

TEST(Gate, NoParameterMovesWithoutRaisingTheLoss) {
  const Planted made;
  const auto fit = fit_gate(made.features, made.log_p, 3);
  ASSERT_TRUE(fit);
  const auto n = static_cast<double>(made.features.rows());
  const auto loss = [&](const GateModel& gate) {
    double sum = 0;
    for (std::size_t i = 0; i < made.features.rows(); ++i) {
      const auto w = gate.log_weights(made.features.row(i));
      sum -= std::log(std::exp(w[0] + made.log_p.at(i, 0)) + std::exp(w[1] + made.log_p.at(i, 1)));
    }
    for (std::size_t j = 0; j < 2; ++j) {  // variances of uniform numbers: of width 2 and 1
      double mean = 0, square = 0;
      for (std::size_t i = 0; i < made.features.rows(); ++i) mean += made.features.at(i, j) / n;
      for (std::size_t i = 0; i < made.features.rows(); ++i)
        square += std::pow(made.features.at(i, j) - mean, 2) / n;
      for (std::size_t m = 0; m < 2; ++m) sum += 3 * square * std::pow(gate.weights.at(m, j), 2);
    }
    return sum;
  };
  const double here = loss(*fit);
  for (const double off : {-1e-3, 1e-3}) {
    for (std::size_t m = 0; m < 2; ++m) {
      GateModel other = *fit;
      other.biases[m] += off;
      EXPECT_GT(loss(other), here);
      for (std::size_t j = 0; j < 2; ++j) {
        other = *fit;
        other.weights.at(m, j) += off;
        EXPECT_GT(loss(other), here);
      }
    }
  }
}

TEST(Gate, FindsWhatWasPlantedAndIgnoresNoise) {
  const Planted made;
  const auto fit = fit_gate(made.features, made.log_p, 3);
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->converged);
  EXPECT_NEAR(fit->weights.at(0, 0) - fit->weights.at(1, 0), 2, 0.15);
  EXPECT_NEAR(fit->biases[0] - fit->biases[1], 0.5, 0.1);
  EXPECT_NEAR(fit->weights.at(0, 1) - fit->weights.at(1, 1), 0, 0.15);
  // Constant weights cannot do as well: the gate saves what x says.
  Matrix nothing(made.features.rows(), 1);
  EXPECT_LT(fit->nll, fit_gate(nothing, made.log_p, 3)->nll - 0.05);
}

TEST(Gate, WithoutInformationItHasTheWeightsOfTheLinearPool) {
  const Matrix p = logs(kShares);
  Matrix constant(p.rows(), 2);
  for (double& v : constant.values) v = 4.2;
  const auto fit = fit_gate(constant, p, 1);
  ASSERT_TRUE(fit);
  std::vector<std::vector<double>> by_member(3);
  for (std::size_t i = 0; i < p.rows(); ++i)
    for (std::size_t m = 0; m < 3; ++m) by_member[m].push_back(p.at(i, m));
  const std::vector<double> linear = fit_linear_weights(by_member, 1e-10);
  const auto gate = fit->log_weights(std::vector<double>{7, -7});
  for (std::size_t m = 0; m < 3; ++m) EXPECT_NEAR(std::exp(gate[m]), linear[m], 1e-5);
}

TEST(Gate, PermutedMembersGetPermutedWeights) {
  auto shares = kShares;
  for (auto& row : shares) row = {row[2], row[0], row[1]};
  const auto a = fit_gate(*matrix_of(kFeatures), logs(kShares), kPenalty),
             b = fit_gate(*matrix_of(kFeatures), logs(shares), kPenalty);
  ASSERT_TRUE(a && b);
  for (const auto& row : kFeatures) {
    const auto wa = a->log_weights(row), wb = b->log_weights(row);
    EXPECT_NEAR(wa[0], wb[1], 1e-6);
    EXPECT_NEAR(wa[1], wb[2], 1e-6);
    EXPECT_NEAR(wa[2], wb[0], 1e-6);
  }
}

TEST(Gate, LikelihoodsOfLongTextsDoNotUnderflow) {
  Matrix far = logs(kShares);
  for (double& v : far.values) v -= 2000;
  far.at(3, 1) = -INFINITY;
  const auto fit = fit_gate(*matrix_of(kFeatures), far, kPenalty);
  ASSERT_TRUE(fit) << fit.error().line();
  EXPECT_TRUE(fit->converged);
  EXPECT_GT(fit->nll, 2000);
}

TEST(Gate, RefusesWhatCannotBeFitted) {
  const Matrix x = *matrix_of(kFeatures), p = logs(kShares);
  EXPECT_FALSE(fit_gate(x, p, 0));
  EXPECT_FALSE(fit_gate(x, {}, 1));
  EXPECT_FALSE(fit_gate({}, p, 1));
  EXPECT_FALSE(fit_gate(*matrix_of({{1}, {2}}), p, 1));                         // fewer steps
  EXPECT_FALSE(fit_gate(*matrix_of({{1}, {2}}), *matrix_of({{-1}, {-2}}), 1));  // one member
  EXPECT_FALSE(fit_gate(*matrix_of({{1}, {NAN}}), *matrix_of({{-1, -2}, {-2, -1}}), 1));
  EXPECT_FALSE(fit_gate(*matrix_of({{1}, {2}}), *matrix_of({{-1, NAN}, {-2, -1}}), 1));
  EXPECT_FALSE(fit_gate(*matrix_of({{1}, {2}}), *matrix_of({{-1, 0.5}, {-2, -1}}), 1));
  EXPECT_FALSE(fit_gate(*matrix_of({{1}, {2}}), *matrix_of({{-INFINITY, -INFINITY}, {-2, -1}}), 1));
}

}  // namespace
}  // namespace consort::fitting
