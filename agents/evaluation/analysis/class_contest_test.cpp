#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include <cmath>

#include "agents/ensemble/strategy.h"
#include "agents/evaluation/analysis/hand_made.h"

namespace consort {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const Comparison* comparison(const EvaluationResults& r, const char* entry, const char* role,
                             const char* measure) {
  for (const Comparison& c : r.comparisons)
    if (c.entry == entry && c.role == role && c.measure == measure) return &c;
  return nullptr;
}

double value(const EvaluationResults& r, const char* entry, const char* measure) {
  const TableEntry* e = r.find(entry);
  return e == nullptr ? -1 : e->measures[r.measure(measure)].value;
}

// Three members, each wrong on every fifth item, on different ones: a majority is always right.
void three_that_err_apart(HandMade& made) {
  add_choice_items(made, 60, 90);
  add_choice_member(made, "a", 5, 0, 0.6);
  add_choice_member(made, "b", 5, 1, 0.6);
  add_choice_member(made, "c", 5, 2, 0.6);
}

TEST(ClassContest, MembersThatErrApartAreBeatenByTheirVote) {
  HandMade made(TaskKind::kChoices);
  three_that_err_apart(made);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_NEAR(value(*r, "a", "accuracy"), 0.8, 1e-12);
  for (const char* strategy : {"vote", "weightedVote", "dawidSkene", "linearPool", "logPool",
                               "linearPool fitted", "logPool fitted", "stacking"})
    EXPECT_EQ(value(*r, strategy, "accuracy"), 1) << strategy;
  const Comparison* c = comparison(*r, "vote", "best member", "accuracy");
  ASSERT_NE(c, nullptr);
  // 18 of 90 items are right in the vote only, none in the member only: p = 2 / 2^18, exactly.
  EXPECT_EQ(c->only_entry, 18u);
  EXPECT_EQ(c->only_against, 0u);
  EXPECT_EQ(c->test, "exact McNemar");
  EXPECT_DOUBLE_EQ(c->p, std::ldexp(1.0, -17));
  EXPECT_GE(c->p_holm, c->p);
  EXPECT_EQ(c->verdict, "better");
  EXPECT_THAT(c->sentence,
              HasSubstr("vote: better than a calibrated (best member) in accuracy: 100.0 % against 80.0 %, "
                        "+20.0 points"));
  EXPECT_THAT(c->sentence, HasSubstr("n = 90"));
  EXPECT_EQ(r->tried, 3u + 13u + 1u);  // calibrated members; vote .. boundedCascade with rank and greedyPool
  EXPECT_EQ(r->members, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(ClassContest, ThePoolsAreThoseThatWorkflowsName) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 20, 30);
  add_choice_member(made, "a", 4, 0, 0.7);
  add_choice_member(made, "b", 3, 1, 0.5);
  const auto contest = made.contest();
  ASSERT_TRUE(contest) << contest.error().line();
  for (const char* name : {"linearPool", "logPool"}) {
    const Contestant* pool = contest->find(name);
    ASSERT_NE(pool, nullptr);
    for (std::size_t i = 0; i < contest->size(); ++i) {
      PredictionTable table;
      table.candidates = {"red", "green", "blue"};
      for (const MemberTable& m : made.request.members) {
        MemberPrediction p;
        p.name = m.name;
        for (const double s : m.rows[20 + i]->scores) p.scores.push_back({s, 4, 1});
        table.members.push_back(std::move(p));
      }
      const auto combined = combine_predictions(name, table, Value::object({}));
      ASSERT_TRUE(combined) << combined.error().line();
      for (const RankedAnswer& answer : combined->ranking)
        EXPECT_NEAR(answer.score, pool->log_p[i][*answer.candidate], 1e-12);
    }
  }
}

TEST(ClassContest, ATemperatureMendsWhatWasSharpened) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 100, 100);
  // Right with probability 0.8 by its own account of 0.8, told three times as sharply.
  made.member("sharp", [&](PredictionRow& row, std::size_t i) {
    const std::size_t gold = made.task.items[i].gold;
    row.scores.assign(3, 3 * std::log(0.1));
    row.scores[i % 10 < 8 ? gold : (gold + 1 + i % 2) % 3] = 3 * std::log(0.8);
  });
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_NEAR(r->find("sharp calibrated")->parameters.get("temperature").as_number(), 3, 1e-3);
  EXPECT_LT(value(*r, "sharp calibrated", "nll"), value(*r, "sharp", "nll"));
  EXPECT_EQ(value(*r, "sharp calibrated", "accuracy"), value(*r, "sharp", "accuracy"));
  EXPECT_THAT(r->notes, Contains(HasSubstr("one member")));
  EXPECT_TRUE(r->comparisons.empty());
}

TEST(ClassContest, NothingIsChosenOrFittedOnTheTestSplit) {
  HandMade made(TaskKind::kChoices), other(TaskKind::kChoices);
  for (HandMade* m : {&made, &other}) {
    add_choice_items(*m, 60, 60);
    add_choice_member(*m, "a", 5, 0, 0.7);  // the better one of the fit split
    add_choice_member(*m, "b", 3, 1, 0.7);
  }
  for (std::size_t i = 60; i < 120; ++i) other.task.items[i].gold = (other.task.items[i].gold + 1) % 3;
  const auto x = made.results(), y = other.results();
  ASSERT_TRUE(x && y);
  EXPECT_EQ(x->chosen, y->chosen);
  for (const TableEntry& e : x->entries) {
    EXPECT_EQ(e.parameters, y->find(e.name)->parameters) << e.name;
    EXPECT_EQ(e.best_for, y->find(e.name)->best_for) << e.name;
    if (e.role != Role::kOracle) {
      EXPECT_EQ(e.fit_score, y->find(e.name)->fit_score) << e.name;
    }
  }
  EXPECT_THAT(x->find("a calibrated")->best_for, Contains("accuracy"));
  EXPECT_NE(value(*x, "vote", "accuracy"), value(*y, "vote", "accuracy"));
}

TEST(ClassContest, OptionsMayBeOfDifferentNumbers) {
  HandMade made(TaskKind::kChoices);
  for (std::size_t i = 0; i < 60; ++i) {
    TaskItem& item = made.item(i < 30 ? kFitSplit : kTestSplit);
    item.options.assign(2 + i % 3, "x");
    for (std::size_t c = 0; c < item.options.size(); ++c) item.options[c] += std::to_string(c);
    item.gold = i % 2;
  }
  for (const char* name : {"a", "b"})
    made.member(name, [&](PredictionRow& row, std::size_t i) {
      for (std::size_t c = 0; c < made.task.items[i].options.size(); ++c) {
        row.scores.push_back(-400.0 - static_cast<double>((7 * c + i * (name[0] == 'a' ? 3 : 5)) % 11));
        row.bytes.push_back(30);
      }
    });
  const auto contest = made.contest();
  ASSERT_TRUE(contest) << contest.error().line();
  for (const Contestant& c : contest->contestants)
    for (std::size_t i = 0; i < c.log_p.size(); ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < c.log_p[i].size(); ++k) {
        if (k >= made.task.items[30 + i].options.size()) {
          EXPECT_EQ(std::exp(c.log_p[i][k]), 0) << c.entry.name;
        }
        sum += std::exp(c.log_p[i][k]);
      }
      EXPECT_NEAR(sum, 1, 1e-9) << c.entry.name;
    }
}

TEST(ClassContest, TheControlOfTheSameComputeIsARivalOfItsOwn) {
  HandMade made(TaskKind::kChoices);
  three_that_err_apart(made);
  const ControlPlan none = [&] {
    EXPECT_TRUE(prepare(made.request));
    return plan_control(made.request, 16);
  }();
  EXPECT_EQ(none.copies, 0);
  EXPECT_THAT(none.why, HasSubstr("one wording"));
  made.task.prompts = {"{question}", "Q: {question}", "So: {question}", "Well: {question}"};
  const ControlPlan plan = plan_control(made.request, 16);
  EXPECT_EQ(plan.member, "a");  // all are equally good on the fit split: the first
  EXPECT_EQ(plan.copies, 3);    // three members of one price
  add_choice_member(made, "a #1", 5, 0, 0.6, true);
  add_choice_member(made, "a #2", 6, 0, 0.6, true);
  add_choice_member(made, "a #3", 7, 0, 0.6, true);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  const Comparison* c = comparison(*r, "vote", "same compute", "accuracy");
  ASSERT_NE(c, nullptr);
  EXPECT_THAT(c->against, HasSubstr("3 x a wordings"));
  EXPECT_EQ(r->find(c->against)->role, Role::kControl);
  EXPECT_EQ(r->find(c->against)->flop, 300);
}

TEST(ClassContest, GroupsOfItemsAreTheUnitOfTests) {
  HandMade made(TaskKind::kChoices);
  three_that_err_apart(made);
  for (std::size_t i = 0; i < made.task.items.size(); ++i)
    made.task.items[i].group = "g" + std::to_string(i / 5);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(r->clusters, 18u);
  const Comparison* c = comparison(*r, "vote", "best member", "accuracy");
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->test, "permutation of groups");
  EXPECT_EQ(c->clusters, 18u);
}

TEST(ClassContest, TheOracleIsABoundAndNoRival) {
  HandMade made(TaskKind::kChoices);
  three_that_err_apart(made);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  for (const char* measure : {"accuracy", "nll", "brier"})
    for (const std::string& m : r->members) {
      const bool higher = r->measures[r->measure(measure)].higher_is_better;
      const double gain = value(*r, "oracle", measure) - value(*r, (m + " calibrated").c_str(), measure);
      EXPECT_GE(higher ? gain : -gain, 0) << measure;
    }
  for (const Comparison& c : r->comparisons) {
    EXPECT_NE(c.entry, "oracle");
    EXPECT_NE(c.against, "oracle");
  }
}

TEST(ClassContest, WhatMembersAreWorthAddsUpToThePool) {
  HandMade made(TaskKind::kChoices);
  three_that_err_apart(made);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  ASSERT_EQ(r->worth.size(), 3u);
  double sum = 0;
  for (const MemberWorth& w : r->worth) sum += w.shapley;
  EXPECT_NEAR(sum, 1 - 1.0 / 3, 1e-12);  // the pool of all is always right; knowing nothing, one in three
  ASSERT_EQ(r->diversity.size(), 3u);
  EXPECT_NEAR(r->diversity.front().disagreement, 0.4, 1e-12);  // each wrong on a fifth, never together
}

const PredictionSets* sets_of(const EvaluationResults& r, const char* contestant, const char* score) {
  for (const PredictionSets& s : r.sets)
    if (s.contestant == contestant && s.score == score) return &s;
  return nullptr;
}

TEST(ClassContest, PredictionSetsCoverTheTruthAndShrinkWithBetterProbabilities) {
  HandMade made(TaskKind::kChoices);
  three_that_err_apart(made);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  for (const char* score : {"LAC", "APS", "RAPS"}) {
    const PredictionSets *one = sets_of(*r, "a calibrated", score), *pool = sets_of(*r, "linearPool", score);
    ASSERT_TRUE(one != nullptr && pool != nullptr) << score;
    EXPECT_GE(one->coverage, one->band_low) << score;
    EXPECT_GE(pool->coverage, pool->band_low) << score;
    EXPECT_LT(pool->mean_size, one->mean_size) << score;
  }
  // One item in five misleads `a`, and then two classes look alike: its sets must hold everything. The pool's
  // truth is always the likeliest class.
  EXPECT_NEAR(sets_of(*r, "a calibrated", "LAC")->mean_size, 3, 1e-12);
  EXPECT_NEAR(sets_of(*r, "linearPool", "LAC")->single, 1, 1e-12);
  EXPECT_EQ(sets_of(*r, "vote", "LAC"), nullptr);  // it gives no probabilities
  const PredictionSets& some = r->sets.front();
  EXPECT_GT(some.calibration_items, 20u);
  EXPECT_LT(some.calibration_items, 60u);
  const Value written = to_value(*r).get("prediction_sets");
  ASSERT_EQ(written.size(), r->sets.size());
  EXPECT_EQ(written.as_array().front().get("contestant").as_string(), some.contestant);
  EXPECT_THAT(results_text(*r), HasSubstr("prediction sets (APS) for 90 % coverage"));
}

TEST(ClassContest, TooFewItemsForSetsAreSaid) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 12, 30);
  add_choice_member(made, "a", 4, 0, 0.7);
  add_choice_member(made, "b", 3, 1, 0.5);
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_TRUE(r->sets.empty());
  EXPECT_THAT(r->notes, Contains(HasSubstr("no prediction sets")));
}

// A dear member that is always right, and a cheap one that is wrong on every third item; how sure it says it
// is there and elsewhere.
void add_dear_and_cheap(HandMade& made, double sure_wrong, double sure_right) {
  made.member("dear", [&](PredictionRow& row, std::size_t i) {
    row.flop = 1000;
    row.scores.assign(3, std::log(0.02));
    row.scores[made.task.items[i].gold] = std::log(0.96);
  });
  made.member("cheap", [&](PredictionRow& row, std::size_t i) {
    row.flop = 10;
    const bool wrong = i % 3 == 0;
    const double sure = wrong ? sure_wrong : sure_right;
    row.scores.assign(3, std::log((1 - sure) / 2));
    row.scores[(made.task.items[i].gold + (wrong ? 1 : 0)) % 3] = std::log(sure);
  });
}

TEST(ClassContest, ACascadeAsksTheDearMemberOnlyWhereTheCheapOneDoubts) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 60, 90);
  add_dear_and_cheap(made, 0.4, 0.9);
  made.request.combine = {"cascade", "linearPool fitted"};
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_NEAR(value(*r, "cheap", "accuracy"), 2.0 / 3, 1e-12);
  EXPECT_EQ(value(*r, "cascade", "accuracy"), 1);
  const TableEntry* entry = r->find("cascade");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->parameters.get("first").as_string(), "cheap");
  EXPECT_NEAR(entry->parameters.get("deferred").as_number(), 1.0 / 3, 1e-12);
  EXPECT_NEAR(entry->flop, 10 + 1000.0 / 3, 1e-9);
  EXPECT_NEAR(r->find("linearPool fitted")->flop, 1010, 1e-9);
}

TEST(ClassContest, ALearnedCascadeAsksWhereTheOthersAreBetter) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 60, 60);
  // The cheap member is wrong where it is sure: a threshold on confidence cannot help, its doubt as a whole
  // can.
  add_dear_and_cheap(made, 0.55, 0.45);
  made.request.combine = {"cascade", "learnedCascade", "boundedCascade"};
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(value(*r, "cascade", "accuracy"), 1);
  EXPECT_NEAR(r->find("cascade")->flop, 1010, 1e-9);  // only by asking always
  EXPECT_EQ(value(*r, "learnedCascade", "accuracy"), 1);
  EXPECT_NEAR(r->find("learnedCascade")->flop, 10 + 1000.0 / 3, 1e-9);
  EXPECT_EQ(value(*r, "boundedCascade", "accuracy"), 1);
  EXPECT_NEAR(r->find("boundedCascade")->flop, 1010, 1e-9);  // any threshold would keep the wrong ones first
}

TEST(ClassContest, AnAgreementCascadeAsksWhereTheCheapOnesDiffer) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 60, 60);
  add_dear_and_cheap(made, 0.7, 0.7);  // the cheap one is wrong on every third item
  made.member("middling", [&](PredictionRow& row, std::size_t i) {  // on every fourth, in another way
    row.flop = 30;
    row.scores.assign(3, std::log(0.15));
    row.scores[(made.task.items[i].gold + (i % 4 == 0 ? 2 : 0)) % 3] = std::log(0.7);
  });
  made.request.combine = {"agreementCascade"};
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(value(*r, "agreementCascade", "accuracy"), 1);
  const TableEntry* entry = r->find("agreementCascade");
  EXPECT_EQ(write_json(entry->parameters.get("first")), R"(["cheap","middling"])");
  // They differ where exactly one or both are wrong: multiples of three or of four, half of all items.
  EXPECT_NEAR(entry->parameters.get("deferred").as_number(), 0.5, 1e-12);
  EXPECT_NEAR(entry->flop, 10 + 30 + 0.5 * 1000, 1e-9);
}

TEST(ClassContest, ALearnedCascadeMayReadTheItemsEmbedding) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 90, 60);
  // The cheap member is as sure where it is wrong: only where the item lies tells.
  add_dear_and_cheap(made, 0.6, 0.6);
  made.request.combine = {"learnedCascade"};
  ASSERT_TRUE(prepare(made.request));
  const auto blind = made.results();
  ASSERT_TRUE(blind) << blind.error().line();
  EXPECT_EQ(blind->find("learnedCascade")->parameters.get("features").as_string(), "doubt");
  EXPECT_NEAR(blind->find("learnedCascade")->flop, 1010, 1e-9);
  for (MemberTable& m : made.request.members)
    for (std::size_t i = 0; i < made.task.items.size(); ++i) {
      const float side = i % 3 == 0 ? 1.0F : -1.0F, noise = static_cast<float>((i * 7919) % 100) / 100;
      m.vectors.push_back({0.3F * noise, side, 0.5F});
    }
  const auto seeing = made.results();
  ASSERT_TRUE(seeing) << seeing.error().line();
  EXPECT_EQ(seeing->find("learnedCascade")->parameters.get("features").as_string(), "doubt and embedding");
  EXPECT_EQ(value(*seeing, "learnedCascade", "accuracy"), 1);
  EXPECT_NEAR(seeing->find("learnedCascade")->flop, 10 + 1000.0 / 3, 1e-9);
}

TEST(ClassContest, ABoundedCascadeLosesAtMostItsShare) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 400, 400);
  const auto noise = [](std::size_t i) { return static_cast<double>((i * 7919) % 1000) / 1000; };
  made.member("dear", [&](PredictionRow& row, std::size_t i) {
    row.flop = 1000;
    row.scores.assign(3, std::log(0.05));
    row.scores[made.task.items[i].gold] = std::log(0.9);
  });
  made.member("cheap", [&](PredictionRow& row, std::size_t i) {  // right as often as it says
    row.flop = 10;
    const double sure = 0.4 + 0.6 * noise(i);
    row.scores.assign(3, std::log((1 - sure) / 2 + 1e-3));
    const bool right = noise(3 * i + 1) < sure;
    row.scores[(made.task.items[i].gold + (right ? 0 : 1)) % 3] = std::log(sure);
  });
  made.request.combine = {"boundedCascade"};
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  const TableEntry* entry = r->find("boundedCascade");
  ASSERT_NE(entry, nullptr);
  EXPECT_LE(entry->parameters.get("boundedRisk").as_number(), 0.05);
  EXPECT_EQ(entry->parameters.get("calibratedOn").as_integer(), 200);
  EXPECT_GT(value(*r, "boundedCascade", "accuracy"), 0.91);  // 5 % and the noise of 400 items
  EXPECT_LT(value(*r, "boundedCascade", "accuracy"), 1);
  EXPECT_LT(entry->flop, 990);  // it does save
}

TEST(ClassContest, AMemberThatKnowsNothingIsCalibratedToSayingSo) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 600, 600);
  made.member("guesser",
              [](PredictionRow& row, std::size_t i) {  // sure of an option that has nothing to do with it
                row.scores.assign(3, std::log(0.005));
                row.scores[(i * 7919 / 13) % 3] = std::log(0.99);
              });
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_GT(value(*r, "guesser", "nll"), 3);
  EXPECT_LT(value(*r, "guesser calibrated", "nll"), 1.15);  // ln 3 is 1.0986
}

TEST(ClassContest, EveryWayOfCalibratingIsMeasured) {
  HandMade made(TaskKind::kChoices);
  for (std::size_t i = 0; i < 1600; ++i) {
    TaskItem& item = made.item(i < 800 ? kFitSplit : kTestSplit);
    item.options = {"no", "yes"};
    item.gold = (i * 7919) % 1000 < 400 ? 1 : 0;
  }
  // Says 0.98 and is right three times of four; leans to "yes" on top of it.
  const auto noise = [](std::size_t i) { return static_cast<double>((i * 6007 + 13) % 997) / 997; };
  made.member("loud", [&](PredictionRow& row, std::size_t i) {
    const bool yes = (made.task.items[i].gold == 1) == (noise(i) < 0.75);
    const double p = yes ? 0.99 : 0.05;
    row.scores = {std::log(1 - p), std::log(p)};
  });
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  std::map<std::string, CalibratorResult> by;
  for (const CalibratorResult& c : r->calibrators) by[c.way] = c;
  ASSERT_EQ(by.size(), 5u);
  for (const char* way : {"temperature", "vector scaling", "Platt", "isotonic"}) {
    EXPECT_LT(by[way].nll, by["as it came"].nll - 0.2) << way;
    EXPECT_LT(by[way].ece_debiased, by["as it came"].ece_debiased) << way;
  }
  // Two values are fitted exactly by what has two parameters: the share of "yes" at each.
  for (const char* way : {"vector scaling", "Platt", "isotonic"}) EXPECT_LT(by[way].ece, 0.05) << way;
  EXPECT_NEAR(by["Platt"].nll, by["isotonic"].nll, 2e-3);
}

TEST(ClassContest, CombineNamesTheStrategiesAndAWrongNameIsAnError) {
  HandMade made(TaskKind::kChoices);
  three_that_err_apart(made);
  made.request.combine = {"vote"};
  const auto r = made.results();
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_NE(r->find("vote"), nullptr);
  EXPECT_EQ(r->find("linearPool"), nullptr);
  made.request.combine = {"votes"};
  const auto wrong = made.results();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(wrong.error().hint, HasSubstr("weightedVote"));
}

TEST(ClassContest, WhatIsMissingIsSaid) {
  HandMade made(TaskKind::kChoices);
  add_choice_items(made, 3, 20);
  add_choice_member(made, "a", 5, 0, 0.6);
  const auto r = made.results();
  ASSERT_FALSE(r);
  EXPECT_THAT(r.error().line(), HasSubstr("3 items are for fitting"));
  HandMade short_rows(TaskKind::kChoices);
  add_choice_items(short_rows, 10, 10);
  short_rows.member("a", [](PredictionRow& row, std::size_t) { row.scores = {-1, -2}; });
  EXPECT_FALSE(short_rows.contest());
}

TEST(Results, TheSameRowsGiveTheSameBytes) {
  std::string first;
  for (int run = 0; run < 2; ++run) {
    HandMade made(TaskKind::kChoices);
    three_that_err_apart(made);
    const auto r = made.results();
    ASSERT_TRUE(r);
    const std::string all =
        write_json(to_value(*r)) + measures_csv(*r) + comparisons_csv(*r) + results_text(*r);
    if (run == 0) first = all;
    EXPECT_EQ(all, first);
  }
  EXPECT_THAT(first, HasSubstr("cannot be reached"));
  EXPECT_THAT(first, HasSubstr("variants were measured on the test split"));
  EXPECT_THAT(first, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace consort
