#include "scheduler/decode/byte_combiner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "scheduler/decode/sampler.h"

namespace consort {
namespace {

std::vector<std::vector<double>> recorded(int members, int length, std::uint64_t seed, double most = 4) {
  std::vector<std::vector<double>> out(static_cast<std::size_t>(members));
  for (int m = 0; m < members; ++m)
    for (int t = 0; t < length; ++t)
      out[static_cast<std::size_t>(m)].push_back(
          -most * counter_uniform(seed, static_cast<std::uint64_t>(t), static_cast<std::uint32_t>(m)));
  return out;
}
double sum(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0);
}
std::vector<double> combined(CombineRule rule, const std::vector<double>& w,
                             const std::vector<std::vector<double>>& p) {
  const std::vector<std::span<const double>> views(p.begin(), p.end());
  return ByteCombiner::create({rule, 0, w}, p.size())->combine(views);
}
double best(const std::vector<std::vector<double>>& lp) {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& member : lp) least = std::min(least, -sum(member));
  return least;
}

TEST(ByteCombiner, BayesIsNeverLongerThanTheBestMemberByMoreThanItsPrior) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const int members = 2 + static_cast<int>(seed % 4);
    for (const double most : {0.1, 4.0, 60.0}) {
      const auto lp = recorded(members, 300, seed, most);
      const auto code = mix_code(lp, {CombineRule::kBayes, 0, {}});
      ASSERT_TRUE(code);
      EXPECT_LE(code->nats, best(lp) + std::log(members) + 1e-9);
      // And it is the mixture of the whole sequences, exactly.
      double top = -best(lp), whole = 0;
      for (const auto& member : lp) whole += std::exp(sum(member) - top) / members;
      EXPECT_NEAR(code->nats, -top - std::log(whole), 1e-9 * (1 + code->nats));
    }
  }
}

TEST(ByteCombiner, FixedShareKeepsItsBound) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const int members = 2 + static_cast<int>(seed % 4), length = 250;
    for (const double alpha : {0.001, 0.02, 0.3, 1.0}) {
      const auto lp = recorded(members, length, seed, 8);
      const auto code = mix_code(lp, {CombineRule::kBayes, alpha, {}});
      ASSERT_TRUE(code);
      EXPECT_LE(code->nats,
                best(lp) + std::log(members) - (length - 1) * std::log(1 - alpha + alpha / members) + 1e-9);
    }
  }
}

TEST(ByteCombiner, FixedShareFollowsAChangeThatBayesMisses) {
  std::vector<std::vector<double>> lp(2);
  for (int t = 0; t < 400; ++t) {
    lp[0].push_back(t < 200 ? -0.1 : -3.0);
    lp[1].push_back(t < 200 ? -3.0 : -0.1);
  }
  const auto still = mix_code(lp, {CombineRule::kBayes, 0, {}}),
             moving = mix_code(lp, {CombineRule::kBayes, 0.01, {}});
  EXPECT_LT(moving->nats, 0.2 * still->nats);
  EXPECT_GT(moving->weights[190][0], 0.95);
  EXPECT_GT(moving->weights[390][1], 0.95);
}

TEST(ByteCombiner, PoolsKeepTheirIdentities) {
  const std::vector<std::vector<double>> p = {{0.7, 0.2, 0.1, 0}, {0.1, 0.3, 0.5, 0.1}};
  const std::vector<double> w = {0.25, 0.75};
  const auto linear = combined(CombineRule::kLinear, w, p);
  const auto log = combined(CombineRule::kLog, w, p);
  double z = 0;
  for (std::size_t i = 0; i < 4; ++i) z += std::pow(p[0][i], w[0]) * std::pow(p[1][i], w[1]);
  EXPECT_LE(z, 1);
  EXPECT_NEAR(sum(linear), 1, 1e-15);
  EXPECT_NEAR(sum(log), 1, 1e-15);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(linear[i], w[0] * p[0][i] + w[1] * p[1][i], 1e-15);
    const double mean = w[0] * -std::log(p[0][i]) + w[1] * -std::log(p[1][i]);
    EXPECT_LE(-std::log(linear[i]), mean + 1e-12);
    if (i < 3) {
      EXPECT_NEAR(-std::log(log[i]), mean + std::log(z), 1e-12);
    }
  }
  EXPECT_EQ(log[3], 0);  // one member's veto
}

TEST(ByteCombiner, ADroppedMemberHasNoSayAnyMore) {
  auto combiner = *ByteCombiner::create({CombineRule::kBayes, 0.1, {1, 1, 2}}, 3);
  combiner.drop(2);
  const std::vector<double> a = {0.5, 0.5}, b = {0.9, 0.1};
  const std::vector<std::span<const double>> views = {a, b, {}};
  EXPECT_NEAR(combiner.combine(views)[0], 0.7, 1e-15);
  const std::vector<double> lp = {std::log(0.5), std::log(0.1), std::nan("")};
  EXPECT_NEAR(combiner.observe(lp), std::log(0.3), 1e-15);
  EXPECT_NEAR(combiner.weights()[0], 0.9 * 0.25 / 0.3 + 0.05, 1e-12);
  EXPECT_EQ(combiner.weights()[2], 0);
  combiner.drop(0);
  EXPECT_NEAR(combiner.weights()[1], 1, 1e-15);
}

TEST(ByteCombiner, ContrastAndProxyByTheirFormulas) {
  const std::vector<double> expert = {0.6, 0.3, 0.08, 0.02}, amateur = {0.7, 0.1, 0.1, 0.1},
                            third = {0.25, 0.25, 0.25, 0.25};
  const std::vector<std::span<const double>> two = {expert, amateur}, three = {expert, amateur, third};
  CombinerOptions options{CombineRule::kContrast, 0, {}};
  const auto contrast = ByteCombiner::create(options, 2)->combine(two);
  std::vector<double> want;
  for (std::size_t i = 0; i < 3; ++i) want.push_back(std::pow(expert[i], 1.5) / std::pow(amateur[i], 0.5));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(contrast[i], want[i] / sum(want), 1e-12);
  EXPECT_EQ(contrast[3], 0);  // below a tenth of the likeliest
  options.rule = CombineRule::kProxy;
  const auto proxy = ByteCombiner::create(options, 3)->combine(three);
  double z = 0;
  for (std::size_t i = 0; i < 4; ++i) z += expert[i] * amateur[i];
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(proxy[i], expert[i] * amateur[i] / z, 1e-12);
  EXPECT_FALSE(ByteCombiner::create(options, 2));
  options.weights = {1, 2, 1};
  EXPECT_FALSE(ByteCombiner::create(options, 3));
}

TEST(ByteCombiner, AMemberThatSaysNothingKeepsItsWeight) {
  auto combiner = *ByteCombiner::create({CombineRule::kBayes, 0, {1, 3}}, 2);
  const std::vector<double> lp = {std::nan(""), std::log(0.5)};
  EXPECT_NEAR(combiner.observe(lp), std::log(0.5), 1e-15);
  EXPECT_NEAR(combiner.weights()[0], 0.25, 1e-15);
  const std::vector<double> impossible(2, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(combiner.observe(impossible), -std::numeric_limits<double>::infinity());
  EXPECT_NEAR(combiner.weights()[0], 0.25, 1e-15);
}

TEST(ByteCombiner, FittedWeightsDoNotLoseToAnyOthers) {
  const auto lp = recorded(3, 500, 7);
  const auto code = [&](std::vector<double> w) {
    return mix_code(lp, {CombineRule::kLinear, 0, std::move(w)})->nats;
  };
  const double fitted = code(fit_linear_weights(lp));
  for (double a = 0; a <= 1; a += 0.1)
    for (double b = 0; a + b <= 1.0001; b += 0.1)
      EXPECT_LE(fitted, code({a, b, std::max(0.0, 1 - a - b)}) + 1e-3);
}

// The better member is hardly better: plain EM of a hundred rounds stops on the way to its corner.
TEST(ByteCombiner, FittedWeightsReachACorner) {
  std::vector<std::vector<double>> lp(2);
  for (int t = 0; t < 200; ++t) {
    lp[0].push_back(std::log(0.5));
    lp[1].push_back(std::log(t % 2 == 0 ? 0.499 : 0.5));
  }
  const auto w = fit_linear_weights(lp);
  EXPECT_LE(mix_code(lp, {CombineRule::kLinear, 0, w})->nats, -sum(lp[0]) + 1e-6);
}

TEST(ByteCombiner, OptionsAreChecked) {
  EXPECT_FALSE(ByteCombiner::create({}, 0));
  EXPECT_FALSE(ByteCombiner::create({CombineRule::kBayes, -0.1, {}}, 2));
  EXPECT_FALSE(ByteCombiner::create({CombineRule::kBayes, std::nan(""), {}}, 2));
  EXPECT_FALSE(ByteCombiner::create({CombineRule::kBayes, 0, {1}}, 2));
  EXPECT_FALSE(ByteCombiner::create({CombineRule::kBayes, 0, {0, 0}}, 2));
  EXPECT_FALSE(ByteCombiner::create({CombineRule::kBayes, 0, {1, -1}}, 2));
  EXPECT_FALSE(mix_code({{-1}, {-1, -2}}, {}));
}

}  // namespace
}  // namespace consort
