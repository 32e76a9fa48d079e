#include "scheduler/decode/prefill_cost.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(PrefillCost, StepsLastAboutAsLongAsTheyMay) {
  PrefillCost cost(2.7e8);
  EXPECT_NEAR(cost.ms_per_row(), 1.35, 1e-9);  // guessed
  cost.measured(64, 32.0);                     // half a millisecond a row
  EXPECT_DOUBLE_EQ(cost.ms_per_row(), 0.5);
  EXPECT_EQ(cost.tokens(50, 0, 256), 104);
  EXPECT_EQ(cost.tokens(10, 0, 256), 24);
  EXPECT_EQ(cost.tokens(10, 0, 16), 16);
  EXPECT_EQ(cost.tokens(10, 3, 64), 21);  // 24 rows in all
  EXPECT_EQ(cost.tokens(10, 32, 64), 8);  // decoding alone is as long: half a group at least
  EXPECT_EQ(cost.tokens(10, 30, 64), 10);
  EXPECT_EQ(cost.tokens(10, 27, 64), 5);
}

TEST(PrefillCost, OneDisturbedStepSaysLittle) {
  PrefillCost cost(2.7e8);
  cost.measured(16, 8.0);
  cost.measured(16, 800.0);
  EXPECT_NEAR(cost.ms_per_row(), 0.625, 1e-3);
  for (int i = 0; i < 40; ++i) cost.measured(16, 80.0);  // it is really slower now
  EXPECT_DOUBLE_EQ(cost.ms_per_row(), 5.0);
  EXPECT_EQ(cost.tokens(10, 0, 256), 8);
  cost.measured(3, 300.0);  // too few rows to tell
  EXPECT_DOUBLE_EQ(cost.ms_per_row(), 5.0);
  cost.measured(16, 8.0);
  EXPECT_DOUBLE_EQ(cost.ms_per_row(), 0.5);
}

TEST(PrefillCost, ModelsThatCostNothingTakeAllThatIsAllowed) {
  EXPECT_EQ(PrefillCost(10).tokens(10, 0, 256), 256);
  EXPECT_EQ(PrefillCost(0).tokens(10, 4, 1), 1);
}

}  // namespace
}  // namespace consort
