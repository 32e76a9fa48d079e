// The sentences of research note A1 from the published answers themselves (agents/ensemble/golden/README.md):
// what votes, cascades, tests and intervals say about six models' answers to 1,319 questions. Votes by
// strategy are in agents/ensemble/published_answers_test.cpp; the vote here is its plurality with ties to the
// best member, as a plain function so that 300 splits of 31 subsets take no time.
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "agents/ensemble/canonical.h"
#include "agents/ensemble/fitting/cascade.h"
#include "agents/ensemble/fitting/dawid_skene.h"
#include "agents/ensemble/fitting/logistic.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/signals.h"
#include "agents/evaluation/measures/bootstrap.h"
#include "agents/evaluation/measures/diversity.h"
#include "agents/evaluation/measures/paired_tests.h"
#include "scheduler/value/value.h"

namespace consort::measures {
namespace {

using Marks = std::vector<std::uint8_t>;
using Members = std::vector<std::size_t>;
enum Member : std::size_t { k6bFt, k6bVer, k175bFt, k175bVer, kMixtral, kGpt4 };
const Members kTrio = {k175bFt, k175bVer, kMixtral}, kFour = {k6bFt, k6bVer, k175bFt, k175bVer},
              kFive = {k6bFt, k6bVer, k175bFt, k175bVer, kMixtral},
              kSix = {k6bFt, k6bVer, k175bFt, k175bVer, kMixtral, kGpt4};

struct Published {
  // [item][member] the number of the distinct answer within the item, -1 for none; the truth's number or -2.
  std::vector<std::vector<std::int32_t>> answers;
  std::vector<std::int32_t> truth;
  std::array<Marks, 6> marks;
  std::array<double, 6> accuracy{};
  std::size_t items() const { return truth.size(); }
};

Published read() {
  Published made;
  std::ifstream in(std::string(CONSORT_SOURCE_DIR) + "/agents/ensemble/golden/gsm8k_answers.jsonl");
  for (std::string line; std::getline(in, line);) {
    const Value row = *parse_json(line);
    std::map<std::string, std::int32_t> numbers;
    auto& item = made.answers.emplace_back();
    for (std::size_t m = 0; m < 6; ++m) {
      const CanonicalAnswer answer = canonical_number(row.as_array()[m + 1].as_string());
      item.push_back(
          answer.parsed
              ? numbers.emplace(answer.value, static_cast<std::int32_t>(numbers.size())).first->second
              : -1);
    }
    const auto truth = numbers.find(canonical_number(row.as_array()[0].as_string()).value);
    made.truth.push_back(truth == numbers.end() ? -2 : truth->second);
    for (std::size_t m = 0; m < 6; ++m) made.marks[m].push_back(item[m] == made.truth.back() ? 1 : 0);
  }
  for (std::size_t m = 0; m < 6; ++m) {
    made.accuracy[m] = static_cast<double>(std::count(made.marks[m].begin(), made.marks[m].end(), 1)) /
                       static_cast<double>(made.items());
  }
  return made;
}

const Published& published() {
  static const Published all = read();
  return all;
}

std::size_t right(const Marks& marks) {
  return static_cast<std::size_t>(std::count(marks.begin(), marks.end(), 1));
}

// Most weight; ties to the answer of the best member, or, with `first`, to the answer that came first (wrong,
// but shown: order decides).
std::int32_t vote(const std::vector<std::int32_t>& answers, const Members& members,
                  std::span<const double> weights, std::span<const double> accuracy, bool first = false) {
  double total[6] = {}, best[6] = {-1, -1, -1, -1, -1, -1};
  std::int32_t winner = -1;
  for (const std::size_t m : members) {
    if (answers[m] < 0) continue;
    const auto a = static_cast<std::size_t>(answers[m]);
    total[a] += weights[m];
    best[a] = std::max(best[a], accuracy[m]);
  }
  for (const std::size_t m : members) {
    if (answers[m] < 0) continue;
    const auto a = static_cast<std::size_t>(answers[m]), w = static_cast<std::size_t>(std::max(winner, 0));
    const bool tie = std::abs(total[a] - total[w]) < 1e-9;
    if (winner < 0 || (tie ? !first && best[a] > best[w] : total[a] > total[w])) winner = answers[m];
  }
  return winner;
}

Marks vote_marks(const Members& members, std::span<const double> weights, bool first = false) {
  const Published& all = published();
  Marks out;
  for (std::size_t i = 0; i < all.items(); ++i) {
    out.push_back(vote(all.answers[i], members, weights, all.accuracy, first) == all.truth[i] ? 1 : 0);
  }
  return out;
}

const std::vector<double> kEqual(6, 1.0);

std::vector<double> as_numbers(const Marks& marks) {
  return {marks.begin(), marks.end()};
}

// Counts of the source's own marks (is_correct) for the first four, of the last number for the other two.
TEST(PublishedAnswers, MembersAndOracles) {
  const std::size_t want[] = {286, 515, 458, 742, 843, 1172};
  ASSERT_EQ(published().items(), 1319u);
  for (std::size_t m = 0; m < 6; ++m) EXPECT_EQ(right(published().marks[m]), want[m]);
  const auto oracle = [](const Members& members) {
    std::vector<Marks> marks;
    for (const std::size_t m : members) marks.push_back(published().marks[m]);
    return 100 * *oracle_accuracy(marks);
  };
  EXPECT_NEAR(oracle(kFour), 67.2, 0.05);
  EXPECT_NEAR(oracle(kTrio), 79.9, 0.05);
  EXPECT_NEAR(oracle(kFive), 82.2, 0.05);
  EXPECT_NEAR(oracle(kSix), 95.5, 0.05);
}

// A vote with weights from accuracies (right + 1) / (items + 2) on the nine other tenths.
Marks cross_validated(const Members& members, double (*weight)(double accuracy)) {
  const Published& all = published();
  const std::vector<int> folds = *fitting::group_folds(all.items(), {}, 10, 1);
  Marks out(all.items());
  for (int fold = 0; fold < 10; ++fold) {
    std::vector<double> good(6, 1.0), weights, accuracy;
    double items = 2;
    for (std::size_t i = 0; i < all.items(); ++i) {
      if (folds[i] == fold) continue;
      items += 1;
      for (std::size_t m = 0; m < 6; ++m) good[m] += all.marks[m][i];
    }
    for (const double g : good) {
      accuracy.push_back(g / items);
      weights.push_back(weight(g / items));
    }
    for (std::size_t i = 0; i < all.items(); ++i) {
      if (folds[i] != fold) continue;
      out[i] = vote(all.answers[i], members, weights, accuracy) == all.truth[i] ? 1 : 0;
    }
  }
  return out;
}

// To the tenth the note prints, but for binary log-odds: they are near 0 for members near one half, so which
// folds there are decides some votes, and the note's folds are not known.
TEST(PublishedAnswers, VoteTable) {
  const auto percent = [](const Marks& marks) { return 100.0 * static_cast<double>(right(marks)) / 1319; };
  const auto by_accuracy = [](double p) { return p; };
  const auto binary = [](double p) { return std::log(p / (1 - p)); };
  const auto effective = [](double p) { return std::log(p * 19 / (1 - p)); };  // K = 20
  struct Row {
    const Members& members;
    double majority, accuracy, binary, effective;
  };
  const Row rows[] = {{kFour, 56.3, 56.5, 50.9, 56.3},
                      {kTrio, 67.5, 67.5, 60.8, 67.5},
                      {kFive, 66.0, 66.3, 54.7, 66.0},
                      {kSix, 84.1, 87.0, 86.1, 86.8}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.members.size());
    const double majority = percent(vote_marks(row.members, kEqual));
    const double weighted = percent(cross_validated(row.members, by_accuracy));
    const double log_odds = percent(cross_validated(row.members, binary));
    const double bayes = percent(cross_validated(row.members, effective));
    std::printf("%zu members: majority %.2f, by accuracy %.2f, binary log-odds %.2f, K = 20 %.2f\n",
                row.members.size(), majority, weighted, log_odds, bayes);
    EXPECT_NEAR(majority, row.majority, 0.06);
    EXPECT_NEAR(weighted, row.accuracy, 0.06);
    EXPECT_NEAR(log_odds, row.binary, 0.5);
    EXPECT_NEAR(bayes, row.effective, 0.06);
  }
  EXPECT_NEAR(percent(vote_marks(kFour, kEqual, true)), 44.3, 0.05);  // ties by order cost twelve points
}

TEST(PublishedAnswers, TrioAgainstItsBestMember) {
  const Marks trio = vote_marks(kTrio, kEqual);
  const auto test = exact_mcnemar(trio, published().marks[kMixtral]);
  ASSERT_TRUE(test);
  EXPECT_EQ(test->b, 70u);
  EXPECT_EQ(test->c, 23u);
  EXPECT_NEAR(test->p, 1.1e-6, 0.05e-6);
  const std::vector<double> a = as_numbers(trio), b = as_numbers(published().marks[kMixtral]);
  const auto interval = paired_bootstrap(a, b);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(100 * interval->estimate, 47 / 13.19, 1e-9);
  EXPECT_NEAR(100 * interval->low, 2.1, 0.1);
  EXPECT_NEAR(100 * interval->high, 5.0, 0.1);
  const auto corrected = paired_bootstrap(a, b, {}, {.kind = IntervalKind::kBca});
  EXPECT_NEAR(100 * corrected->low, 2.1, 0.1);
  EXPECT_NEAR(100 * corrected->high, 5.0, 0.1);
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  EXPECT_NEAR(sign_flip_test(differences)->p, 1.0 / 10001, 1e-12);  // far below what 10,000 draws resolve
}

TEST(PublishedAnswers, GoldenPairOfTheDiversitySet) {
  const auto counts = pair_counts(published().marks[k175bFt], published().marks[k175bVer]);
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->n11, 382u);
  EXPECT_EQ(counts->n10, 76u);
  EXPECT_EQ(counts->n01, 360u);
  EXPECT_EQ(counts->n00, 501u);
}

// Agreement as confidence: votes for the answer, and how often it is right.
TEST(PublishedAnswers, AgreementIsConfidence) {
  const Published& all = published();
  const Marks trio = vote_marks(kTrio, kEqual);
  std::size_t items[4] = {}, good[4] = {};
  for (std::size_t i = 0; i < all.items(); ++i) {
    const std::int32_t said[] = {all.answers[i][k175bFt], all.answers[i][k175bVer], all.answers[i][kMixtral]};
    const auto signals = fitting::vote_signals(said);
    const auto votes =
        static_cast<std::size_t>(std::lround(signals->agreement * static_cast<double>(signals->votes)));
    ++items[votes];
    good[votes] += trio[i];
  }
  EXPECT_EQ(items[3], 320u);
  EXPECT_EQ(items[2], 444u);
  EXPECT_EQ(items[1], 555u);
  EXPECT_NEAR(100.0 * static_cast<double>(good[3]) / 320, 97.5, 0.05);
  EXPECT_NEAR(100.0 * static_cast<double>(good[2]) / 444, 82.2, 0.05);
  EXPECT_NEAR(100.0 * static_cast<double>(good[1]) / 555, 38.4, 0.05);
}

TEST(PublishedAnswers, CascadesByAgreement) {
  const Published& all = published();
  const Marks trio = vote_marks(kTrio, kEqual);
  std::vector<double> confidence, cost(all.items(), 1.0), free(all.items(), 0.0);
  for (std::size_t i = 0; i < all.items(); ++i) {
    const std::int32_t said[] = {all.answers[i][k175bFt], all.answers[i][k175bVer], all.answers[i][kMixtral]};
    confidence.push_back(fitting::vote_signals(said)->agreement);
  }
  const std::vector<double> cheap = as_numbers(trio), strong = as_numbers(all.marks[kGpt4]);
  const fitting::CascadeItems items = {confidence, cheap, strong, free, cost};
  // Deferred unless unanimous; deferred when no two agree. Cost counts the strong calls.
  const auto unanimous = fitting::apply_cascade(items, 0.9), two = fitting::apply_cascade(items, 0.5);
  ASSERT_TRUE(unanimous && two);
  EXPECT_NEAR(100 * unanimous->quality, 89.2, 0.05);
  EXPECT_NEAR(100 * unanimous->cost, 75.7, 0.05);
  EXPECT_NEAR(100 * two->quality, 86.1, 0.05);
  EXPECT_NEAR(100 * two->cost, 42.1, 0.05);
  EXPECT_EQ(fitting::cascade_curve(items)->size(), 4u);
  std::size_t b = 0, c = 0;
  for (std::size_t i = 0; i < all.items(); ++i) {
    const bool kept = confidence[i] > 0.9, mine = kept ? trio[i] != 0 : all.marks[kGpt4][i] != 0;
    b += mine && all.marks[kGpt4][i] == 0 ? 1 : 0;
    c += !mine && all.marks[kGpt4][i] != 0 ? 1 : 0;
  }
  EXPECT_EQ(b, 10u);
  EXPECT_EQ(c, 6u);
  EXPECT_GT(exact_mcnemar(b, c).p, 0.4);  // a tie, not a win
}

// Subset and best single member chosen on a random half, scored on the other; 300 splits.
struct SplitHalf {
  double subset = 0, single = 0;  // mean percent on the other half
  double low = 0, high = 0;       // 2.5 and 97.5 % quantiles of the difference over splits
};

SplitHalf split_half(const Members& members) {
  const Published& all = published();
  std::vector<Members> subsets;
  for (std::size_t mask = 1; mask < std::size_t{1} << members.size(); ++mask) {
    Members& subset = subsets.emplace_back();
    for (std::size_t k = 0; k < members.size(); ++k) {
      if ((mask >> k & 1) != 0) subset.push_back(members[k]);
    }
  }
  SplitHalf made;
  std::vector<double> gains;
  constexpr int kSplits = 300;
  for (int split = 0; split < kSplits; ++split) {
    std::vector<std::size_t> order(all.items());
    std::iota(order.begin(), order.end(), std::size_t{0});
    fitting::SeededStream(1, static_cast<std::uint64_t>(split)).shuffle(order);
    const std::size_t half = order.size() / 2;
    std::array<double, 6> accuracy{};  // on the first half: ties go by what is known there
    for (std::size_t k = 0; k < half; ++k) {
      for (std::size_t m = 0; m < 6; ++m) accuracy[m] += all.marks[m][order[k]];
    }
    const auto score = [&](const Members& subset, std::size_t from, std::size_t to) {
      std::size_t good = 0;
      for (std::size_t k = from; k < to; ++k) {
        const std::size_t i = order[k];
        good += vote(all.answers[i], subset, kEqual, accuracy) == all.truth[i] ? 1 : 0;
      }
      return 100.0 * static_cast<double>(good) / static_cast<double>(to - from);
    };
    const auto best = [&](bool single) {
      const Members* chosen = nullptr;
      double most = -1;
      for (const Members& subset : subsets) {
        if (single && subset.size() > 1) continue;
        const double s = score(subset, 0, half);
        if (s > most) {
          most = s;
          chosen = &subset;
        }
      }
      return score(*chosen, half, order.size());
    };
    const double subset = best(false), single = best(true);
    made.subset += subset / kSplits;
    made.single += single / kSplits;
    gains.push_back(subset - single);
  }
  std::sort(gains.begin(), gains.end());
  made.low = gains[7];
  made.high = gains[292];
  return made;
}

TEST(PublishedAnswers, SelectionOnOneHalfHoldsOnTheOther) {
  const SplitHalf without = split_half(kFive), with = split_half(kSix);
  std::printf("five: subset %.2f, single %.2f, splits %+.1f to %+.1f; six: subset %.2f, single %.2f\n",
              without.subset, without.single, without.low, without.high, with.subset, with.single);
  EXPECT_NEAR(without.subset, 67.1, 0.3);
  EXPECT_NEAR(without.single, 63.8, 0.3);
  EXPECT_NEAR(without.low, 0.8, 0.7);
  EXPECT_NEAR(without.high, 5.0, 0.7);
  EXPECT_NEAR(with.subset, 88.6, 0.4);  // no gain with GPT-4 in the pool
  EXPECT_NEAR(with.single, 88.8, 0.3);
  EXPECT_LT(with.subset, with.single + 0.1);
}

// Accuracies from agreement alone, without labels. Four of the five members are of one family and share its
// errors, so the method takes their agreement for skill: it rates 175B verification above Mixtral, and its
// answers are worse than plurality and than Mixtral alone. This is why it is reported beside plurality, never
// instead.
TEST(PublishedAnswers, DawidSkeneIsMisledByAFamily) {
  const Published& all = published();
  std::vector<std::vector<std::int32_t>> answers;
  for (const auto& item : all.answers) answers.emplace_back(item.begin(), item.begin() + 5);
  const auto fit = fitting::fit_dawid_skene(answers, {.answers = 20});
  ASSERT_TRUE(fit);
  std::size_t good = 0;
  for (std::size_t i = 0; i < all.items(); ++i) good += fit->answer[i] == all.truth[i] ? 1 : 0;
  const double percent = 100.0 * static_cast<double>(good) / 1319;
  std::printf("Dawid-Skene: accuracies %.3f %.3f %.3f %.3f %.3f, right %.1f %%\n", fit->accuracy[0],
              fit->accuracy[1], fit->accuracy[2], fit->accuracy[3], fit->accuracy[4], percent);
  EXPECT_GT(fit->accuracy[k175bVer], all.accuracy[k175bVer] + 0.1);
  EXPECT_GT(fit->accuracy[k175bVer], fit->accuracy[kMixtral]);
  EXPECT_NEAR(percent, 60.7, 0.3);
  EXPECT_LT(good, right(vote_marks(kFive, kEqual)));
}

}  // namespace
}  // namespace consort::measures
