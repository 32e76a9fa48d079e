#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "agents/evaluation/analysis/hand_made.h"

namespace consort {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

double value(const EvaluationResults& r, const char* entry, const char* measure) {
  const TableEntry* e = r.find(entry);
  return e == nullptr ? -1 : e->measures[r.measure(measure)].value;
}

TEST(AnswerContest, VotesOverCanonicalAnswersAbstentionsAreWrong) {
  HandMade made(TaskKind::kAnswer);
  made.task.answer = AnswerKind::kNumber;
  for (std::size_t i = 0; i < 60; ++i) {
    TaskItem& item = made.item(i < 20 ? kFitSplit : kTestSplit);
    item.gold_text = std::to_string(i);
  }
  const auto says = [&](std::size_t every, std::size_t shift, bool abstains) {
    return [&, every, shift, abstains](PredictionRow& row, std::size_t i) {
      const bool wrong = (i + shift) % every == 0;
      if (wrong && abstains) {
        row.answer_raw = "I do not know.";
        row.reason = "noNumber";
        return;
      }
      row.answer = std::to_string(wrong ? 1000 + i + shift : i);
      row.answer_raw = "The answer is " + row.answer + ".";
      row.scores = {-2.0};
      row.bytes = {20};
    };
  };
  made.member("a", says(4, 0, true));
  made.member("b", says(4, 1, false));
  made.member("c", says(4, 2, false));
  made.member("a #1", says(4, 0, true), true);
  made.member("a #2", says(5, 0, false), true);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_DOUBLE_EQ(value(*r, "a", "accuracy"), 0.75);
  EXPECT_DOUBLE_EQ(value(*r, "a", "answered"), 0.75);
  EXPECT_DOUBLE_EQ(value(*r, "b", "answered"), 1);
  for (const char* strategy : {"vote", "weightedVote", "dawidSkene", "selectedVote"})
    EXPECT_DOUBLE_EQ(value(*r, strategy, "accuracy"), 1) << strategy;
  EXPECT_DOUBLE_EQ(value(*r, "oracle", "accuracy"), 1);
  EXPECT_EQ(r->chosen, "vote");
  EXPECT_GE(value(*r, "2 x a samples, vote", "accuracy"), 0.75);
  EXPECT_EQ(r->comparisons.size(), 8u);  // four strategies, two rivals
}

// Two members, one of which knows the first half of every text and the other the second.
void add_texts(HandMade& made, std::size_t texts, std::size_t bytes) {
  for (std::size_t i = 0; i < texts; ++i) made.item(i < texts / 2 ? kFitSplit : kTestSplit).text = "x";
  for (const char* name : {"first", "second"})
    made.member(name, [&](PredictionRow& row, std::size_t) {
      double sum = 0;
      for (std::size_t b = 0; b < bytes; ++b) {
        const bool knows = (b < bytes / 2) == (name[0] == 'f');
        row.byte_logprobs.push_back(static_cast<float>(knows ? std::log(0.5) : std::log(0.125)));
        sum += row.byte_logprobs.back();
      }
      row.scores = {sum};
      row.bytes = {static_cast<std::int64_t>(bytes), static_cast<std::int64_t>(bytes)};
    });
}

TEST(TextContest, CodeLengthsAreThoseOfTheFormulas) {
  HandMade made(TaskKind::kText);
  constexpr std::size_t kBytes = 64;
  add_texts(made, 24, kBytes);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_NEAR(value(*r, "first", "bitsPerByte"), 2, 1e-6);  // half of the bytes cost 1 bit, half 3
  EXPECT_NEAR(value(*r, "linearPool", "bitsPerByte"), -std::log2((0.5 + 0.125) / 2), 1e-6);
  // Both members give the text the same probability: the mixture over whole texts is each of them.
  EXPECT_NEAR(value(*r, "bayes", "bitsPerByte"), 2, 1e-6);
  EXPECT_LT(value(*r, "fixedShare", "bitsPerByte"), 1.3);  // it follows the one that knows
  EXPECT_NEAR(value(*r, "linearPool fitted", "bitsPerByte"), value(*r, "linearPool", "bitsPerByte"), 1e-6);
  EXPECT_EQ(r->chosen, "fixedShare");
  EXPECT_THAT(r->notes, Contains(HasSubstr("keeps its bound (best member + log2 2 bits) on 12 of 12")));
}

TEST(TextContest, BytesThatNobodyScoresCostEightBits) {
  HandMade made(TaskKind::kText);
  add_texts(made, 8, 16);
  for (auto& rows : made.rows)
    for (PredictionRow& row : rows) row.byte_logprobs[0] = std::nanf("");
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_NEAR(value(*r, "first", "bitsPerByte"), (8.0 + 7 + 24) / 16, 1e-6);
}

TEST(TextContest, WithoutBytesOnlyWholeTextsAreMixed) {
  HandMade made(TaskKind::kText);
  add_texts(made, 8, 16);
  for (PredictionRow& row : made.rows[1]) row.byte_logprobs.clear();
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_NE(r->find("bayes"), nullptr);
  EXPECT_EQ(r->find("linearPool"), nullptr);
  EXPECT_NEAR(value(*r, "first", "bitsPerByte"), 2, 1e-6);
  made.task.prompts = {"{text}", "A text:\n{text}"};
  EXPECT_EQ(plan_control(made.request, 16).copies, 2);  // of the first member, which gives bytes
  for (PredictionRow& row : made.rows[0]) row.byte_logprobs.clear();
  EXPECT_THAT(plan_control(made.request, 16).why, HasSubstr("whole texts only"));
}

TEST(TextContest, TheControlIsTheBestMemberBehindLeadIns) {
  HandMade made(TaskKind::kText);
  add_texts(made, 24, 64);
  made.task.prompts = {"{text}"};
  EXPECT_EQ(plan_control(made.request, 16).why, "the task has one wording; give 'prompts' in its header");
  made.task.prompts = {"{text}", "A text:\n{text}", "Again:\n{text}"};
  const ControlPlan plan = plan_control(made.request, 16);
  EXPECT_EQ(plan.member, "first");  // as good as the other
  EXPECT_EQ(plan.copies, 2);
  for (const char* name : {"first #1", "first #2"})  // behind a lead-in it knows what it did not
    made.member(
        name,
        [&](PredictionRow& row, std::size_t) {
          for (std::size_t b = 0; b < 64; ++b)
            row.byte_logprobs.push_back(std::log((b < 32) == (name[7] == '1') ? 0.5f : 0.125f));
          row.scores = {-1};
          row.bytes = {64, 64};
        },
        true);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  const TableEntry* control = r->find("2 x first wordings, linearPool");
  ASSERT_NE(control, nullptr);
  EXPECT_EQ(control->role, Role::kControl);
  EXPECT_DOUBLE_EQ(control->flop, 200);
  EXPECT_NEAR(value(*r, "2 x first wordings, linearPool", "bitsPerByte"), -std::log2((0.5 + 0.125) / 2),
              1e-6);
  EXPECT_NEAR(value(*r, "2 x first wordings, bayes", "bitsPerByte"), 2, 1e-6);
  // The control that is best on the fit split is the rival: it follows what knows, as the ensemble does.
  std::size_t against = 0;
  for (const Comparison& c : r->comparisons)
    if (c.role == "same compute") {
      ++against;
      EXPECT_EQ(c.against, "2 x first wordings, fixedShare");
      if (c.entry == "fixedShare") {
        EXPECT_NEAR(c.difference.value, 0, 1e-9);
      }
    }
  EXPECT_EQ(against, 4u);
}

// Both members' tokens are two bytes long. At each token one of them knows what comes, and its entropy says
// so.
void add_tokens(HandMade& made, std::size_t texts, std::size_t tokens, bool doubt) {
  for (std::size_t i = 0; i < texts; ++i) made.item(i < texts / 2 ? kFitSplit : kTestSplit).text = "x";
  for (const char* name : {"first", "second"})
    made.member(name, [&](PredictionRow& row, std::size_t i) {
      double sum = 0;
      for (std::size_t t = 0; t < tokens; ++t) {
        const bool knows = ((i * 7919 + t * 104729) / 8 % 3 == 1) == (name[0] == 'f');
        TextTokens& said = row.text_tokens;
        said.ends.push_back(static_cast<std::int64_t>(2 * t + 2));
        said.logprobs.push_back(knows ? std::log(0.5) : std::log(0.02));
        sum += said.logprobs.back();
        if (!doubt) continue;
        said.entropies.push_back(knows ? 0.7f : 4.0f);
        said.firsts.push_back(0.5f);
        said.seconds.push_back(0.1f);
        said.guesses.push_back(-1);
      }
      row.scores = {sum};
      row.bytes.assign(2, static_cast<std::int64_t>(2 * tokens));
    });
}

TEST(TextContest, AGateFollowsTheMemberThatIsSureOfItsToken) {
  HandMade made(TaskKind::kText);
  add_tokens(made, 24, 60, true);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(r->find("linearPool"), nullptr);  // over pieces between tokens it would be no code
  const double gated = value(*r, "gated", "bitsPerByte");
  EXPECT_LT(gated, value(*r, "fixedShare fitted", "bitsPerByte") - 0.2);
  EXPECT_GT(gated, 0.5);  // to know costs a bit a token, half a bit a byte
  EXPECT_LT(gated, 0.6) << write_json(r->find("gated")->parameters);
  EXPECT_EQ(r->chosen, "gated");
  const Value& parameters = r->find("gated")->parameters;
  EXPECT_THAT(parameters.get("features").as_string(), HasSubstr("doubt"));
  const Value weights = parameters.get("weights");
  EXPECT_NEAR(weights.get("first").as_number() + weights.get("second").as_number(), 1, 1e-9);
  EXPECT_LE(value(*r, "fixedShare fitted", "bitsPerByte"), value(*r, "fixedShare", "bitsPerByte") + 1e-9);
}

TEST(TextContest, WithoutDoubtOfEveryRowThereIsNoGate) {
  for (const bool doubt : {false, true}) {
    HandMade made(TaskKind::kText);
    add_tokens(made, 24, 20, doubt);
    if (doubt) {
      TextTokens& one = made.rows[1][20].text_tokens;
      for (auto* list : {&one.entropies, &one.firsts, &one.seconds}) list->clear();
      one.guesses.clear();
    }
    const auto r = made.results();
    ASSERT_TRUE(r) << r.error().line();
    EXPECT_EQ(r->find("gated"), nullptr);
    EXPECT_NE(r->find("fixedShare fitted"), nullptr);
    EXPECT_THAT(r->notes, Contains(HasSubstr("no gate: it looks at what every member expected")));
  }
}

TEST(TextContest, TokensThatDoNotFitTheTextAreNamed) {
  HandMade made(TaskKind::kText);
  add_tokens(made, 24, 20, true);
  const auto error = [&] {
    const auto r = made.results();
    return r ? std::string("accepted") : r.error().line();
  };
  made.rows[1][20].text_tokens.ends.back() += 1;
  EXPECT_THAT(error(), HasSubstr("different lengths"));
  made.rows[1][20].text_tokens.ends.back() -= 1;
  made.rows[1][20].text_tokens.ends[3] = 1000;
  EXPECT_THAT(error(), HasSubstr("second, item item-21"));
}

TEST(PairContest, MarksAndNumbers) {
  for (const bool marks : {true, false}) {
    HandMade made(TaskKind::kPairs);
    for (std::size_t i = 0; i < 80; ++i) {
      TaskItem& item = made.item(i % 2 == 0 ? kFitSplit : kTestSplit);
      item.gold_number = marks ? (i / 2) % 2 : static_cast<double>((i / 2) % 5);
    }
    // Each adds its own noise to the truth; their mean has less.
    for (const std::size_t seed : {7u, 11u})
      made.member(seed == 7 ? "a" : "b", [&](PredictionRow& row, std::size_t i) {
        const double noise = static_cast<double>((i * seed * 13 + 5 * seed) % 17) / 17 - 0.5;
        row.scores = {made.task.items[i].gold_number + (marks ? 2.4 : 6.0) * noise};
      });
    const auto r = made.results();
    ASSERT_TRUE(r) << r.error().line();
    const char* measure = marks ? "auroc" : "spearman";
    EXPECT_EQ(r->measures.front().name, measure);
    EXPECT_GT(value(*r, "zScoreMean", measure), value(*r, "a", measure));
    EXPECT_GT(value(*r, "zScoreMean", measure), value(*r, "b", measure));
    EXPECT_GE(value(*r, "oracle", measure), value(*r, "weighted", measure));
    EXPECT_EQ(r->comparisons.size(), marks ? 6u : 4u);
    EXPECT_EQ(r->comparisons.front().test, "bootstrap");
  }
}

TEST(PairContest, TheControlIsTheBestMemberInOtherWords) {
  HandMade made(TaskKind::kPairs);
  for (std::size_t i = 0; i < 80; ++i)
    made.item(i % 2 == 0 ? kFitSplit : kTestSplit).gold_number = static_cast<double>((i / 2) % 2);
  const auto noisy = [&made](std::size_t seed, double much) {
    return [&made, seed, much](PredictionRow& row, std::size_t i) {
      row.scores = {made.task.items[i].gold_number +
                    much * (static_cast<double>((i * seed + 5) % 17) / 17 - 0.5)};
    };
  };
  made.member("a", noisy(7, 2.4));
  made.member("b", noisy(11, 4));
  made.task.prompts = {"{text}", "once more: {text}", "again: {text}"};
  const ControlPlan plan = plan_control(made.request, 16);
  EXPECT_EQ(plan.member, "a");
  EXPECT_EQ(plan.copies, 2);  // two members cost as much as one twice
  made.member("a #1", noisy(7, 2.4), true);
  made.member("a #2", noisy(13, 2.4), true);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  const TableEntry* control = r->find("2 x a wordings");
  ASSERT_NE(control, nullptr);
  EXPECT_EQ(control->role, Role::kControl);
  EXPECT_DOUBLE_EQ(control->flop, 200);
  EXPECT_GT(value(*r, "2 x a wordings", "auroc"), value(*r, "a", "auroc"));
  EXPECT_EQ(r->comparisons.size(), 12u);  // both strategies against the best member and the control
}

TEST(RetrievalContest, TheControlIsTheBestMemberInOtherWords) {
  HandMade made(TaskKind::kRetrieval);
  for (const char* name : {"d1", "d2", "d3"}) made.task.documents.push_back({name, "text"});
  for (std::size_t i = 0; i < 40; ++i) made.item(i < 20 ? kFitSplit : kTestSplit).relevant["d2"] = 1;
  made.member("a", [](PredictionRow& row, std::size_t) { row.scores = {0.9, 0.8, 0.1}; });
  made.member("b", [](PredictionRow& row, std::size_t) { row.scores = {0.9, 0.1, 0.8}; });
  EXPECT_EQ(plan_control(made.request, 16).why, "the task has one wording; give 'prompts' in its header");
  made.task.prompts = {"{text}", "once more: {text}"};
  const ControlPlan plan = plan_control(made.request, 16);
  EXPECT_EQ(plan.member, "a");
  EXPECT_EQ(plan.copies, 2);
  made.member(
      "a #1",
      [](PredictionRow& row, std::size_t) {
        row.scores = {0.9, 0.8, 0.1};
      },
      true);
  made.member(
      "a #2",
      [](PredictionRow& row, std::size_t) {
        row.scores = {0.1, 0.9, 0.1};
      },
      true);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_DOUBLE_EQ(value(*r, "a", "recall1"), 0);
  EXPECT_DOUBLE_EQ(value(*r, "2 x a wordings", "recall1"), 1);
  EXPECT_DOUBLE_EQ(r->find("2 x a wordings")->flop, 200);
}

TEST(RetrievalContest, FusedRankingsByHand) {
  HandMade made(TaskKind::kRetrieval);
  for (const char* name : {"d1", "d2", "d3", "d4"}) made.task.documents.push_back({name, "text"});
  for (std::size_t i = 0; i < 40; ++i) {
    TaskItem& query = made.item(i < 20 ? kFitSplit : kTestSplit);
    query.relevant["d2"] = 1;
  }
  made.task.items[39].relevant.clear();  // nothing to find: left out
  // a: d1 d2 d3 d4; b: d3 d2 d4 d1. d2 is second in both.
  made.member("a", [](PredictionRow& row, std::size_t) { row.scores = {0.9, 0.8, 0.3, 0.2}; });
  made.member("b", [](PredictionRow& row, std::size_t) { row.scores = {0.1, 0.6, 0.7, 0.2}; });
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(r->items_test, 19u);
  EXPECT_THAT(r->notes, Contains(HasSubstr("1 queries without a relevant document")));
  EXPECT_NEAR(value(*r, "a", "ndcg10"), 1 / std::log2(3), 1e-12);
  EXPECT_DOUBLE_EQ(value(*r, "a", "mrr"), 0.5);
  EXPECT_DOUBLE_EQ(value(*r, "reciprocalRank", "recall1"), 0);  // 1/61 + 1/63 > 2/62: d3 stays first
  EXPECT_DOUBLE_EQ(value(*r, "concatenate", "recall1"), 1);     // 1.4 against 1.0, 1.0, 0.4
  EXPECT_DOUBLE_EQ(value(*r, "zScoreMean", "recall1"), 1);
  EXPECT_DOUBLE_EQ(value(*r, "oracle", "recall1"), 0);
  EXPECT_EQ(r->find("concatenate")->role, Role::kStrategy);
}

}  // namespace
}  // namespace consort
