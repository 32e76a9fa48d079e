// What the rest stands on: matrices, checks, seeded numbers, distribution functions.
#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/matrix.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/special.h"

namespace consort::fitting {
namespace {

TEST(Matrices, RowsAreRows) {
  const auto m = matrix_of({{1, 2, 3}, {4, 5, 6}});
  ASSERT_TRUE(m);
  EXPECT_EQ(m->rows(), 2u);
  EXPECT_EQ(m->at(1, 2), 6);
  EXPECT_EQ(MatrixView(*m).row(1)[0], 4);
  EXPECT_FALSE(matrix_of({}));
  EXPECT_FALSE(matrix_of({{}}));
  EXPECT_FALSE(matrix_of({{1, 2}, {3}}));
}

TEST(Checks, RefuseWhatIsNoDistribution) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> sure = {0, -inf}, half = {std::log(0.5), std::log(0.5)}, wrong = {-1, -1},
                            positive = {0.7, -inf}, nan = {NAN, 0};
  EXPECT_TRUE(check_log_distributions({sure, 2}, "p"));
  EXPECT_TRUE(check_log_distributions({half, 2}, "p"));
  EXPECT_FALSE(check_log_distributions({wrong, 2}, "p"));
  EXPECT_FALSE(check_log_distributions({positive, 2}, "p"));
  EXPECT_FALSE(check_log_distributions({nan, 2}, "p"));
  EXPECT_FALSE(check_log_distributions({half, 0}, "p"));
  EXPECT_FALSE(check_matrix({std::vector<double>{1, 2, 3}, 2}, "m"));
  EXPECT_FALSE(check_finite({}, "values"));
  EXPECT_FALSE(check_labels(std::vector<std::int32_t>{0, 2}, 2, 2));
  EXPECT_FALSE(check_labels(std::vector<std::int32_t>{-1, 0}, 2, 2));
  EXPECT_FALSE(check_marks(std::vector<std::uint8_t>{0, 2}, "marks"));
  const auto message = check_finite(std::vector<double>{1, NAN}, "scores");
  EXPECT_EQ(message.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(message.error().what.find("scores"), std::string::npos);
}

TEST(Checks, WeightsSumToOne) {
  EXPECT_EQ(*normalised({}, 4), std::vector<double>(4, 0.25));
  EXPECT_EQ(*normalised(std::vector<double>{1, 3}, 2), (std::vector<double>{0.25, 0.75}));
  EXPECT_FALSE(normalised(std::vector<double>{1, -1}, 2));
  EXPECT_FALSE(normalised(std::vector<double>{0, 0}, 2));
  EXPECT_FALSE(normalised(std::vector<double>{1}, 2));
  EXPECT_FALSE(normalised({}, 0));
}

TEST(SeededNumbers, AreTheSameEverywhereAndSpreadEvenly) {
  // Computed with Python integers from the published constants of SplitMix64.
  SeededStream first(7, 3);
  const std::uint64_t a = first.bits(), b = first.bits();
  SeededStream again(7, 3);
  EXPECT_EQ(again.bits(), a);
  EXPECT_EQ(again.bits(), b);
  EXPECT_EQ(a, 0xC2F0F7E1ED80A391ULL);
  EXPECT_EQ(b, 0x053CB8C91C302EDAULL);
  EXPECT_NE(SeededStream(7, 4).bits(), a);
  EXPECT_NE(SeededStream(8, 3).bits(), a);
  // 60,000 draws of six sides: chi-square with 5 degrees of freedom, 20.5 at p = 0.001.
  SeededStream die(1);
  double counts[6] = {}, mean = 0;
  for (int i = 0; i < 60000; ++i) ++counts[die.below(6)];
  double chi = 0;
  for (const double c : counts) chi += (c - 10000) * (c - 10000) / 10000;
  EXPECT_LT(chi, 20.5);
  for (int i = 0; i < 60000; ++i) {
    const double u = die.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    mean += u / 60000;
  }
  EXPECT_NEAR(mean, 0.5, 4 * std::sqrt(1.0 / 12 / 60000));
  std::vector<std::size_t> places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  die.shuffle(places);
  EXPECT_EQ(std::set<std::size_t>(places.begin(), places.end()).size(), 10u);
}

// Expected values: scipy 1.17 (stats.norm, special.betainc, stats.beta).
TEST(Distributions, AgreeWithPublishedTables) {
  const double at[] = {1e-300, 1e-10, 0.001, 0.025, 0.3, 0.5, 0.8, 0.975};
  const double z[] = {-37.0470962993612,   -6.361340902404056,  -3.090232306167813,
                      -1.9599639845400545, -0.5244005127080409, 0.0,
                      0.8416212335729143,  1.959963984540054};
  for (int i = 0; i < 8; ++i) {
    EXPECT_NEAR(normal_quantile(at[i]), z[i], 1e-13 * (1 + std::abs(z[i])));
    EXPECT_NEAR(normal_cdf(z[i]), at[i], 1e-13 * at[i] + 1e-16);
  }
  EXPECT_TRUE(std::isinf(normal_quantile(0)) && normal_quantile(0) < 0);
  EXPECT_TRUE(std::isinf(normal_quantile(1)) && normal_quantile(1) > 0);
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4), 0.5248, 1e-14);
  EXPECT_NEAR(incomplete_beta(951, 50, 0.95), 0.4797410570873185, 1e-11);
  EXPECT_NEAR(incomplete_beta(0.5, 0.5, 0.1), 0.20483276469913345, 1e-14);
  EXPECT_NEAR(incomplete_beta(20, 20, 0.5), 0.5, 1e-13);
  EXPECT_EQ(incomplete_beta(2, 2, 0), 0);
  EXPECT_EQ(incomplete_beta(2, 2, 1), 1);
  EXPECT_NEAR(beta_quantile(901, 100, 0.025), 0.8807915173137935, 1e-12);
  EXPECT_NEAR(beta_quantile(901, 100, 0.975), 0.91789466564442, 1e-12);
  EXPECT_NEAR(std::exp(log_fair_binomial(4, 2)), 6.0 / 16, 1e-15);
  EXPECT_TRUE(std::isinf(log_fair_binomial(4, 5)));
}

}  // namespace
}  // namespace consort::fitting
