// The strategy `stack`, from features through fitting to votes.
#include <cmath>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/logistic.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/stack_features.h"
#include "agents/ensemble/strategy.h"

namespace consort {
namespace {

MemberPrediction scorer(std::string name, const std::vector<double>& log_p,
                        const std::vector<std::size_t>& bytes) {
  MemberPrediction m;
  m.name = std::move(name);
  for (std::size_t c = 0; c < log_p.size(); ++c) m.scores.push_back({log_p[c], bytes[c], 1});
  return m;
}

TEST(StackFeatures, ByHand) {
  PredictionTable table;
  table.candidates = {"x", "y", "z"};
  table.members = {scorer("b", {-4, -2, -2}, {2, 2, 4}),
                   scorer("a", {std::log(.5), std::log(.25), std::log(.25)}, {1, 1, 1})};
  const auto made = stack_features(table);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->members, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(made->values.columns, 8u);
  const double ln2 = std::log(2.0);
  // a on x: ln 1/2, its own score per byte, nobody better, twice as likely as the next.
  EXPECT_NEAR(made->values.at(0, 0), -ln2, 1e-15);
  EXPECT_NEAR(made->values.at(0, 1), -ln2, 1e-15);
  EXPECT_EQ(made->values.at(0, 2), 0);
  EXPECT_NEAR(made->values.at(0, 3), ln2, 1e-15);
  EXPECT_EQ(made->values.at(1, 2), 1);  // only x is better than y
  EXPECT_NEAR(made->values.at(1, 3), -ln2, 1e-15);
  // b on x: two are better; y and z tie at the top.
  EXPECT_EQ(made->values.at(0, 6), 2);
  EXPECT_NEAR(made->values.at(0, 7), -2, 1e-15);
  EXPECT_EQ(made->values.at(2, 5), -0.5);
  EXPECT_NEAR(made->values.at(2, 7), 0, 1e-15);
  table.members[1].name = "b";
  EXPECT_FALSE(stack_features(table));
  table.members[0].error = Error{ErrorKind::kTimeout, "late", {}, {}};
  EXPECT_EQ(stack_features(table)->members.size(), 1u);
  EXPECT_FALSE(stack_features({}));
}

// One member is right about length only, the other too sure of itself: the stack learns both.
TEST(Stack, FittedWeightsBeatTheLogPoolOnNewItems) {
  fitting::SeededStream stream(12);
  std::vector<PredictionTable> items;
  std::vector<std::int32_t> truth;
  for (int i = 0; i < 400; ++i) {
    PredictionTable& table = items.emplace_back();
    table.candidates = {"p", "q", "r"};
    truth.push_back(static_cast<std::int32_t>(stream.below(3)));
    std::vector<double> sure(3), useful(3);
    for (std::size_t c = 0; c < 3; ++c) {
      const double signal = c == static_cast<std::size_t>(truth.back()) ? 1 : 0;
      sure[c] = -20 * stream.uniform() - 2 + signal;
      useful[c] = -3 * stream.uniform() - 2 + 1.5 * signal;
    }
    table.members = {scorer("sure", sure, {5, 5, 5}), scorer("useful", useful, {5, 5, 5})};
  }
  std::vector<double> rows;
  for (std::size_t i = 0; i < 200; ++i) {
    const auto made = stack_features(items[i]);
    rows.insert(rows.end(), made->values.values.begin(), made->values.values.end());
  }
  const std::vector<std::size_t> choices(200, 3);
  const auto fit =
      fitting::fit_choice_stacker({rows, 8}, choices, std::span<const std::int32_t>(truth).first(200), 1);
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->converged);
  const auto options = stack_options(stack_features(items[0])->members, fit->weights);
  ASSERT_TRUE(options);
  const auto nll = [&](std::string_view strategy, const Value& given) {
    double sum = 0;
    for (std::size_t i = 200; i < 400; ++i) {
      const auto result = combine_predictions(strategy, items[i], given);
      for (const RankedAnswer& row : result->ranking) {
        if (row.candidate == static_cast<std::size_t>(truth[i])) sum -= std::log(row.probability) / 200;
      }
    }
    return sum;
  };
  const double stacked = nll("stack", *options), pooled = nll("logPool", {});
  EXPECT_LT(stacked, pooled - 0.2);
  // The strategy says what the fitted model says.
  const auto features = stack_features(items[300]);
  const auto log_p = fit->log_probabilities(features->values);
  const auto result = combine_predictions("stack", items[300], *options);
  for (const RankedAnswer& row : result->ranking) {
    EXPECT_NEAR(row.probability, std::exp(log_p[*row.candidate]), 1e-12);
  }
}

TEST(Stack, WithoutWeightsItIsTheLogPool) {
  PredictionTable table;
  table.candidates = {"x", "y"};
  table.members = {scorer("a", {-1, -2}, {1, 1}), scorer("b", {-3, -2.5}, {1, 1})};
  table.members[0].weight = 3;
  const auto stack = combine_predictions("stack", table, {}),
             pool = combine_predictions("logPool", table, {});
  ASSERT_TRUE(stack && pool);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_EQ(stack->ranking[c].answer, pool->ranking[c].answer);
    EXPECT_NEAR(stack->ranking[c].probability, pool->ranking[c].probability, 1e-12);
  }
}

TEST(Stack, NamesMembersOrSaysWhatIsWrong) {
  PredictionTable table;
  table.candidates = {"x", "y"};
  table.members = {scorer("a", {-1, -2}, {1, 1}), scorer("b", {-3, -2.5}, {1, 1})};
  const auto with = [&](const char* options) {
    return combine_predictions("stack", table, *parse_json(options), {true, 1});
  };
  const auto unknown = with(R"({"weights":{"c":{"logProb":1}}})");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().what.find("'c'"), std::string::npos);
  EXPECT_FALSE(with(R"({"weights":{"a":{"logprob":1}}})"));
  EXPECT_FALSE(with(R"({"weights":{"a":{"logProb":"1"}}})"));
  EXPECT_FALSE(with(R"({"weights":{"a":{}}})"));
  EXPECT_TRUE(with(R"({"weights":{"a":{"margin":1}}})"));
  // A member that failed is left out; when only it has weights there is nothing to go by.
  table.members[1].error = Error{ErrorKind::kTimeout, "late", {}, {}};
  EXPECT_TRUE(with(R"({"weights":{"a":{"logProb":1},"b":{"logProb":1}}})"));
  EXPECT_FALSE(with(R"({"weights":{"b":{"logProb":1}}})"));
  EXPECT_FALSE(stack_options(std::vector<std::string>{"a"}, std::vector<double>{1}));
  EXPECT_FALSE(stack_options(std::vector<std::string>{"a"}, std::vector<double>{1, 2, 3, NAN}));
}

}  // namespace
}  // namespace consort
