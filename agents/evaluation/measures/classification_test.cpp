// Scores of classes and rankings by hand; F1 as scikit-learn 1.9 has it.
#include <cmath>
#include <limits>
#include <numbers>

#include <gtest/gtest.h>

#include "agents/evaluation/measures/bits.h"
#include "agents/evaluation/measures/classification.h"
#include "agents/evaluation/measures/retrieval.h"
#include "agents/evaluation/measures/roc.h"

namespace consort::measures {
namespace {

using Labels = std::vector<std::int32_t>;

const Matrix kLogs = [] {
  Matrix m = *fitting::matrix_of({{.5, .25, .25}, {.1, .8, .1}});
  for (double& v : m.values) v = std::log(v);
  return m;
}();

TEST(Classification, ProperScoresByHand) {
  EXPECT_NEAR(*mean_nll(kLogs, Labels{0, 2}), (std::log(2.0) + std::log(10.0)) / 2, 1e-15);
  const auto brier = brier_by_item(kLogs, Labels{0, 2});
  ASSERT_TRUE(brier);
  EXPECT_NEAR((*brier)[0], 0.375, 1e-15);
  EXPECT_NEAR((*brier)[1], 1.46, 1e-15);
  EXPECT_NEAR(*mean_brier(kLogs, Labels{0, 2}), 0.9175, 1e-15);
  const double never = -std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isinf(*mean_nll(*fitting::matrix_of({{0, never}}), Labels{1})));
  EXPECT_EQ(*mean_brier(*fitting::matrix_of({{0, never}}), Labels{1}), 2);
  EXPECT_FALSE(mean_nll(kLogs, Labels{0}));
  EXPECT_FALSE(mean_nll(kLogs, Labels{0, 3}));
  EXPECT_FALSE(mean_nll({}, {}));
  EXPECT_FALSE(mean_brier(*fitting::matrix_of({{NAN, 0}}), Labels{1}));
  EXPECT_FALSE(mean_brier(*fitting::matrix_of({{0, 0}}), Labels{1}));
}

TEST(Classification, ChosenClasses) {
  EXPECT_EQ(likeliest(*fitting::matrix_of({{-1, -1, -2}, {-3, -2, -2}, {NAN, -5, -4}})), (Labels{0, 1, 2}));
  EXPECT_EQ(marks(Labels{0, -1, 2}, Labels{0, 1, 1}), (std::vector<std::uint8_t>{1, 0, 0}));
  EXPECT_NEAR(*accuracy(Labels{0, -1, 2}, Labels{0, 1, 1}), 1.0 / 3, 1e-15);
  EXPECT_FALSE(accuracy({}, {}));
  EXPECT_FALSE(accuracy(Labels{0}, Labels{0, 1}));
}

TEST(Classification, MacroF1) {
  const auto report = f1_report(Labels{0, 1, 0, 1, 1, 2, 0, 2}, Labels{0, 0, 0, 1, 1, 2, 2, 2}, 3);
  ASSERT_TRUE(report);
  EXPECT_NEAR(report->macro_f1, 0.7555555555555555, 1e-15);
  EXPECT_NEAR(report->balanced_accuracy, 0.7777777777777777, 1e-15);
  EXPECT_EQ(report->imbalance, 1.5);
  EXPECT_NEAR(report->classes[1].precision, 2.0 / 3, 1e-15);
  EXPECT_EQ(report->classes[1].recall, 1);
  // A class that never occurs does not count; an abstention is a miss.
  const auto rare = f1_report(Labels{0, -1}, Labels{0, 0}, 5);
  EXPECT_NEAR(rare->macro_f1, 2.0 / 3, 1e-15);
  EXPECT_EQ(rare->classes[4].f1, 0);
  EXPECT_FALSE(f1_report(Labels{5}, Labels{0}, 2));
  EXPECT_FALSE(f1_report(Labels{0}, Labels{2}, 2));
  EXPECT_FALSE(f1_report({}, {}, 2));
}

TEST(Roc, TiesHalfAndGapsLeftOut) {
  const std::vector<double> scores = {.1, .4, .35, .8, .4, .9, .2}, labels = {0, 1, 0, 1, 0, 1, NAN};
  const auto one = auroc(scores, labels);
  ASSERT_TRUE(one);
  EXPECT_NEAR(one->value, 8.5 / 9, 1e-15);
  EXPECT_EQ(one->positives, 3u);
  EXPECT_EQ(one->negatives, 3u);
  EXPECT_EQ(one->masked, 1u);
  EXPECT_TRUE(auroc(std::vector<double>{.1, .2, NAN}, std::vector<double>{0, 1, NAN}));
  EXPECT_FALSE(auroc(std::vector<double>{.1, NAN}, std::vector<double>{0, 1}));
  EXPECT_FALSE(auroc(std::vector<double>{.1, .2}, std::vector<double>{1, 1}));
  EXPECT_FALSE(auroc(std::vector<double>{.1, .2}, std::vector<double>{0, 2}));
  EXPECT_FALSE(auroc({}, {}));
  // Three tasks; the second has one class only.
  const Matrix s = *fitting::matrix_of({{1, 1, 0}, {2, 2, 1}, {3, 3, 0}});
  const Matrix y = *fitting::matrix_of({{0, 1, 0}, {1, 1, 0}, {1, NAN, 1}});
  const auto all = mean_auroc(s, y);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->left_out, 1u);
  EXPECT_TRUE(std::isnan(all->tasks[1]));
  EXPECT_EQ(all->tasks[0], 1);
  EXPECT_EQ(all->tasks[2], 0.25);  // 0 against 0 (half) and 1 (none)
  EXPECT_EQ(all->mean, 0.625);
  EXPECT_FALSE(mean_auroc(s, *fitting::matrix_of({{0, 1, 1}})));
  EXPECT_FALSE(mean_auroc({}, {}));
}

TEST(Bits, ByHand) {
  EXPECT_NEAR(*bits_per_byte(8 * std::numbers::ln2, 4), 2, 1e-15);
  EXPECT_NEAR(*bits_per_byte(std::vector<double>{std::numbers::ln2, 0}, std::vector<double>{1, 3}), 0.25,
              1e-15);
  EXPECT_FALSE(bits_per_byte(1, 0));
  EXPECT_FALSE(bits_per_byte(-1, 1));
  EXPECT_FALSE(bits_per_byte(NAN, 1));
  EXPECT_FALSE(bits_per_byte(std::vector<double>{}, std::vector<double>{}));
  EXPECT_FALSE(bits_per_byte(std::vector<double>{1}, std::vector<double>{1, 1}));
}

TEST(Retrieval, ByHand) {
  const std::vector<std::string> ranked = {"d1", "d9", "d8", "d3"};
  const Relevance marks = {{"d1", 3}, {"d2", 2}, {"d3", 1}, {"d7", 0}};
  const auto four = retrieval_scores(ranked, marks, 4);
  ASSERT_TRUE(four);
  EXPECT_NEAR(four->recall, 2.0 / 3, 1e-15);
  EXPECT_EQ(four->precision, 0.5);
  EXPECT_NEAR(four->ndcg, (3 + 1 / std::log2(5.0)) / (3 + 2 / std::log2(3.0) + 0.5), 1e-15);
  EXPECT_EQ(four->reciprocal_rank, 1);
  EXPECT_NEAR(four->average_precision, 0.5, 1e-15);
  const auto two = retrieval_scores(ranked, marks, 2);
  EXPECT_NEAR(two->recall, 1.0 / 3, 1e-15);
  EXPECT_NEAR(two->ndcg, 0.7039180890341347, 1e-15);
  const auto late = retrieval_scores(std::vector<std::string>{"x", "y", "d2"}, marks, 2);
  EXPECT_EQ(late->recall, 0);
  EXPECT_NEAR(late->reciprocal_rank, 1.0 / 3, 1e-15);
  EXPECT_EQ(retrieval_scores({}, marks, 5)->ndcg, 0);
  EXPECT_FALSE(retrieval_scores(ranked, marks, 0));
  EXPECT_FALSE(retrieval_scores(ranked, {{"d7", 0}}, 2));
  EXPECT_FALSE(retrieval_scores(ranked, {{"d7", NAN}}, 2));
  EXPECT_FALSE(retrieval_scores(std::vector<std::string>{"a", "a"}, marks, 2));
}

}  // namespace
}  // namespace consort::measures
