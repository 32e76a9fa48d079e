// call: ensemble over a bus with models that answer by rule.
#include <gtest/gtest.h>

#include "agents/calls/call_kinds.h"
#include "agents/calls/scripted_models.h"
#include "scheduler/schema/schema.h"

namespace consort {

std::shared_ptr<TaskHandler> make_ensemble_call(CallServices services);

namespace {

mock::Rule says(std::string text) {
  return {
      .write = [text](const GenerateRequest&) { return text; },
      .log_likelihood = [](const Prompt&, const std::string& c) { return -static_cast<double>(c.size()); },
      .failure = {}};
}

class EnsembleCalls : public ::testing::Test {
 protected:
  EnsembleCalls() {
    services_.models = &models_;
    services_.channel = &channel_;
    call_ = make_ensemble_call(services_);
    agents_ =
        *parse_json(R"({"judge": {"model": "a", "instructions": "Judge.", "generation": {"maxTokens": 5}}})");
  }
  Result<Value> act(const std::string& text) {
    const Value with = *parse_json(text, text);
    const auto valid = Schema::compile(call_->options_schema())->check(with);
    EXPECT_TRUE(valid.has_value()) << valid.error().line();
    TaskContext context;
    context.seed = 11;
    context.agents = &agents_;
    auto outcome = mock::act(*call_, context, with);
    if (!outcome) return forward_error(outcome);
    return outcome->output;
  }
  static Error broken() { return {ErrorKind::kUnavailable, "broken", {}, {}}; }

  mock::TestChannel channel_;
  mock::ScriptedModels models_{channel_};
  CallServices services_;
  std::shared_ptr<TaskHandler> call_;
  Value agents_;
};

TEST_F(EnsembleCalls, VotesOverCanonicalAnswers) {
  models_.add("a", says("The answer is 42."));
  models_.add("b", says("41"));
  models_.add("c", says("so 42"));
  const auto out = act(
      R"({"members": ["a", "b", "c"], "combine": "vote", "options": {"answer": "number"}, "prompt": "?"})");
  ASSERT_TRUE(out.has_value()) << out.error().line();
  EXPECT_EQ(out->get("ranking").as_array()[0].get("canonical").as_string(), "42");
  EXPECT_EQ(out->get("text"), out->get("answer"));  // trimmed
  EXPECT_EQ(act(R"({"members": ["a"], "prompt": "?"})")->get("text").as_string(), "The answer is 42.");
  ASSERT_EQ(out->get("members").size(), 3u);
  EXPECT_EQ(out->get("members").as_array()[1].get("name").as_string(), "b");
  EXPECT_EQ(out->get("usage").get("tokens").as_integer(), 36);
  EXPECT_EQ(out->get("usage").get("members").get("c").get("tokens").as_integer(), 12);
  EXPECT_NEAR(out->get("signals").get("confidence").as_number(), 2.0 / 3, 1e-12);
  const auto weighted = act(R"({"members": ["a", "b", "c"], "combine": "weightedVote", "weights": {"b": 5},
                               "options": {"answer": "number"}, "prompt": "?", "signals": ["margin"]})");
  ASSERT_TRUE(weighted.has_value());
  EXPECT_EQ(weighted->get("text").as_string(), "41");
  EXPECT_EQ(weighted->get("signals").size(), 1u);
}

TEST_F(EnsembleCalls, RankPoolsLikelihoodsOverAllCandidates) {
  models_.add("a", says(" red "));
  models_.add("b", says("blue"));
  const auto out = act(R"({"members": ["a", "b"], "combine": "rank", "prompt": "Colour:",
                          "candidates": ["green", {"text": "red", "from": "note 3"}]})");
  ASSERT_TRUE(out.has_value()) << out.error().line();
  const auto asked = models_.scored("b").at(0);
  EXPECT_EQ(asked.candidates, (std::vector<std::string>{" green", " red", " blue"}));
  EXPECT_EQ(*asked.prompt.text, "Colour:");
  for (const Value& row : out->get("ranking").as_array())
    if (row.get("answer").as_string() == "red") {
      EXPECT_EQ(write_json(row.get("from")), R"(["note 3","a"])");
    }
  EXPECT_EQ(out->get("members").as_array()[1].get("wrote").as_string(), "blue");
}

TEST_F(EnsembleCalls, ContrastCountsWhatTheEvidenceAdds) {
  mock::Rule rule = says("common");
  rule.log_likelihood = [](const Prompt& p, const std::string& c) {
    const bool evidence = *p.text == "with";
    if (c == " common") return evidence ? -1.0 : -1.0;
    return evidence ? -3.0 : -9.0;  // unlikely, but the evidence speaks for it
  };
  models_.add("a", rule);
  const std::string head =
      R"({"members": ["a"], "combine": "rank", "prompt": "with", "candidates": ["rare"])";
  const auto plain = act(head + "}");
  ASSERT_TRUE(plain.has_value()) << plain.error().line();
  EXPECT_EQ(plain->get("text").as_string(), "common");
  const auto out = act(head + R"(, "contrast": {"prompt": "without"}})");
  ASSERT_TRUE(out.has_value()) << out.error().line();
  EXPECT_EQ(out->get("text").as_string(), "rare");
  EXPECT_NEAR(out->get("ranking").as_array()[1].get("score").as_number(), -6.0, 1e-12);
}

TEST_F(EnsembleCalls, ChoosesAmongGivenChoices) {
  mock::Rule yes = says(""), no = says("");
  yes.log_likelihood = [](const Prompt&, const std::string& c) { return c == " yes" ? -0.1 : -3.0; };
  no.log_likelihood = [](const Prompt&, const std::string& c) { return c == " yes" ? -1.0 : -0.5; };
  models_.add("a", yes);
  models_.add("b", no);
  const auto out =
      act(R"({"task": "choose", "members": ["a", "b"], "choices": ["no", "yes"], "prompt": "Is it?"})");
  ASSERT_TRUE(out.has_value()) << out.error().line();
  EXPECT_EQ(out->get("text").as_string(), "yes");
  EXPECT_EQ(out->get("labels").size(), 2u);
  EXPECT_TRUE(models_.written("a").empty());
  EXPECT_GT(out->get("signals").get("disagreement").as_number(), 0);
}

TEST_F(EnsembleCalls, MembersFailHardUnlessErrorsAreReported) {
  models_.add("a", says("one"));
  mock::Rule bad = says("");
  bad.failure = broken();
  models_.add("b", bad);
  const auto hard = act(R"({"members": ["a", "b"], "prompt": "?"})");
  ASSERT_FALSE(hard.has_value());
  EXPECT_EQ(hard.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(hard.error().what.find("'b'"), std::string::npos) << hard.error().what;
  const auto soft = act(R"({"members": ["a", "b", "nobody"], "prompt": "?", "onMemberError": "report"})");
  ASSERT_TRUE(soft.has_value()) << soft.error().line();
  EXPECT_EQ(write_json(soft->get("missing")), R"(["b","nobody"])");
  const auto few =
      act(R"({"members": ["a", "b"], "prompt": "?", "onMemberError": "report", "minMembers": 2})");
  ASSERT_FALSE(few.has_value());
  EXPECT_EQ(few.error().kind, ErrorKind::kUnavailable);
}

TEST_F(EnsembleCalls, MembersCarryTheirOwnPromptsAndNames) {
  models_.add("a", says("x"));
  const auto out = act(R"({"members": ["judge", {"model": "a", "prompt": "own", "temperature": 0.25}, "a"],
                          "messages": [{"role": "user", "content": "hello"}], "temperature": 0})");
  ASSERT_TRUE(out.has_value()) << out.error().line();
  const auto asked = models_.written("a");
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[0].prompt.messages[0].content, "Judge.");
  EXPECT_EQ(asked[0].max_tokens, 5);
  EXPECT_EQ(*asked[1].prompt.text, "own");
  EXPECT_EQ(asked[1].sampling.temperature, 0.25);
  EXPECT_EQ(asked[2].prompt.messages.size(), 1u);
  EXPECT_NE(asked[1].sampling.seed, asked[2].sampling.seed);
  EXPECT_EQ(out->get("members").as_array()[2].get("name").as_string(), "a#2");
}

TEST_F(EnsembleCalls, ContradictingOptionsAreRefused) {
  models_.add("a", says("x"));
  for (const char* with :
       {R"({"members": ["a"]})", R"({"members": ["a"], "prompt": "?", "combine": "magic"})",
        R"({"members": ["a"], "prompt": "?", "weights": [1, 2]})",
        R"({"members": ["a"], "prompt": "?", "weights": {"b": 1}})",
        R"({"members": ["a"], "prompt": "?", "candidates": ["c"]})",
        R"({"members": ["a"], "prompt": "?", "combine": "rank", "propose": false})",
        R"({"members": ["a"], "prompt": "?", "task": "choose"})",
        R"({"members": ["a"], "prompt": "?", "task": "choose", "choices": ["c"], "combine": "vote"})",
        R"({"members": ["a"], "prompt": "?", "combine": "rank", "options": {"pool": "magic"}})"}) {
    const auto out = act(with);
    ASSERT_FALSE(out.has_value()) << with;
    EXPECT_EQ(out.error().kind, ErrorKind::kInvalid) << with << out.error().line();
  }
}

}  // namespace
}  // namespace consort
