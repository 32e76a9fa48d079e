// Doubt and stopping by hand.
#include <cmath>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/signals.h"
#include "agents/ensemble/fitting/special.h"
#include "agents/ensemble/fitting/stopping.h"

namespace consort::fitting {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

TEST(Signals, OfOneDistribution) {
  const std::vector<double> log_p = {std::log(.25), std::log(.5), std::log(.25)};
  const auto s = distribution_signals(log_p);
  ASSERT_TRUE(s);
  EXPECT_NEAR(s->entropy, 1.5 * std::numbers::ln2, 1e-15);
  EXPECT_NEAR(s->margin, 0.25, 1e-15);
  EXPECT_NEAR(s->confidence, 0.5, 1e-15);
  const auto sure = distribution_signals(std::vector<double>{0, kNever});
  EXPECT_EQ(sure->entropy, 0);
  EXPECT_EQ(sure->margin, 1);
  EXPECT_EQ(distribution_signals(std::vector<double>{0})->margin, 1);
  EXPECT_FALSE(distribution_signals({}));
  EXPECT_FALSE(distribution_signals(std::vector<double>{-1, -1}));
}

TEST(Signals, UncertaintySplit) {
  // Two members, each sure of another class: all of it is disagreement.
  const auto split = uncertainty_split({std::vector<double>{0, kNever, kNever, 0}, 2});
  ASSERT_TRUE(split);
  EXPECT_NEAR(split->total, std::numbers::ln2, 1e-15);
  EXPECT_EQ(split->aleatoric, 0);
  EXPECT_NEAR(split->epistemic, std::numbers::ln2, 1e-15);
  // Two members of one mind, both unsure: none of it is.
  const std::vector<double> coins(4, std::log(0.5));
  const auto same = uncertainty_split({coins, 2});
  EXPECT_NEAR(same->aleatoric, std::numbers::ln2, 1e-15);
  EXPECT_NEAR(same->epistemic, 0, 1e-15);
  // H(.5, .5) less half of H(.9, .1) twice.
  const double h = -.9 * std::log(.9) - .1 * std::log(.1);
  const std::vector<double> crossed = {std::log(.9), std::log(.1), std::log(.1), std::log(.9)};
  EXPECT_NEAR(uncertainty_split({crossed, 2})->epistemic, std::numbers::ln2 - h, 1e-14);
  EXPECT_NEAR(uncertainty_split({crossed, 2}, std::vector<double>{1, 0})->epistemic, 0, 1e-15);
  EXPECT_FALSE(uncertainty_split({}));
  EXPECT_FALSE(uncertainty_split({coins, 2}, std::vector<double>{1}));
}

TEST(Signals, OfVotes) {
  const auto s = vote_signals(std::vector<std::int32_t>{0, 7, 0, -1});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->votes, 3u);
  EXPECT_NEAR(s->agreement, 2.0 / 3, 1e-15);
  EXPECT_NEAR(s->disagreement, 1.0 / 3, 1e-15);
  EXPECT_NEAR(s->margin, 1.0 / 3, 1e-15);
  EXPECT_NEAR(s->entropy, std::log(3.0) - 2.0 / 3 * std::numbers::ln2, 1e-15);
  EXPECT_EQ(vote_signals(std::vector<std::int32_t>{4, 4})->margin, 1);
  EXPECT_FALSE(vote_signals(std::vector<std::int32_t>{-1}));
  EXPECT_FALSE(vote_signals(std::vector<std::int32_t>{-2}));
  EXPECT_FALSE(vote_signals({}));
}

TEST(Stopping, LeaderProbabilityByHand) {
  EXPECT_NEAR(leader_probability(0, 0), 0.5, 1e-15);
  EXPECT_NEAR(leader_probability(3, 0), 15.0 / 16, 1e-14);
  EXPECT_NEAR(leader_probability(4, 0), 31.0 / 32, 1e-14);
  EXPECT_NEAR(leader_probability(5, 2), 219.0 / 256, 1e-14);
  EXPECT_NEAR(leader_probability(30, 17), 1 - incomplete_beta(31, 18, 0.5), 1e-12);
}

TEST(Stopping, AdaptiveAndMajority) {
  using Counts = std::vector<std::size_t>;
  EXPECT_FALSE(adaptive_stop(Counts{3})->stop);
  EXPECT_TRUE(adaptive_stop(Counts{0, 4})->stop);
  EXPECT_FALSE(adaptive_stop(Counts{2, 5, 1})->stop);  // 0.855
  EXPECT_TRUE(adaptive_stop(Counts{2, 5, 1}, 0.85)->stop);
  EXPECT_FALSE(adaptive_stop(Counts{4, 4})->stop);
  EXPECT_TRUE(majority_stop(Counts{5, 2}, 2)->stop);
  EXPECT_FALSE(majority_stop(Counts{5, 2}, 3)->stop);  // a tie is still possible
  EXPECT_TRUE(majority_stop(Counts{1}, 0)->stop);
  EXPECT_FALSE(adaptive_stop(Counts{}));
  EXPECT_FALSE(adaptive_stop(Counts{0, 0}));
  EXPECT_FALSE(adaptive_stop(Counts{1}, 1));
  EXPECT_FALSE(majority_stop(Counts{}, 1));
}

}  // namespace
}  // namespace consort::fitting
