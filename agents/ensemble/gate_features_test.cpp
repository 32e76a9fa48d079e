#include "agents/ensemble/gate_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace consort {
namespace {

// Three members; the first and the third end a token at 2, 4 and 6, the second also at 3.
struct Shown {
  std::vector<TextCode> codes = {{"a", {2, 4, 6}, {-1, -2, -3}, {}},
                                 {"b", {2, 3, 4, 6}, {-2, -1, -0.5, -1}, {}},
                                 {"c", {2, 4, 6}, {-1, -1, -1}, {}}};
  std::vector<TokenDoubt> doubts = {
      {{NAN, 2, 3}, {NAN, 0.5, 0.25}, {NAN, 0.25, 0.2}, {-1, 'x', 'y'}},
      {{1, 0.5, 9, 1}, {0.6, 0.8, 0.9, 0.4}, {0.1, 0.1, 0.05, 0.1}, {'t', 'x', 'q', 'z'}},
      {{2, 4, 5}, {0.3, 0.2, 0.1}, {0.1, 0.1, 0.1}, {'t', 'w', 'y'}}};
  CodeTable table = *code_table(codes, 6, CodePieces::kChunks);
};

TEST(GateFeatures, AreWhatStandsBeforeEachPiece) {
  const Shown s;
  const auto x = gate_features(s.table, s.doubts, GateView::kDoubt);
  ASSERT_TRUE(x) << x.error().line();
  ASSERT_EQ(x->rows(), 3u);
  ASSERT_EQ(x->columns, 15u);
  EXPECT_EQ(gate_feature_names(GateView::kDoubt, {"a", "b", "c"}).size(), 15u);
  const auto row = x->row(1);  // before byte 2: the second token of each member
  const double wanted[] = {2,    0.5, 4,   std::log(0.5), std::log(0.8), std::log(0.2),
                           0.25, 0.7, 0.1, 0.5,           0.5,           0};
  for (std::size_t j = 0; j < 12; ++j) EXPECT_NEAR(row[j], wanted[j], 1e-12) << j;
  EXPECT_NEAR(row[12], 0.5 * (0.5 - 0.5), 1e-12);  // the mean of the firsts is 0.5
  EXPECT_NEAR(row[13], 0.5 * (0.8 - 0.5), 1e-12);
  EXPECT_EQ(row[14], 0);
  EXPECT_EQ(x->at(0, 0), 1);             // nothing stands before
  EXPECT_EQ(x->at(2, 1), 1);             // the second member's fourth token begins the last piece
  EXPECT_EQ(x->at(2, 9), x->at(2, 11));  // a and c guess the same
  EXPECT_EQ(x->at(2, 10), 0);
}

TEST(GateFeatures, TheRecordIsThatOfTheFixedShare) {
  const Shown s;
  const auto x = gate_features(s.table, {}, GateView::kRecord);
  ASSERT_TRUE(x) << x.error().line();
  ASSERT_EQ(x->columns, 3u);
  CombinerOptions options;
  options.alpha = 0.02;
  const auto mixed = mix_code(s.table.lp, options);
  for (std::size_t t = 0; t < 3; ++t) {
    EXPECT_NEAR(x->at(t, 0) - x->at(t, 1), std::log(mixed->weights[t][0] / mixed->weights[t][1]), 1e-12);
    EXPECT_NEAR(x->at(t, 0) + x->at(t, 1) + x->at(t, 2), 0, 1e-12);
  }
  EXPECT_EQ(gate_features(s.table, s.doubts, GateView::kBoth)->columns, 18u);
}

TEST(GateFeatures, PermutedMembersHavePermutedColumns) {
  Shown s, other;
  std::rotate(other.codes.begin(), other.codes.begin() + 1, other.codes.end());
  std::rotate(other.doubts.begin(), other.doubts.begin() + 1, other.doubts.end());
  other.table = *code_table(other.codes, 6, CodePieces::kChunks);
  const auto a = gate_features(s.table, s.doubts, GateView::kBoth),
             b = gate_features(other.table, other.doubts, GateView::kBoth);
  ASSERT_TRUE(a && b);
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t j = 0; j < 18; ++j)
      EXPECT_NEAR(a->at(t, j), b->at(t, j / 3 * 3 + (j + 2) % 3), 1e-12) << t << " " << j;
}

TEST(GateFeatures, RefusesWhatDoesNotFit) {
  Shown s;
  const auto bytes = [&] {
    CodeTable table = s.table;
    table.first_tokens.clear();
    return gate_features(table, s.doubts, GateView::kDoubt);
  };
  EXPECT_FALSE(bytes());
  EXPECT_FALSE(
      gate_features(*code_table({s.codes[0]}, 6, CodePieces::kChunks), {s.doubts[0]}, GateView::kDoubt));
  s.doubts[1].guesses.pop_back();
  EXPECT_FALSE(gate_features(s.table, s.doubts, GateView::kBoth));
  s.doubts.pop_back();
  EXPECT_FALSE(gate_features(s.table, s.doubts, GateView::kDoubt));
}

}  // namespace
}  // namespace consort
