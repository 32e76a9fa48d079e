// call: ensemble with combine: unite over a bus with models that answer by rule.
#include <gtest/gtest.h>

#include <cmath>

#include "agents/calls/together_calls.h"

namespace consort {

namespace {

using Strings = std::map<std::string, double>;

// Writes the pieces of `line` with probability `sure` each, then ends; the rest goes to "?".
mock::Rule writes(std::vector<std::string> line, double sure) {
  mock::Rule rule;
  rule.next_string = [line, sure](const std::string& text) {
    std::string so_far, next;
    for (const std::string& piece : line) {
      if (so_far == text) next = piece;
      so_far += piece;
    }
    return Strings{{next, sure}, {"?", 1 - sure}};
  };
  return rule;
}

class UniteCalls : public mock::TogetherCalls {
 protected:
  UniteCalls() : TogetherCalls(R"("combine": "unite", "prompt": "?")") {}
};

// The example of string_union_test, told by models: a cuts " Norway" in two, b knows it whole.
TEST_F(UniteCalls, MembersAgreeOnStringsAcrossTheirTokens) {
  mock::Rule a, b;
  a.next_string = [](const std::string& text) {
    if (text.empty()) return Strings{{" N", 0.6}, {" the", 0.3}, {"z", 0.1}};
    return Strings{{"", 0.9}, {"!", 0.1}};
  };
  b.next_string = [](const std::string& text) {
    if (text.empty()) return Strings{{" N", 0.1}, {" Norway", 0.5}, {" the", 0.4}};
    return Strings{{"", 0.8}, {"!", 0.2}};
  };
  models_.add("a", a);
  models_.add("b", b);
  const auto out = act(R"("members": ["a", "b"], "temperature": 0, "options": {"topK": 2})");
  ASSERT_TRUE(out) << out.error().line();
  EXPECT_EQ(out->get("answer").as_string(), " Norway");
  EXPECT_EQ(out->get("text").as_string(), "Norway");
  EXPECT_EQ(out->get("finishReason").as_string(), "stop");
  EXPECT_NEAR(out->get("combined").get("logprob").as_number(), std::log(0.45) + std::log(0.85), 1e-9);
  EXPECT_EQ(out->get("combined").get("strings").as_integer(), 1);
  const Value::Array members = out->get("members").as_array();
  EXPECT_NEAR(members[0].get("score").as_number(), (std::log(0.4) + std::log(0.9)) / 2, 1e-9);
  EXPECT_EQ(members[0].get("agreed").as_number(), 0.5);
  EXPECT_EQ(members[1].get("agreed").as_number(), 1);
  EXPECT_GT(out->get("signals").get("disagreement").as_number(), 0);
  EXPECT_EQ(streamed_, " Norway|");
  // Only what is missing is looked up; a, which would have gone on otherwise, cuts its text anew.
  const auto asked = models_.looked_up("a");
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[1].wanted, (std::vector<std::string>{" Norway"}));
  EXPECT_EQ(asked[1].top, 0);
  EXPECT_EQ(asked[2].pieces, (std::vector<std::string>{" Norway"}));
  EXPECT_FALSE(asked[2].own_pieces);
  EXPECT_TRUE(models_.looked_up("b").back().own_pieces);
}

TEST_F(UniteCalls, WeightsDecideAndAWeightOfZeroSaysNothing) {
  models_.add("a", writes({"y", "es"}, 0.8));
  models_.add("b", writes({"no"}, 0.8));
  const std::string head = R"("members": ["a", "b"], "temperature": 0, "weights": )";
  EXPECT_EQ(act(head + "[3, 1]")->get("text").as_string(), "yes");
  EXPECT_EQ(act(head + "[1, 3]")->get("text").as_string(), "no");
  const auto alone = act(head + "[1, 0]");
  EXPECT_EQ(alone->get("text").as_string(), "yes");
  EXPECT_NEAR(alone->get("combined").get("logprob").as_number(), 3 * std::log(0.8), 1e-9);
  // Equal means: the string that sorts first. "?" has the rest of both, less than either.
  EXPECT_EQ(act(head + "[1, 1]")->get("text").as_string(), "no");
}

TEST_F(UniteCalls, EndsAtLengthsAndStops) {
  models_.add("a", writes({"one", " two", " three", " four\n", "five"}, 0.9));
  const std::string head = R"("members": ["a"], "temperature": 0)";
  const auto two = act(head + R"(, "maxTokens": 2)");
  EXPECT_EQ(two->get("answer").as_string(), "one two");
  EXPECT_EQ(two->get("finishReason").as_string(), "length");
  const auto stopped = act(head + R"(, "stop": ["r\n", "zz"])");
  EXPECT_EQ(stopped->get("answer").as_string(), "one two three fou");
  EXPECT_EQ(stopped->get("finishReason").as_string(), "stop");
  mock::Rule endless;
  endless.next_string = [](const std::string&) { return Strings{{"ab", 0.9}, {"c", 0.1}}; };
  models_.add("endless", endless);
  const auto full = act(R"("members": ["endless"], "temperature": 0)");
  EXPECT_EQ(full->get("answer").as_string().size(), 40u);  // the scripted models' context
  EXPECT_EQ(full->get("finishReason").as_string(), "length");
}

TEST_F(UniteCalls, DrawsFromTheMeanWithTheSeed) {
  mock::Rule coin;
  coin.next_string = [](const std::string& text) {
    return text.size() < 32 ? Strings{{"0", 0.5}, {"1", 0.5}} : Strings{{"", 1.0}};
  };
  models_.add("a", coin);
  models_.add("b", coin);
  const std::string head = R"("members": ["a", "b"], "temperature": 1, "seed": )";
  const std::string one = act(head + "1")->get("answer").as_string();
  EXPECT_EQ(one, act(head + "1")->get("answer").as_string());
  EXPECT_NE(one, act(head + "2")->get("answer").as_string());
  EXPECT_EQ(one.size(), 32u);
  EXPECT_NE(one.find('0'), std::string::npos);
  EXPECT_NE(one.find('1'), std::string::npos);
}

TEST_F(UniteCalls, AMemberMayFailOnTheWay) {
  models_.add("a", writes({"go", "od"}, 0.9));
  mock::Rule weak = writes({"go", "od"}, 0.9);
  weak.next_string = [own = weak.next_string](const std::string& text) {
    if (text.size() == 2) throw Error{ErrorKind::kMemory, "no memory", {}, {}};
    return own(text);
  };
  models_.add("b", weak);
  const std::string members = R"("members": ["a", "b"], "temperature": 0)";
  const auto hard = act(members);
  ASSERT_FALSE(hard);
  EXPECT_EQ(hard.error().kind, ErrorKind::kMemory);
  EXPECT_NE(hard.error().what.find("'b'"), std::string::npos);
  const std::string report = R"(, "onMemberError": "report")";
  const auto soft = act(members + report);
  ASSERT_TRUE(soft) << soft.error().line();
  EXPECT_EQ(soft->get("text").as_string(), "good");
  EXPECT_EQ(write_json(soft->get("missing")), R"(["b"])");
  EXPECT_EQ(soft->get("members").as_array()[0].get("weight").as_number(), 1);
  EXPECT_FALSE(act(members + report + R"(, "minMembers": 2)"));
  EXPECT_FALSE(act(members + report + R"(, "weights": [0, 1])"));  // who is left has no say
}

TEST_F(UniteCalls, RefusesWhatDoesNotApply) {
  models_.add("a", writes({"x"}, 0.9));
  const auto prompts = act(R"("members": [{"model": "a", "prompt": "own"}], "temperature": 0)");
  ASSERT_TRUE(prompts) << prompts.error().line();
  EXPECT_EQ(*models_.looked_up("a").at(0).prompt.text, "own");
  EXPECT_EQ(models_.looked_up("a").at(0).top, 10);
  for (const char* wrong :
       {R"("members": ["a"], "topP": 0.5)", R"("members": ["a"], "topK": 5)",
        R"("members": ["a"], "minP": 0.1)", R"("members": ["a"], "maxTokens": 0)",
        R"("members": ["a"], "options": {"topK": 0})", R"("members": ["a"], "options": {"pool": "log"})",
        R"("members": ["a"], "candidates": ["x"])", R"("members": ["a", {"model": "a", "temperature": 0}])",
        R"("members": ["a"], "weights": [0])", R"("members": ["a"], "signalsAt": [3])",
        R"("members": ["a"], "ignoreEos": true)", R"("members": ["a"], "stop": "")",
        R"("members": ["a"], "task": "choose", "choices": ["x"])"}) {
    const auto bad = act(wrong);
    ASSERT_FALSE(bad) << wrong;
    EXPECT_EQ(bad.error().kind, ErrorKind::kInvalid) << wrong << bad.error().line();
  }
}

}  // namespace
}  // namespace consort
