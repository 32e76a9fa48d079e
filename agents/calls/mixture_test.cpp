// call: ensemble with combine: byteMixture over a bus with models that answer by rule.
#include <gtest/gtest.h>

#include <cmath>

#include "agents/calls/together_calls.h"

namespace consort {

namespace {

// Writes `line` with probability `sure` a byte, then ends; the rest goes to "?".
mock::Rule writes(std::string line, double sure) {
  mock::Rule rule;
  rule.next_byte = [line, sure](const std::string& text) {
    std::vector<double> p(257, 0.0);
    p['?'] = 1 - sure;
    const bool follows = line.compare(0, text.size(), text) == 0 && text.size() < line.size();
    p[follows ? static_cast<unsigned char>(line[text.size()]) : 256u] += sure;
    return p;
  };
  return rule;
}

class MixtureCalls : public mock::TogetherCalls {
 protected:
  MixtureCalls() : TogetherCalls(R"("combine": "byteMixture", "prompt": "?")") {}
};

TEST_F(MixtureCalls, MembersWriteOneTextAndTheBetterOneGetsTheWeight) {
  models_.add("a", writes("the same text", 0.9));
  models_.add("b", writes("the same text", 0.6));
  const auto out = act(R"("members": ["a", "b"], "temperature": 0, "signalsAt": [4],
                          "options": {"alpha": 0, "trajectory": true})");
  ASSERT_TRUE(out) << out.error().line();
  EXPECT_EQ(out->get("text").as_string(), "the same text");
  EXPECT_EQ(out->get("finishReason").as_string(), "stop");
  const Value::Array members = out->get("members").as_array();
  const double odds = std::pow(0.9 / 0.6, 14);  // 13 bytes and the end
  EXPECT_NEAR(members[0].get("weight").as_number(), odds / (1 + odds), 1e-9);
  EXPECT_NEAR(members[1].get("score").as_number(), std::log(0.6), 1e-9);
  EXPECT_EQ(members[1].get("agreed").as_number(), 1);
  EXPECT_EQ(members[0].get("tokens").as_integer(), 17);
  EXPECT_EQ(out->get("trajectory").as_array()[0].size(), 14u);
  EXPECT_EQ(out->get("signalsAt").as_array()[0].get("byte").as_integer(), 4);
  EXPECT_GT(out->get("signals").get("disagreement").as_number(), 0);
  EXPECT_EQ(streamed_, "the sa|me tex|t|");
  EXPECT_EQ(models_.open_sessions("a"), 0);
}

TEST_F(MixtureCalls, ADrafterChangesNoText) {
  // They part in the middle: what b drafts is taken back there.
  models_.add("a", writes("the same text, and more of it", 0.9));
  models_.add("b", writes("the same word", 0.7));
  for (const char* how : {R"("temperature": 0)", R"("temperature": 1, "seed": 3)", R"("temperature": 1, "seed": 4)"}) {
    const std::string head = R"("members": ["a", "b"], )" + std::string(how) + R"(, "options": {"pool": "bayes", "maxBytes": 24)";
    const auto plain = act(head + "}");
    ASSERT_TRUE(plain) << plain.error().line();
    for (const char* drafter : {"a", "b"}) {
      const auto fast = act(head + R"(, "speculate": {"drafter": ")" + drafter + R"(", "bytes": 5, "accept": "same"}})");
      ASSERT_TRUE(fast) << fast.error().line();
      EXPECT_EQ(fast->get("answer"), plain->get("answer"));
      EXPECT_EQ(fast->get("finishReason"), plain->get("finishReason"));
      EXPECT_EQ(fast->get("signals"), plain->get("signals"));
      EXPECT_EQ(fast->get("combined").get("logprob"), plain->get("combined").get("logprob"));
      const Value counts = fast->get("combined").get("speculation");
      EXPECT_GT(counts.get("kept").as_integer(), 0);
      EXPECT_GE(counts.get("drafted").as_integer(), counts.get("kept").as_integer());
      EXPECT_EQ(models_.open_sessions("a"), 0);
    }
  }
  EXPECT_EQ(models_.opened("b").back().rewind, 5);
}

TEST_F(MixtureCalls, ADrafterMayFailAndAnotherGoesOn) {
  models_.add("a", writes("good enough", 0.9));
  mock::Rule weak = writes("good enough", 0.9);
  weak.next_byte = [own = weak.next_byte](const std::string& text) {
    if (text.size() == 5) throw Error{ErrorKind::kMemory, "no memory", {}, {}};
    return own(text);
  };
  models_.add("b", weak);
  const std::string call = R"("members": ["b", "a"], "temperature": 0, "onMemberError": "report",
                              "options": {"speculate": {"bytes": 3}})";
  const auto out = act(call);
  ASSERT_TRUE(out) << out.error().line();
  EXPECT_EQ(out->get("text").as_string(), "good enough");
  EXPECT_EQ(write_json(out->get("missing")), R"(["b"])");
  for (const char* wrong : {R"("members": ["a"], "options": {"speculate": {}})",
                            R"("members": ["a", "b"], "options": {"speculate": {"drafter": "c"}})",
                            R"("members": ["a", "b"], "temperature": 0, "options": {"beams": 2, "speculate": {}})"}) {
    const auto bad = act(wrong);
    ASSERT_FALSE(bad) << wrong;
    EXPECT_EQ(bad.error().kind, ErrorKind::kInvalid) << bad.error().line();
  }
}

TEST_F(MixtureCalls, WeightsAndPoolsDecide) {
  models_.add("a", writes("yes", 0.8));
  models_.add("b", writes("no", 0.8));
  const std::string head = R"("members": ["a", "b"], "temperature": 0, "options": {"pool": ")";
  EXPECT_EQ(act(head + R"(linear"}, "weights": [1, 3])")->get("text").as_string(), "no");
  // Neither lets the other's byte pass: a geometric mean settles on what both allow.
  EXPECT_EQ(act(head + R"(log"}, "weights": {"a": 3})")->get("text").as_string(), "?");
  EXPECT_EQ(act(head + R"(linear", "beams": 3}, "weights": [3, 1])")->get("text").as_string(), "yes");
}

TEST_F(MixtureCalls, DoubtEndsTheText) {
  models_.add("a", writes("a long answer that nobody is sure of", 0.55));
  const auto out = act(R"("members": ["a"], "temperature": 0, "options": {"stopOnDoubt": {"after": 6, "entropy": 0.5}})");
  ASSERT_TRUE(out) << out.error().line();
  EXPECT_EQ(out->get("finishReason").as_string(), "doubt");
  EXPECT_EQ(out->get("answer").as_string(), "a long");
}

TEST_F(MixtureCalls, AMemberMayFailOnTheWay) {
  models_.add("a", writes("good", 0.9));
  mock::Rule weak = writes("good", 0.9);
  weak.next_byte = [own = weak.next_byte](const std::string& text) {
    if (text.size() == 2) throw Error{ErrorKind::kMemory, "no memory", {}, {}};
    return own(text);
  };
  models_.add("b", weak);
  const std::string members = R"("members": ["a", "b"], "temperature": 0)";
  const auto hard = act(members);
  ASSERT_FALSE(hard);
  EXPECT_EQ(hard.error().kind, ErrorKind::kMemory);
  EXPECT_NE(hard.error().what.find("'b'"), std::string::npos);
  EXPECT_EQ(models_.open_sessions("a"), 0);
  const auto soft = act(members + R"(, "onMemberError": "report")");
  ASSERT_TRUE(soft) << soft.error().line();
  EXPECT_EQ(soft->get("text").as_string(), "good");
  EXPECT_EQ(write_json(soft->get("missing")), R"(["b"])");
  EXPECT_EQ(soft->get("members").as_array()[0].get("weight").as_number(), 1);
  EXPECT_FALSE(act(members + R"(, "onMemberError": "report", "minMembers": 2)"));
}

TEST_F(MixtureCalls, PromptsTemperaturesAndStops) {
  models_.add("a", writes("one\ntwo", 0.9));
  models_.add("b", writes("one\ntwo", 0.8));
  const auto out = act(R"("members": ["a", {"model": "b", "prompt": "own", "temperature": 0.5}], "stop": "\n",
                          "options": {"pool": "linear", "prune": 0.01, "canonical": true, "heal": 1}, "temperature": 2)");
  ASSERT_TRUE(out) << out.error().line();
  EXPECT_EQ(out->get("text").as_string().find('\n'), std::string::npos);
  const OpenBytesRequest a = models_.opened("a").at(0), b = models_.opened("b").at(0);
  EXPECT_EQ(*a.prompt.text, "?");
  EXPECT_EQ(*b.prompt.text, "own");
  EXPECT_EQ(a.cover.temperature, 2);
  EXPECT_EQ(b.cover.temperature, 0.5);
  EXPECT_EQ(b.cover.prune, 0.01);
  EXPECT_TRUE(b.cover.canonical);
  EXPECT_EQ(b.heal, 1);
  for (const char* wrong :
       {R"("members": ["a"], "topP": 0.5)", R"("members": ["a"], "maxTokens": 5)",
        R"("members": ["a"], "options": {"pool": "magic"})", R"("members": ["a"], "candidates": ["x"])",
        R"("members": ["a", {"model": "a", "temperature": 0}])", R"("members": ["a"], "weights": [0])",
        R"("members": ["a"], "temperature": 1, "options": {"beams": 2})",
        R"("members": ["a"], "options": {"pool": "log", "alpha": 0.1})",
        R"("members": ["a"], "task": "choose", "choices": ["x"])"}) {
    const auto bad = act(wrong);
    ASSERT_FALSE(bad) << wrong;
    EXPECT_EQ(bad.error().kind, ErrorKind::kInvalid) << wrong << bad.error().line();
  }
}

}  // namespace
}  // namespace consort
