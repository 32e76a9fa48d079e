// Games with known Shapley values, and selection by hand.
#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/attribution.h"

namespace consort::fitting {
namespace {

using Set = std::span<const std::size_t>;

bool holds(Set set, std::size_t m) {
  return std::find(set.begin(), set.end(), m) != set.end();
}

TEST(Shapley, GloveGameByHand) {
  // Member 0 has the left glove, 1 and 2 a right one: a pair is worth 1 (Shapley 1953).
  const SubsetValue pair = [](Set s) { return holds(s, 0) && (holds(s, 1) || holds(s, 2)) ? 1.0 : 0.0; };
  const auto shapley = shapley_values(3, pair);
  ASSERT_TRUE(shapley);
  EXPECT_TRUE(shapley->exact);
  EXPECT_EQ(shapley->tried, 8u);
  EXPECT_NEAR(shapley->values[0], 2.0 / 3, 1e-15);
  EXPECT_NEAR(shapley->values[1], 1.0 / 6, 1e-15);
  EXPECT_NEAR(shapley->values[2], 1.0 / 6, 1e-15);
  EXPECT_EQ(*leave_one_out(3, pair), (std::vector<double>{1, 0, 0}));  // either right glove can be spared
}

// Airport game: a set costs what its longest runway costs; member i pays sum_{k <= i} (a_k - a_{k-1}) / (n -
// k) (Littlechild and Owen 1973).
double airport(std::size_t n, std::size_t i) {
  double share = 0;
  for (std::size_t k = 0; k <= i; ++k)
    share += (k == 0 ? 1.0 : 2.0 * static_cast<double>(k) + 1) / static_cast<double>(n - k);
  return share;
}
const SubsetValue kRunway = [](Set s) {  // a_k = (k + 1)^2
  return s.empty() ? 0.0 : static_cast<double>((s.back() + 1) * (s.back() + 1));
};

TEST(Shapley, AirportGameExactAndSampled) {
  const auto exact = shapley_values(12, kRunway);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_NEAR(exact->values[i], airport(12, i), 1e-11);
  const auto sampled = shapley_values(15, kRunway, 4000, 9);
  ASSERT_TRUE(sampled);
  EXPECT_FALSE(sampled->exact);
  double sum = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    EXPECT_NEAR(sampled->values[i], airport(15, i), 4.5 * sampled->standard_errors[i] + 1e-9) << i;
    sum += sampled->values[i];
  }
  EXPECT_NEAR(sum, 225, 1e-9);  // efficiency holds for every order
  EXPECT_EQ(shapley_values(15, kRunway, 400, 9)->values, shapley_values(15, kRunway, 400, 9)->values);
  EXPECT_NE(shapley_values(15, kRunway, 400, 9)->values, shapley_values(15, kRunway, 400, 8)->values);
}

TEST(Shapley, RefusesWhatHasNoValue) {
  EXPECT_FALSE(shapley_values(0, kRunway));
  EXPECT_FALSE(shapley_values(13, kRunway, 3));
  const SubsetValue undefined = [](Set s) { return s.empty() ? NAN : 1.0; };
  EXPECT_FALSE(shapley_values(3, undefined));
  EXPECT_FALSE(shapley_values(13, undefined));
  EXPECT_FALSE(leave_one_out(1, kRunway));
  EXPECT_FALSE(leave_one_out(2, [](Set) { return NAN; }));
}

TEST(Selection, ByHand) {
  const std::map<std::vector<std::size_t>, double> worth = {{{0}, .6},     {{1}, .7},     {{2}, .5},
                                                            {{0, 1}, .72}, {{1, 2}, .75}, {{0, 1, 2}, .74}};
  const SubsetValue value = [&](Set s) { return worth.at({s.begin(), s.end()}); };
  const auto chosen = greedy_selection(3, value);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->members, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(chosen->values, (std::vector<double>{.7, .75}));
  EXPECT_EQ(chosen->tried, 6u);
  // Not worth two members: no ensemble.
  EXPECT_EQ(greedy_selection(3, value, 0.06)->members, std::vector<std::size_t>{1});
  // Ties go to the lower place, and a tie is no gain.
  EXPECT_EQ(greedy_selection(3, [](Set) { return 1.0; })->members, std::vector<std::size_t>{0});
  EXPECT_FALSE(greedy_selection(0, value));
  EXPECT_FALSE(greedy_selection(3, value, -1));
  EXPECT_FALSE(greedy_selection(3, [](Set) { return NAN; }));
}

}  // namespace
}  // namespace consort::fitting
