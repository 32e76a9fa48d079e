#include "agents/ensemble/mixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace consort {
namespace {

constexpr double kLn2 = 0.693147180559945309417;

TEST(Mixture, OfOneIsThatOne) {
  const auto m = mix_texts({{"a", 3, 12.5, 40}}, 40);
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->nll_nats, 12.5);
  EXPECT_DOUBLE_EQ(m->bits_per_byte, 12.5 / kLn2 / 40);
  EXPECT_DOUBLE_EQ(m->posteriors[0], 1);
  EXPECT_NEAR(m->entropy, 0, 1e-15);
}

TEST(Mixture, TwoMembersByHand) {
  // Likelihoods 1/4 and 1/8, priors 3/4 and 1/4: 3/16 + 1/32 = 7/32.
  const auto m = mix_texts({{"a", 3, std::log(4.0), 2}, {"b", 1, std::log(8.0), 2}}, 2);
  ASSERT_TRUE(m);
  EXPECT_NEAR(m->nll_nats, std::log(32.0 / 7), 1e-14);
  EXPECT_NEAR(m->posteriors[0], 6.0 / 7, 1e-14);
  EXPECT_NEAR(m->posteriors[1], 1.0 / 7, 1e-14);
}

TEST(Mixture, UnscoredBytesCostEightBits) {
  const auto m = mix_texts({{"a", 1, 10, 7}}, 9);
  ASSERT_TRUE(m);
  EXPECT_NEAR(m->nll_nats, 10 + 16 * kLn2, 1e-12);
  EXPECT_NEAR(m->member_nats[0], 10 + 16 * kLn2, 1e-12);
}

TEST(Mixture, IsNeverWorseThanTheBestByMoreThanItsPrior) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<TextLikelihood> members(1 + random() % 6);
    for (auto& member : members)
      member = {"m", 0.01 + static_cast<double>(random() % 1000), static_cast<double>(random() % 100000) / 7,
                100};
    const auto m = mix_texts(members, 100);
    ASSERT_TRUE(m);
    double sum = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      EXPECT_LE(m->nll_nats, members[i].nll_nats - std::log(m->priors[i]) + 1e-9);
      sum += m->posteriors[i];
    }
    EXPECT_GE(m->nll_nats, std::min_element(
                               members.begin(), members.end(),
                               [](const auto& a, const auto& b) {
                                 return a.nll_nats < b.nll_nats;
                               })->nll_nats -
                               1e-9);
    EXPECT_NEAR(sum, 1, 1e-12);
    const double before = m->nll_nats;
    std::shuffle(members.begin(), members.end(), random);
    EXPECT_EQ(mix_texts(members, 100)->nll_nats, before);  // to the bit
  }
}

TEST(Mixture, AMemberWithoutWeightHasNoSay) {
  const auto m = mix_texts({{"a", 0, 1, 4}, {"b", 2, 9, 4}}, 4);
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->nll_nats, 9);
  EXPECT_EQ(m->posteriors[0], 0);
}

TEST(Mixture, LongTextsDoNotUnderflow) {
  const auto m = mix_texts({{"a", 1, 1e7, 1}, {"b", 1, 1e7 + 1, 1}}, 1);
  ASSERT_TRUE(m);
  EXPECT_NEAR(m->posteriors[0], 1 / (1 + std::exp(-1.0)), 1e-8);
}

TEST(Mixture, RefusesNonsense) {
  EXPECT_FALSE(mix_texts({}, 1));
  EXPECT_FALSE(mix_texts({{"a", 0, 1, 1}}, 1));
  EXPECT_FALSE(mix_texts({{"a", -1, 1, 1}}, 1));
  EXPECT_FALSE(mix_texts({{"a", 1, std::nan(""), 1}}, 1));
  EXPECT_FALSE(mix_texts({{"a", 1, 1, 2}}, 1));
}

}  // namespace
}  // namespace consort
