#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "agents/ensemble/numbers.h"
#include "agents/ensemble/pools.h"
#include "agents/ensemble/strategy.h"
#include "scheduler/schema/schema.h"

namespace consort {
namespace {

Result<EnsembleResult> combined(std::string_view strategy, const PredictionTable& table,
                                const Value& options = {}) {
  return combine_predictions(strategy, table, options);
}

MemberPrediction voter(std::string name, std::string answer, double weight = 1, double logprob_per_byte = 0,
                       std::optional<double> validation = {}) {
  MemberPrediction m;
  m.name = std::move(name);
  m.weight = weight;
  m.answer_bytes = logprob_per_byte == 0 ? 0 : answer.size();
  m.answer_logprob_nats = logprob_per_byte * static_cast<double>(answer.size());
  m.answer = std::move(answer);
  m.validation = validation;
  return m;
}

MemberPrediction scorer(std::string name, const std::vector<double>& per_byte,
                        const std::vector<std::size_t>& bytes, double weight = 1,
                        std::optional<double> validation = {}) {
  MemberPrediction m;
  m.name = std::move(name);
  m.weight = weight;
  m.validation = validation;
  for (std::size_t c = 0; c < per_byte.size(); ++c) {
    m.scores.push_back({per_byte[c] * static_cast<double>(bytes[c]), bytes[c], 1});
  }
  return m;
}

TEST(Strategies, EveryoneHasASchemaAndACaseThatHolds) {
  ASSERT_EQ(ensemble_strategy_names(), "linearPool, logPool, rank, stack, vote, weightedVote");
  for (const EnsembleStrategy* strategy : ensemble_strategies()) {
    SCOPED_TRACE(std::string(strategy->name()));
    ASSERT_TRUE(Schema::compile(strategy->options_schema()));
    const Value& recorded = strategy->recorded_case();
    const auto table = prediction_table_from(recorded.get("table"));
    ASSERT_TRUE(table) << table.error().line();
    const auto result = combined(strategy->name(), *table, recorded.get("options"));
    ASSERT_TRUE(result) << result.error().line();
    const Value expect = recorded.get("expect");
    EXPECT_EQ(result->answer, expect.get("answer").as_string());
    EXPECT_EQ(result->tie.rule, expect.get("tie").as_string());
    ASSERT_EQ(result->ranking.size(), expect.get("canonical").size());
    for (std::size_t i = 0; i < result->ranking.size(); ++i) {
      EXPECT_EQ(result->ranking[i].canonical, expect.get("canonical").as_array()[i].as_string());
      EXPECT_NEAR(result->ranking[i].probability, expect.get("probabilities").as_array()[i].as_number(),
                  1e-9);
      if (expect.find("scores")) {
        EXPECT_NEAR(result->ranking[i].score, expect.get("scores").as_array()[i].as_number(), 1e-12);
      }
    }
    Value::Array abstained;
    for (const auto& m : result->members) {
      if (m.abstained) abstained.emplace_back(m.name);
    }
    EXPECT_EQ(Value::array(abstained), expect.get("abstained"));
    const Value output = result->to_value();
    const Value wanted_signals = expect.get("signals");
    for (const auto& [name, value] : wanted_signals.as_object()) {
      EXPECT_NEAR(output.get("signals").get(name).as_number(), value.as_number(), 1e-9) << name;
    }
  }
}

// The result as text without what names the order of members and candidates.
std::string essence(const EnsembleResult& r, const PredictionTable& table) {
  Value::Array rows;
  for (const auto& row : r.ranking) {
    rows.push_back(Value::array({row.answer, row.canonical, row.score, row.probability,
                                 row.candidate ? Value(table.candidates[*row.candidate]) : Value()}));
    for (const auto& name : row.members) rows.emplace_back(name);
  }
  std::vector<std::string> members;
  for (const auto& m : r.members) {
    members.push_back(write_json(Value::array({m.name, m.answer, m.canonical, m.reason, m.score, m.weight})));
  }
  std::sort(members.begin(), members.end());
  for (const auto& m : members) rows.emplace_back(m);
  const Signals& s = r.signals;
  rows.push_back(Value::array({r.answer, r.tie.rule, s.entropy, s.margin, s.disagreement, s.confidence,
                               r.cost.milliseconds, r.cost.flop}));
  return write_json(Value::array(rows));
}

TEST(Strategies, OrderOfMembersAndCandidatesNeverChangesABit) {
  std::mt19937 random(21);
  const auto uniform = [&] { return static_cast<double>(random() % 100'000) / 100'000.0; };
  for (int round = 0; round < 300; ++round) {
    PredictionTable table;
    const std::size_t candidates = 2 + random() % 5, members = 1 + random() % 6;
    for (std::size_t c = 0; c < candidates; ++c) {
      table.candidates.push_back("choice " + std::to_string(random() % 8) + (random() % 4 ? " x" : ""));
    }
    const bool coarse = round % 3 == 0;  // many exact ties
    for (std::size_t m = 0; m < members; ++m) {
      MemberPrediction p = voter("m" + std::to_string(m), table.candidates[random() % candidates],
                                 coarse ? 1.0 : 0.1 + uniform(), coarse ? -0.5 : -uniform() - 0.01);
      if (random() % 2) p.validation = coarse ? 0.5 : uniform();
      for (std::size_t c = 0; c < candidates; ++c) {
        // Equal texts have equal scores, as they do when a model scores them.
        const double h =
            static_cast<double>(std::hash<std::string>{}(table.candidates[c] + p.name) % 1000) / 100;
        p.scores.push_back({coarse ? -1.0 - std::floor(h / 5) : -h - 0.1, table.candidates[c].size(), 3});
      }
      p.cost = {10, uniform(), uniform() * 1e9, uniform() * 1e6};
      table.members.push_back(std::move(p));
    }
    for (const EnsembleStrategy* strategy : ensemble_strategies()) {
      const auto first = combined(strategy->name(), table);
      ASSERT_TRUE(first) << first.error().line();
      for (int shuffle = 0; shuffle < 5; ++shuffle) {
        PredictionTable other;
        std::vector<std::size_t> c(candidates), m(members);
        std::iota(c.begin(), c.end(), 0);
        std::iota(m.begin(), m.end(), 0);
        std::shuffle(c.begin(), c.end(), random);
        std::shuffle(m.begin(), m.end(), random);
        for (const std::size_t i : c) other.candidates.push_back(table.candidates[i]);
        for (const std::size_t i : m) {
          other.members.push_back(table.members[i]);
          for (std::size_t k = 0; k < candidates; ++k)
            other.members.back().scores[k] = table.members[i].scores[c[k]];
        }
        const auto again = combined(strategy->name(), other);
        ASSERT_TRUE(again);
        ASSERT_EQ(essence(*again, other), essence(*first, table)) << strategy->name();
      }
    }
  }
}

TEST(Vote, TieRulesInTheirOrder) {
  PredictionTable table;
  table.members = {voter("a", "x", 2, -0.9, 0.1), voter("b", "y", 1, -0.1, 0.9)};
  auto r = combined("vote", table);
  EXPECT_EQ(r->answer, "x");
  EXPECT_EQ(r->tie.rule, "weight");
  EXPECT_EQ(r->tie.among.size(), 2u);
  table.members[0].weight = 1;
  r = combined("vote", table);
  EXPECT_EQ(r->answer, "y");
  EXPECT_EQ(r->tie.rule, "logprob");
  table.members[0].answer_logprob_nats = table.members[1].answer_logprob_nats;
  table.members[0].validation = 0.95;
  r = combined("vote", table);
  EXPECT_EQ(r->answer, "x");
  EXPECT_EQ(r->tie.rule, "validation");
  table.members[0].validation = 0.9;
  std::swap(table.members[0].answer, table.members[1].answer);
  r = combined("vote", table);
  EXPECT_EQ(r->answer, "x");
  EXPECT_EQ(r->tie.rule, "unbroken");
  EXPECT_EQ(r->to_value().get("combined").get("tie").get("rule").as_string(), "unbroken");
}

TEST(Vote, AbstentionsAndErrorsAreNotVotes) {
  PredictionTable table;
  table.members = {voter("a", "who knows"), voter("b", "who knows"), voter("c", "7")};
  auto r = combined("vote", table, *parse_json(R"({"answer":"number"})"));
  ASSERT_TRUE(r);
  EXPECT_EQ(r->answer, "7");
  EXPECT_EQ(r->signals.confidence, 1.0);
  EXPECT_TRUE(r->members[0].abstained);
  EXPECT_EQ(r->members[0].reason, "noNumber");
  table.members.pop_back();
  r = combined("vote", table, *parse_json(R"({"answer":"number"})"));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().kind, ErrorKind::kRuntime);
  EXPECT_NE(r.error().what.find("a: noNumber"), std::string::npos);
  table.members[1].error = Error{ErrorKind::kTimeout, "too late", {}, {}};
  r = combined("vote", table);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().kind, ErrorKind::kTimeout);
  EXPECT_EQ(r.error().what, "member 'b': too late");
  r = combine_predictions("vote", table, {}, {true, 1});
  ASSERT_TRUE(r);
  EXPECT_EQ(r->missing, std::vector<std::string>{"b"});
  EXPECT_EQ(r->to_value().get("members").as_array()[1].get("error").as_string(), "too late");
  EXPECT_EQ(combine_predictions("vote", table, {}, {true, 2}).error().kind, ErrorKind::kUnavailable);
}

TEST(Vote, LettersPointAtTheChoice) {
  PredictionTable table;
  table.candidates = {"red", "green"};
  table.members = {voter("a", "(B)"), voter("b", "it is green"), voter("c", "A.")};
  const auto r = combined("vote", table, *parse_json(R"({"answer":"letter"})"));
  EXPECT_EQ(r->candidate, std::size_t{1});
  EXPECT_EQ(r->ranking[0].canonical, "B");
  EXPECT_EQ(r->ranking[0].members, (std::vector<std::string>{"a", "b"}));
}

TEST(WeightedVote, NaiveBayesWeights) {
  PredictionTable table;
  table.members = {voter("a", "x", 1, 0, 0.9), voter("b", "y", 1, 0, 0.4), voter("c", "y", 1, 0, 0.4)};
  const auto r = combined("weightedVote", table, *parse_json(R"({"weighting":"naiveBayes","answers":11})"));
  ASSERT_TRUE(r) << r.error().line();
  const double wa = std::log(0.9 * 10 / 0.1), wb = std::log(0.4 * 10 / 0.6);
  EXPECT_EQ(r->answer, "x");
  EXPECT_NEAR(r->ranking[0].score, wa, 1e-12);
  EXPECT_NEAR(r->ranking[1].score, 2 * wb, 1e-12);
  table.members[1].validation.reset();
  EXPECT_EQ(combined("weightedVote", table, *parse_json(R"({"weighting":"naiveBayes"})")).error().kind,
            ErrorKind::kInvalid);
}

TEST(Rank, BytesNotTokensAndBothPools) {
  PredictionTable table;
  table.candidates = {"short", "a much longer candidate text"};
  // The sum prefers the short one, per byte the long one wins.
  table.members = {scorer("a", {-1.0, -0.5}, {5, 28}), scorer("b", {-0.9, -0.6}, {5, 28})};
  auto r = combined("rank", table);
  EXPECT_EQ(r->candidate, std::size_t{1});
  EXPECT_NEAR(r->ranking[0].score, -0.55, 1e-12);
  // Standardised: with two candidates any disagreement is a tie, the plain mean keeps how sure each one is.
  table.members = {scorer("a", {-1.0, -3.0}, {5, 28}), scorer("b", {-0.9, -0.8}, {5, 28})};
  r = combined("rank", table);
  EXPECT_EQ(r->answer, "short");
  EXPECT_EQ(r->tie.rule, "none");
  EXPECT_NEAR(r->signals.disagreement, 0.5, 1e-12);
  r = combined("rank", table, *parse_json(R"({"pool":"standardised"})"));
  EXPECT_EQ(r->answer, "short");
  EXPECT_EQ(r->tie.rule, "logprob");
  EXPECT_NEAR(r->ranking[0].score, 0.0, 1e-12);
}

TEST(Rank, TheSameTextTwiceIsOneCandidate) {
  PredictionTable table;
  table.candidates = {"b", "a", "b"};
  table.members = {scorer("m", {-1, -2, -1}, {1, 1, 1})};
  const auto r = combined("rank", table);
  ASSERT_EQ(r->ranking.size(), 2u);
  EXPECT_EQ(r->candidate, std::size_t{0});
}

std::vector<std::vector<double>> random_members(std::mt19937& random, std::size_t members,
                                                std::size_t choices, double scale) {
  std::normal_distribution<double> normal(0, scale);
  std::vector<std::vector<double>> made;
  for (std::size_t m = 0; m < members; ++m) {
    std::vector<double> logits;
    for (std::size_t c = 0; c < choices; ++c) logits.push_back(normal(random));
    made.push_back(ensemble::log_softmax(logits));
  }
  return made;
}

// Research note A2: linear -ln p(y) <= sum w (-ln p_m(y)); log: -ln p(y) = sum w (-ln p_m(y)) + ln Z, ln Z <=
// 0.
TEST(Pools, Identities) {
  std::mt19937 random(4);
  for (int round = 0; round < 500; ++round) {
    const std::size_t members = 1 + random() % 5, choices = 2 + random() % 6;
    const auto p = random_members(random, members, choices, round % 2 ? 1.0 : 30.0);
    std::vector<double> w(members, 0.0);
    for (double& x : w) x = static_cast<double>(1 + random() % 100);
    const double total = std::accumulate(w.begin(), w.end(), 0.0);
    for (double& x : w) x /= total;
    double z = 1;
    const auto linear = ensemble::pooled(ensemble::PoolKind::kLinear, p, w);
    const auto log = ensemble::pooled(ensemble::PoolKind::kLog, p, w, &z);
    ASSERT_LE(z, 1e-12);
    double sum_linear = 0, sum_log = 0;
    for (std::size_t y = 0; y < choices; ++y) {
      double average = 0, direct = 0;
      for (std::size_t m = 0; m < members; ++m) {
        average -= w[m] * p[m][y];
        direct += w[m] * std::exp(p[m][y]);
      }
      ASSERT_LE(-linear[y], average + 1e-9);
      ASSERT_NEAR(std::exp(linear[y]), direct, 1e-12);
      ASSERT_NEAR(-log[y], average + z, 1e-9);
      sum_linear += std::exp(linear[y]);
      sum_log += std::exp(log[y]);
    }
    ASSERT_NEAR(sum_linear, 1, 1e-12);
    ASSERT_NEAR(sum_log, 1, 1e-12);
    ASSERT_GE(ensemble::divergence(p, w), 0);
  }
}

TEST(Pools, OneMemberIsItselfAndEqualMembersChangeNothing) {
  PredictionTable table;
  table.candidates = {"a", "b", "c"};
  table.members = {scorer("m", {-0.2, -2, -4}, {1, 1, 1})};
  const auto self = ensemble::log_softmax({-0.2, -2, -4});
  for (const char* pool : {"linearPool", "logPool"}) {
    for (int copies = 1; copies <= 3; ++copies) {
      const auto r = combined(pool, table);
      for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(r->ranking[c].probability, std::exp(self[c]), 1e-12);
      EXPECT_NEAR(r->signals.disagreement, 0, 1e-12);
      table.members.push_back(table.members[0]);
    }
    table.members.resize(1);
  }
}

TEST(Pools, ExtremeScoresStayFinite) {
  PredictionTable table;
  table.candidates = {"a", "b"};
  table.members = {scorer("m", {-1e-9, -5000}, {1, 1}), scorer("n", {-5000, -1e-9}, {1, 1}, 3)};
  const auto linear = combined("linearPool", table);
  EXPECT_NEAR(linear->ranking[0].probability, 0.75, 1e-12);
  EXPECT_EQ(linear->answer, "b");
  const auto log = combined("logPool", table);
  EXPECT_EQ(log->answer, "b");
  EXPECT_NEAR(log->ranking[0].probability, 1 / (1 + std::exp(0.5 * std::log(1e-10))), 1e-9);
  for (const auto& r : {*linear, *log}) {
    EXPECT_TRUE(std::isfinite(r.signals.entropy) && std::isfinite(r.signals.disagreement));
    EXPECT_EQ(write_json(r.to_value()).find("null,\"flop\""), std::string::npos);
  }
  table.members = {scorer("m", {-1e6, -1e6 - 1}, {1, 1})};
  EXPECT_NEAR(combined("linearPool", table)->ranking[0].probability, 1 / (1 + std::exp(-1)), 1e-9);
}

TEST(Strategies, MalformedTablesAreRefused) {
  PredictionTable table;
  EXPECT_FALSE(combined("vote", table));
  EXPECT_EQ(combined("nope", table).error().what, "unknown way to combine members 'nope'");
  EXPECT_EQ(combined("rank", table, *parse_json(R"({"pol":1})")).error().what,
            "options of 'rank': unknown key 'pol'");
  table.members = {voter("a", "x", -1)};
  EXPECT_EQ(combined("vote", table).error().kind, ErrorKind::kInvalid);
  table.members = {voter("a", "x", std::nan(""))};
  EXPECT_EQ(combined("vote", table).error().kind, ErrorKind::kInvalid);
  table.members = {voter("a", "x", 0)};
  EXPECT_EQ(combined("weightedVote", table).error().kind, ErrorKind::kInvalid);
  table.candidates = {"a", "b"};
  table.members = {scorer("a", {-1}, {1})};
  EXPECT_EQ(combined("rank", table).error().kind, ErrorKind::kInvalid);
  table.members = {scorer("a", {-1, 2}, {1, 1})};
  EXPECT_EQ(combined("logPool", table).error().kind, ErrorKind::kInvalid);
  table.members = {scorer("a", {-1, -1}, {1, 1})};
  table.members[0].scores[1].bytes = 0;
  EXPECT_EQ(combined("rank", table).error().kind, ErrorKind::kInvalid);
  table.members[0].scores[1] = {-std::numeric_limits<double>::infinity(), 1, 1};
  EXPECT_EQ(combined("linearPool", table).error().kind, ErrorKind::kInvalid);
  EXPECT_FALSE(prediction_table_from(*parse_json(R"({"members":[{"nam":"a"}]})")));
  EXPECT_FALSE(prediction_table_from(*parse_json(R"([])")));
}

TEST(Strategies, TablesReadBack) {
  PredictionTable table;
  table.candidates = {"a", "b"};
  table.members = {scorer("m", {-0.1, -0.7}, {3, 4}, 0.25, 0.5), voter("n", "x", 2, -0.3)};
  table.members[1].scores = table.members[0].scores;
  table.members[1].error = Error{ErrorKind::kRuntime, "gone", {}, {}};
  table.members[0].cost = {12, 1.5, 2e9, 3e6};
  const auto again = prediction_table_from(to_value(table));
  ASSERT_TRUE(again) << again.error().line();
  EXPECT_EQ(write_json(to_value(*again)), write_json(to_value(table)));
}

}  // namespace
}  // namespace consort
