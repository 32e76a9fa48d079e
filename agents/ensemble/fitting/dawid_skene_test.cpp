// Expected numbers: the same EM written in numpy, run apart.
#include <gtest/gtest.h>

#include "agents/ensemble/fitting/dawid_skene.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/strategy.h"

namespace consort::fitting {
namespace {

const std::vector<std::vector<std::int32_t>> kAnswers = {{0, 0, 0}, {0, 0, 1},  {0, 1, 1}, {0, 0, 0},
                                                         {0, 1, 2}, {0, 1, -1}, {1, 0, 0}, {0, 0, 1}};

TEST(DawidSkene, FollowsTheEmStepByStep) {
  const auto three = fit_dawid_skene(kAnswers, {.max_iterations = 3});
  ASSERT_TRUE(three);
  EXPECT_NEAR(three->accuracy[0], 0.51145211, 1e-8);
  EXPECT_NEAR(three->accuracy[1], 0.87719991, 1e-8);
  EXPECT_NEAR(three->accuracy[2], 0.62007721, 1e-8);
  EXPECT_NEAR(three->posterior[4][1], 0.7272540456435457, 1e-12);
  EXPECT_FALSE(three->converged);
  const auto fit = fit_dawid_skene(kAnswers);
  EXPECT_TRUE(fit->converged);
  EXPECT_EQ(fit->iterations, 41);
  EXPECT_NEAR(fit->accuracy[0], 0.50188681, 1e-8);
  EXPECT_EQ(fit->accuracy[1], 0.98);  // clipped
  EXPECT_EQ(fit->answer, (std::vector<std::int32_t>{0, 0, 1, 0, 1, 1, 0, 0}));
  const auto fixed = fit_dawid_skene(kAnswers, {.answers = 20});
  EXPECT_NEAR(fixed->accuracy[0], 0.50487483, 1e-8);
  EXPECT_NEAR(fixed->posterior[2][1], 0.9991923439567066, 1e-12);
}

// Five members of known accuracy, five answers an item, 4,000 items: the labels are never shown.
TEST(DawidSkene, RecoversPlantedAccuraciesWithoutLabels) {
  const double planted[] = {0.9, 0.75, 0.6, 0.5, 0.35};
  SeededStream stream(5);
  std::vector<std::vector<std::int32_t>> answers;
  std::vector<std::int32_t> truth;
  for (int i = 0; i < 4000; ++i) {
    truth.push_back(static_cast<std::int32_t>(stream.below(5)));
    auto& item = answers.emplace_back();
    for (const double p : planted) {
      const auto other =
          static_cast<std::int32_t>((static_cast<std::size_t>(truth.back()) + 1 + stream.below(4)) % 5);
      item.push_back(stream.uniform() < p ? truth.back() : other);
    }
  }
  const auto fit = fit_dawid_skene(answers, {.answers = 5});
  ASSERT_TRUE(fit);
  int right = 0, best_member = 0;
  for (int m = 0; m < 5; ++m) EXPECT_NEAR(fit->accuracy[static_cast<std::size_t>(m)], planted[m], 0.03) << m;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    right += fit->answer[i] == truth[i] ? 1 : 0;
    best_member += answers[i][0] == truth[i] ? 1 : 0;
  }
  EXPECT_GT(right, best_member);
}

// With a fixed K the strategy weightedVote decides as the E step does.
TEST(DawidSkene, FeedsWeightedVote) {
  const auto fit = fit_dawid_skene(kAnswers, {.answers = 20});
  for (std::size_t i = 0; i < kAnswers.size(); ++i) {
    PredictionTable table;
    for (std::size_t m = 0; m < 3; ++m) {
      MemberPrediction& member = table.members.emplace_back();
      member.name = std::string(1, static_cast<char>('a' + m));
      member.answer = kAnswers[i][m] < 0 ? "none" : std::to_string(kAnswers[i][m]);
      member.validation = fit->accuracy[m];
    }
    const auto vote = combine_predictions(
        "weightedVote", table, *parse_json(R"({"answer":"number","weighting":"naiveBayes","answers":20})"));
    ASSERT_TRUE(vote);
    EXPECT_EQ(vote->ranking[0].canonical, std::to_string(fit->answer[i])) << i;
  }
}

TEST(DawidSkene, RefusesWhatHasNoAnswer) {
  using Answers = std::vector<std::vector<std::int32_t>>;
  EXPECT_FALSE(fit_dawid_skene(Answers{}));
  EXPECT_FALSE(fit_dawid_skene(Answers{{}}));
  EXPECT_FALSE(fit_dawid_skene(Answers{{0, 0}, {0}}));
  EXPECT_FALSE(fit_dawid_skene(Answers{{0, -2}}));
  EXPECT_FALSE(fit_dawid_skene(Answers{{0, 2000000000}}));
  EXPECT_FALSE(fit_dawid_skene(Answers{{0, -1}}));  // the second never answered
  EXPECT_FALSE(fit_dawid_skene(kAnswers, {.answers = 1.5}));
  const auto silent = fit_dawid_skene(Answers{{0, 0}, {-1, -1}});
  ASSERT_TRUE(silent);
  EXPECT_EQ(silent->answer[1], -1);
}

}  // namespace
}  // namespace consort::fitting
