// Intervals and tests: hand values, scipy 1.17 (bootstrap with 200,000 resamples, binomtest,
// permutation_test), and what a seed promises.
#include <cmath>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/random.h"
#include "agents/evaluation/measures/bootstrap.h"
#include "agents/evaluation/measures/paired_tests.h"

namespace consort::measures {
namespace {

using Numbers = std::vector<std::int32_t>;

const std::vector<double> kValues = {1.2, 3.4, 2.2, 5.9, 0.3, 2.8, 4.1, 9.7, 1.1, 2.0, 3.3, 0.9};

TEST(Bootstrap, IntervalsAgreeWithScipy) {
  const auto percentile = bootstrap_mean(kValues);
  const auto bca = bootstrap_mean(kValues, {}, {.kind = IntervalKind::kBca});
  ASSERT_TRUE(percentile && bca);
  EXPECT_NEAR(percentile->estimate, 36.9 / 12, 1e-14);
  EXPECT_NEAR(percentile->low, 1.825, 0.06);
  EXPECT_NEAR(percentile->high, 4.625, 0.06);
  EXPECT_NEAR(percentile->standard_error, 0.7214, 0.02);
  EXPECT_NEAR(bca->low, 2.0083, 0.06);
  EXPECT_NEAR(bca->high, 5.0583, 0.1);
  EXPECT_EQ(percentile->items, 12u);
  EXPECT_EQ(percentile->clusters, 12u);
}

TEST(Bootstrap, TwoItemsByHand) {
  // Means 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
  const auto wide = bootstrap_mean(std::vector<double>{0, 1}),
             narrow = bootstrap_mean(std::vector<double>{0, 1}, {}, {.level = 0.4});
  EXPECT_EQ(wide->low, 0);
  EXPECT_EQ(wide->high, 1);
  EXPECT_EQ(narrow->low, 0.5);
  EXPECT_EQ(narrow->high, 0.5);
  EXPECT_NEAR(wide->standard_error, std::sqrt(0.125), 0.01);
  // Nothing varies: a point, also where BCa is undefined.
  const auto point = bootstrap_mean(std::vector<double>(5, 2.0), {}, {.kind = IntervalKind::kBca});
  EXPECT_EQ(point->low, 2);
  EXPECT_EQ(point->high, 2);
}

TEST(Bootstrap, SeedDecidesAndAnyStatisticWillDo) {
  const auto a = bootstrap_mean(kValues, {}, {.seed = 5}), b = bootstrap_mean(kValues, {}, {.seed = 5}),
             c = bootstrap_mean(kValues, {}, {.seed = 6});
  EXPECT_EQ(a->low, b->low);
  EXPECT_EQ(a->standard_error, b->standard_error);
  EXPECT_NE(a->standard_error, c->standard_error);
  const ItemStatistic mean = [](std::span<const std::size_t> items) {
    double sum = 0;
    for (const std::size_t i : items) sum += kValues[i];
    return sum / static_cast<double>(items.size());
  };
  for (const IntervalKind kind : {IntervalKind::kPercentile, IntervalKind::kBca}) {
    const auto fast = bootstrap_mean(kValues, {}, {.kind = kind, .seed = 5});
    const auto slow = bootstrap_statistic(12, mean, {}, {.kind = kind, .seed = 5});
    ASSERT_TRUE(slow);
    EXPECT_NEAR(slow->low, fast->low, 1e-12);
    EXPECT_NEAR(slow->high, fast->high, 1e-12);
  }
  // A statistic that needs both kinds of item: resamples without one are drawn again.
  const ItemStatistic ratio = [](std::span<const std::size_t> items) {
    double ones = 0;
    for (const std::size_t i : items) ones += i == 0 ? 1 : 0;
    return ones / (static_cast<double>(items.size()) - ones) / (ones > 0 ? 1 : 0);
  };
  EXPECT_TRUE(bootstrap_statistic(4, ratio));
  EXPECT_FALSE(bootstrap_statistic(4, [](auto) { return NAN; }));
}

// Every item ten times: with clusters the interval is that of the items, without it pretends to know more.
TEST(Bootstrap, ClustersKeepTheirItemsTogether) {
  std::vector<double> copies;
  Numbers clusters;
  for (std::size_t i = 0; i < kValues.size(); ++i) {
    for (int k = 0; k < 10; ++k) {
      copies.push_back(kValues[i]);
      clusters.push_back(static_cast<std::int32_t>(i));
    }
  }
  const auto single = bootstrap_mean(kValues), clustered = bootstrap_mean(copies, clusters),
             naive = bootstrap_mean(copies);
  ASSERT_TRUE(clustered);
  EXPECT_EQ(clustered->clusters, 12u);
  EXPECT_EQ(clustered->items, 120u);
  EXPECT_NEAR(clustered->low, single->low, 1e-12);
  EXPECT_NEAR(clustered->standard_error, single->standard_error, 1e-12);
  EXPECT_NEAR(naive->standard_error, single->standard_error / std::sqrt(10.0), 0.02);
  // Clusters of unequal size: the mean of a resample is over its items.
  const auto uneven = bootstrap_mean(std::vector<double>{0, 0, 0, 1}, Numbers{7, 7, 7, -2});
  EXPECT_EQ(uneven->estimate, 0.25);
  EXPECT_EQ(uneven->low, 0);
  EXPECT_EQ(uneven->high, 1);
}

// 95 % intervals of a mean of 40 skewed values cover the truth about as often as they say.
TEST(Bootstrap, CoversWhatItPromises) {
  int percentile = 0, bca = 0;
  constexpr int kSets = 300;
  for (int set = 0; set < kSets; ++set) {
    fitting::SeededStream stream(17, static_cast<std::uint64_t>(set));
    std::vector<double> values;
    for (int i = 0; i < 40; ++i) values.push_back(-std::log(1 - stream.uniform()));  // mean 1
    for (const IntervalKind kind : {IntervalKind::kPercentile, IntervalKind::kBca}) {
      const auto interval = bootstrap_mean(values, {}, {.resamples = 1000, .kind = kind});
      (kind == IntervalKind::kBca ? bca : percentile) += interval->low <= 1 && 1 <= interval->high ? 1 : 0;
    }
  }
  EXPECT_GT(percentile, 0.88 * kSets);
  EXPECT_GT(bca, 0.89 * kSets);
  EXPECT_LT(percentile, 0.99 * kSets);
}

TEST(Bootstrap, PairedAndRefusals) {
  std::vector<double> better = kValues;
  for (double& v : better) v += 1;
  const auto gain = paired_bootstrap(better, kValues);
  ASSERT_TRUE(gain);
  EXPECT_NEAR(gain->low, 1, 1e-12);  // paired: the values' own spread cancels
  EXPECT_NEAR(gain->high, 1, 1e-12);
  EXPECT_FALSE(paired_bootstrap(better, std::vector<double>{1}));
  EXPECT_FALSE(bootstrap_mean({}));
  EXPECT_FALSE(bootstrap_mean(std::vector<double>{1}));
  EXPECT_FALSE(bootstrap_mean(std::vector<double>{1, NAN}));
  EXPECT_FALSE(bootstrap_mean(std::vector<double>{1, 2}, Numbers{1, 1}));
  EXPECT_FALSE(bootstrap_mean(std::vector<double>{1, 2}, Numbers{1}));
  EXPECT_FALSE(bootstrap_mean(kValues, {}, {.resamples = 99}));
  EXPECT_FALSE(bootstrap_mean(kValues, {}, {.level = 1}));
}

TEST(McNemar, Exact) {
  EXPECT_NEAR(exact_mcnemar(70, 23).p, 1.1026255560645484e-06, 1e-17);
  EXPECT_NEAR(exact_mcnemar(10, 6).p, 0.454498291015625, 1e-13);
  EXPECT_EQ(exact_mcnemar(5, 5).p, 1);
  EXPECT_EQ(exact_mcnemar(0, 0).p, 1);
  EXPECT_NEAR(exact_mcnemar(0, 5).p, 2.0 / 32, 1e-15);
  using Marks = std::vector<std::uint8_t>;
  const auto test = exact_mcnemar(Marks{1, 1, 0, 1}, Marks{0, 1, 1, 0});
  ASSERT_TRUE(test);
  EXPECT_EQ(test->b, 2u);
  EXPECT_EQ(test->c, 1u);
  EXPECT_EQ(test->p, 1);
  EXPECT_FALSE(exact_mcnemar(Marks{}, Marks{}));
  EXPECT_FALSE(exact_mcnemar(Marks{1}, Marks{2}));
}

TEST(SignFlip, ExactForFewUnits) {
  const std::vector<double> d = {.3, -.1, .5, .2, 0, .4, -.2, .1};
  const auto test = sign_flip_test(d);
  ASSERT_TRUE(test);
  EXPECT_TRUE(test->exact);
  EXPECT_EQ(test->units, 7u);
  EXPECT_NEAR(test->mean, 0.15, 1e-15);
  EXPECT_NEAR(test->p, 0.171875, 1e-15);
  EXPECT_EQ(sign_flip_test(std::vector<double>{0, 0})->p, 1);
  EXPECT_EQ(sign_flip_test(std::vector<double>(10, 1.0))->p, 2.0 / 1024);
  // As clusters of two: units .2, .7, .4, -.1.
  const auto clustered = sign_flip_test(d, Numbers{0, 0, 1, 1, 2, 2, 3, 3});
  EXPECT_EQ(clustered->units, 4u);
  EXPECT_NEAR(clustered->p, 4.0 / 16, 1e-15);  // +-(.2 .7 .4 -.1), +-(.2 .7 .4 .1)
}

TEST(SignFlip, DrawnForMany) {
  EXPECT_NEAR(sign_flip_test(std::vector<double>(40, 1.0))->p, 1.0 / 10001, 1e-15);
  fitting::SeededStream stream(8);
  std::vector<double> d;
  double sum = 0;
  for (int i = 0; i < 17; ++i) sum += d.emplace_back(stream.uniform() - 0.35);
  int hits = 0;
  for (int pattern = 0; pattern < 1 << 17; ++pattern) {
    double other = 0;
    for (std::size_t i = 0; i < 17; ++i) other += (pattern >> i & 1) != 0 ? -d[i] : d[i];
    hits += std::abs(other) >= std::abs(sum) - 1e-12 ? 1 : 0;
  }
  const double exact = hits / 131072.0;
  const auto drawn = sign_flip_test(d, {}, {.draws = 20000, .seed = 3});
  EXPECT_FALSE(drawn->exact);
  EXPECT_NEAR(drawn->p, exact, 4 * std::sqrt(exact * (1 - exact) / 20000));
  EXPECT_EQ(drawn->p, sign_flip_test(d, {}, {.draws = 20000, .seed = 3})->p);
  EXPECT_FALSE(sign_flip_test({}));
  EXPECT_FALSE(sign_flip_test(std::vector<double>{NAN}));
  EXPECT_FALSE(sign_flip_test(d, Numbers{1}));
  EXPECT_FALSE(sign_flip_test(d, {}, {.draws = 0}));
}

TEST(Holm, ByHand) {
  const auto adjusted = holm(std::vector<double>{.01, .04, .03, .005});
  ASSERT_TRUE(adjusted);
  const double want[] = {.03, .06, .06, .02};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR((*adjusted)[i], want[i], 1e-15);
  EXPECT_EQ(*holm(std::vector<double>{.6, .7}), (std::vector<double>{1, 1}));
  EXPECT_FALSE(holm({}));
  EXPECT_FALSE(holm(std::vector<double>{1.5}));
}

TEST(Effect, AsTheNoteHasIt) {
  EXPECT_NEAR(*minimum_detectable_effect(0.15, 1838), 0.025309100671432706, 1e-14);
  EXPECT_NEAR(*minimum_detectable_mean(1, 1), 2.801585218112969, 1e-12);
  EXPECT_FALSE(minimum_detectable_effect(0, 10));
  EXPECT_FALSE(minimum_detectable_effect(1.1, 10));
  EXPECT_FALSE(minimum_detectable_effect(0.1, 0));
  EXPECT_FALSE(minimum_detectable_effect(0.1, 10, 0));
  EXPECT_FALSE(minimum_detectable_mean(-1, 10));
}

}  // namespace
}  // namespace consort::measures
