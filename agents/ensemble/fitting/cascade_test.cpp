// A cascade of four items by hand.
#include <cmath>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/cascade.h"

namespace consort::fitting {
namespace {

const std::vector<double> kConfidence = {.9, .8, .8, .3}, kCheap = {1, 0, 1, 0}, kStrong = {1, 1, 1, 0},
                          kCheapCost(4, 1.0), kStrongCost(4, 10.0);
const CascadeItems kItems = {kConfidence, kCheap, kStrong, kCheapCost, kStrongCost};

TEST(Cascade, CurveByHand) {
  const auto curve = cascade_curve(kItems);
  ASSERT_TRUE(curve);
  ASSERT_EQ(curve->size(), 4u);  // none; .3; both .8 together; all
  const double deferred[] = {0, .25, .75, 1}, quality[] = {.5, .5, .75, .75}, cost[] = {1, 3.5, 8.5, 11};
  for (std::size_t k = 0; k < 4; ++k) {
    EXPECT_EQ((*curve)[k].deferred, deferred[k]);
    EXPECT_EQ((*curve)[k].quality, quality[k]);
    EXPECT_EQ((*curve)[k].cost, cost[k]);
    const auto applied = apply_cascade(kItems, (*curve)[k].threshold);
    EXPECT_EQ(applied->deferred, deferred[k]);
    EXPECT_EQ(applied->quality, quality[k]);
    EXPECT_EQ(applied->cost, cost[k]);
  }
  EXPECT_TRUE(std::isinf((*curve)[0].threshold) && std::isinf((*curve)[3].threshold));
  EXPECT_NEAR((*curve)[1].threshold, 0.55, 1e-15);
  EXPECT_NEAR((*curve)[2].threshold, 0.85, 1e-15);
}

TEST(Cascade, RulesByHand) {
  const auto curve = *cascade_curve(kItems);
  EXPECT_EQ(choose_cascade(curve, {CascadeGoal::kBestQuality})->cost, 8.5);
  EXPECT_EQ(choose_cascade(curve, {CascadeGoal::kCheapestAtStrong})->cost, 8.5);
  EXPECT_EQ(choose_cascade(curve, {CascadeGoal::kCheapestAtStrong, 0.25})->cost, 1);
  EXPECT_EQ(choose_cascade(curve, {CascadeGoal::kBestInBudget, 0, 5})->cost, 1);
  EXPECT_EQ(choose_cascade(curve, {CascadeGoal::kBestInBudget, 0, 9})->cost, 8.5);
  EXPECT_FALSE(choose_cascade(curve, {CascadeGoal::kBestInBudget, 0, 0.5}));
  EXPECT_FALSE(choose_cascade({}, {}));
  EXPECT_FALSE(choose_cascade(curve, {CascadeGoal::kCheapestAtStrong, -1}));
}

TEST(Cascade, RefusesItemsThatDoNotFit) {
  const std::vector<double> three(3, 1.0), negative(4, -1.0), nan(4, NAN);
  EXPECT_FALSE(cascade_curve({}));
  EXPECT_FALSE(cascade_curve({kConfidence, three, kStrong, kCheapCost, kStrongCost}));
  EXPECT_FALSE(cascade_curve({kConfidence, kCheap, kStrong, negative, kStrongCost}));
  EXPECT_FALSE(cascade_curve({nan, kCheap, kStrong, kCheapCost, kStrongCost}));
  EXPECT_FALSE(apply_cascade(kItems, NAN));
}

}  // namespace
}  // namespace consort::fitting
