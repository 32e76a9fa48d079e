// Rank and late fusion by hand.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/embedding_fusion.h"
#include "agents/ensemble/fitting/late_fusion.h"
#include "agents/ensemble/fitting/rank_fusion.h"

namespace consort::fitting {
namespace {

const std::vector<ScoredList> kLists = {{{"d1", 3}, {"d2", 2}, {"d3", 1}}, {{"d1", 4}, {"d4", 4}, {"d2", 5}}};

void expect_ranking(const Result<ScoredList>& got, const ScoredList& want) {
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ((*got)[i].document, want[i].document);
    EXPECT_NEAR((*got)[i].score, want[i].score, 1e-14);
  }
}

TEST(RankFusion, ReciprocalRanksByHand) {
  // d1 and d4 share rank 2 of the second list; d3 and d4 have one term each.
  const double both = 1.0 / 61 + 1.0 / 62;
  expect_ranking(reciprocal_rank_fusion(kLists),
                 {{"d1", both}, {"d2", both}, {"d4", 1.0 / 62}, {"d3", 1.0 / 63}});
  expect_ranking(reciprocal_rank_fusion(kLists, std::vector<double>{1, 0}, 0),
                 {{"d1", 1}, {"d2", 0.5}, {"d3", 1.0 / 3}, {"d4", 0}});
}

TEST(RankFusion, MinMaxSumByHand) {
  expect_ranking(comb_sum(kLists), {{"d2", 1.5}, {"d1", 1}, {"d3", 0}, {"d4", 0}});
  expect_ranking(comb_sum(kLists, std::vector<double>{1, 0.5}), {{"d1", 1}, {"d2", 1}, {"d3", 0}, {"d4", 0}});
  expect_ranking(comb_sum(std::vector<ScoredList>{{{"a", 2}, {"b", 2}}, {}}), {{"a", 1}, {"b", 1}});
}

TEST(RankFusion, StandardScoresByHand) {
  // First list: mean 2, variance 2/3. Second: mean 13/3, variance 2/9. A missing document has the list's
  // lowest.
  const double a = std::sqrt(1.5), b = std::sqrt(0.5);
  expect_ranking(z_fusion(kLists), {{"d2", std::sqrt(2.0)}, {"d1", a - b}, {"d3", -a - b}, {"d4", -a - b}});
  expect_ranking(z_fusion(std::vector<ScoredList>{{{"x", 1}, {"y", 1}}}), {{"x", 0}, {"y", 0}});
}

TEST(RankFusion, OrderOfListsDoesNotMatter) {
  const std::vector<ScoredList> swapped = {{{"d2", 5}, {"d4", 4}, {"d1", 4}},
                                           {{"d3", 1}, {"d1", 3}, {"d2", 2}}};
  const std::vector<double> w = {0.7, 0.3}, v = {0.3, 0.7};
  for (const auto& fuse :
       {+[](std::span<const ScoredList> l, std::span<const double> s) { return comb_sum(l, s); },
        +[](std::span<const ScoredList> l, std::span<const double> s) { return z_fusion(l, s); },
        +[](std::span<const ScoredList> l, std::span<const double> s) {
          return reciprocal_rank_fusion(l, s);
        }}) {
    const auto a = fuse(kLists, w), b = fuse(swapped, v);
    ASSERT_TRUE(a && b);
    for (std::size_t i = 0; i < a->size(); ++i) {
      EXPECT_EQ((*a)[i].document, (*b)[i].document);
      EXPECT_EQ((*a)[i].score, (*b)[i].score);
    }
  }
}

TEST(RankFusion, RefusesWhatIsNoRanking) {
  EXPECT_FALSE(reciprocal_rank_fusion({}));
  EXPECT_FALSE(comb_sum(std::vector<ScoredList>{{{"a", 1}, {"a", 2}}}));
  EXPECT_FALSE(z_fusion(std::vector<ScoredList>{{{"a", NAN}}}));
  EXPECT_FALSE(comb_sum(kLists, std::vector<double>{1}));
  EXPECT_FALSE(comb_sum(kLists, std::vector<double>{1, -1}));
  EXPECT_FALSE(reciprocal_rank_fusion(kLists, {}, -1));
}

using Members = std::vector<std::optional<std::vector<double>>>;

std::vector<double> logs(std::vector<double> p) {
  for (double& v : p) v = std::log(v);
  return p;
}

TEST(LateFusion, ByHandAndWithAMissingModality) {
  const Members both = {logs({.8, .2}), logs({.5, .5})};
  const auto log_pool = late_fusion(both);  // sqrt(.4) : sqrt(.1) = 2 : 1
  ASSERT_TRUE(log_pool);
  EXPECT_NEAR(std::exp((*log_pool)[0]), 2.0 / 3, 1e-15);
  const auto linear = late_fusion(both, std::vector<double>{1, 3}, FusionKind::kLinear);
  EXPECT_NEAR(std::exp((*linear)[0]), 0.25 * 0.8 + 0.75 * 0.5, 1e-15);
  // Without the second the first speaks alone, whatever its weight was.
  const auto alone = late_fusion(Members{logs({.8, .2}), std::nullopt}, std::vector<double>{0.1, 0.9});
  EXPECT_NEAR(std::exp((*alone)[0]), 0.8, 1e-15);
  // Of three, the other two keep their ratio.
  const auto two = late_fusion(Members{logs({.8, .2}), std::nullopt, logs({.4, .6})},
                               std::vector<double>{1, 5, 3}, FusionKind::kLinear);
  EXPECT_NEAR(std::exp((*two)[0]), 0.25 * 0.8 + 0.75 * 0.4, 1e-15);
}

TEST(LateFusion, RefusesWhatHasNothingToFuse) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(late_fusion(Members{}));
  EXPECT_FALSE(late_fusion(Members{std::nullopt}));
  EXPECT_FALSE(late_fusion(Members{logs({.8, .2}), std::nullopt}, std::vector<double>{0, 1}));
  EXPECT_FALSE(late_fusion(Members{logs({.8, .2}), logs({.2, .3, .5})}));
  EXPECT_FALSE(late_fusion(Members{logs({.8, .1})}));
  EXPECT_FALSE(late_fusion(Members{logs({.8, .2})}, std::vector<double>{1, 1}));
  EXPECT_FALSE(late_fusion(Members{std::vector<double>{0, -inf}, std::vector<double>{-inf, 0}}));
}

TEST(EmbeddingFusion, PromptsHaveOneVoteWhateverTheirLength) {
  const auto mean = unit_mean(*matrix_of({{100, 0}, {0, 1}}));
  ASSERT_TRUE(mean);
  EXPECT_NEAR((*mean)[0], std::sqrt(0.5), 1e-15);
  EXPECT_NEAR((*mean)[1], std::sqrt(0.5), 1e-15);
  EXPECT_FALSE(unit_mean(*matrix_of({{1, 0}, {-3, 0}})));
  EXPECT_FALSE(unit_mean(*matrix_of({{1, 0}, {0, 0}})));
  EXPECT_FALSE(unit_mean({}));
}

TEST(EmbeddingFusion, ConcatenationIsTheWeightedMeanOfCosines) {
  using Parts = std::vector<std::vector<double>>;
  const std::vector<double> weights = {3, 1};
  const auto a = weighted_concatenation(Parts{{3, 4}, {0, 0, 2}}, weights);
  const auto b = weighted_concatenation(Parts{{5, 0}, {0, 1, 1}}, weights);
  ASSERT_TRUE(a && b);
  ASSERT_EQ(a->size(), 5u);
  double dot = 0, length = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    dot += (*a)[i] * (*b)[i];
    length += (*a)[i] * (*a)[i];
  }
  EXPECT_NEAR(dot, 0.75 * 0.6 + 0.25 * std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(length, 1, 1e-15);
  EXPECT_FALSE(weighted_concatenation(Parts{}));
  EXPECT_FALSE(weighted_concatenation(Parts{{1}, {0}}));
  EXPECT_FALSE(weighted_concatenation(Parts{{1}, {}}));
  EXPECT_FALSE(weighted_concatenation(Parts{{1}, {2}}, std::vector<double>{1}));
}

}  // namespace
}  // namespace consort::fitting
