// call: ensemble with combine: tokenMixture over a bus: what the model is asked, and what comes out.
#include <gtest/gtest.h>

#include "agents/calls/together_calls.h"

namespace consort {

namespace {

class TokenMixtureCalls : public mock::TogetherCalls {
 protected:
  TokenMixtureCalls() : TogetherCalls(R"("combine": "tokenMixture")") {
    mock::Rule rule;
    rule.fuse = [this](const FuseRequest& request) {
      asked_.push_back(request);
      FuseResult result(request.members.size());
      result.text = " a text ";
      result.finish_reason = "stop";
      result.logprob_nats = -3;
      result.steps = 4;
      result.signals.entropy = 0.5;
      for (std::size_t m = 0; m < result.members.size(); ++m)
        result.members[m] = {-4.0 - static_cast<double>(m), 2, 0.5};
      return result;
    };
    models_.add("a", rule);
  }
  std::vector<FuseRequest> asked_;
};

TEST_F(TokenMixtureCalls, OneModelIsAskedOnce) {
  const auto out = act(R"("members": [{"model": "a", "name": "kind", "prompt": "be kind", "weight": 2},
                                      {"model": "a", "prompt": "be stern", "temperature": 0.5}, "a"],
                          "prompt": "plain", "temperature": 2, "topP": 0.9, "maxTokens": 7, "stop": "x",
                          "options": {"pool": "bayes", "alpha": 0.1}, "signals": ["entropy"])");
  ASSERT_TRUE(out) << out.error().line();
  ASSERT_EQ(asked_.size(), 1u);
  const FuseRequest& r = asked_[0];
  ASSERT_EQ(r.members.size(), 3u);
  EXPECT_EQ(*r.members[0].prompt.text, "be kind");
  EXPECT_EQ(*r.members[2].prompt.text, "plain");
  EXPECT_EQ(r.members[0].temperature, 2);
  EXPECT_EQ(r.members[1].temperature, 0.5);
  EXPECT_EQ(r.sampling.temperature, 1);
  EXPECT_EQ(r.sampling.top_p, 0.9);
  EXPECT_EQ(r.sampling.seed, 11u);
  EXPECT_EQ(r.combiner.rule, CombineRule::kBayes);
  EXPECT_EQ(r.combiner.alpha, 0.1);
  EXPECT_EQ(r.combiner.weights, (std::vector<double>{2, 1, 1}));
  EXPECT_EQ(r.max_tokens, 7);
  EXPECT_EQ(out->get("text").as_string(), "a text");
  EXPECT_EQ(out->get("answer").as_string(), " a text ");
  EXPECT_EQ(out->get("members").as_array()[0].get("name").as_string(), "kind");
  EXPECT_EQ(out->get("members").as_array()[2].get("score").as_number(), -1.5);
  EXPECT_EQ(out->get("members").as_array()[1].get("agreed").as_number(), 0.5);
  EXPECT_EQ(write_json(out->get("signals")), R"({"entropy":0.5})");
  EXPECT_EQ(out->get("combined").get("tokens").as_integer(), 4);
}

TEST_F(TokenMixtureCalls, WhatCannotBeIsRefused) {
  models_.add("b", {});
  for (const char* wrong :
       {R"("members": ["a", "b"], "prompt": "x")", R"("members": ["a", "a"], "prompt": "x", "onMemberError": "report")",
        R"("members": ["a", {"model": "a", "temperature": 0}], "prompt": "x", "temperature": 1)",
        R"("members": ["a"], "prompt": "x", "options": {"beams": 2})",
        R"("members": ["a"], "prompt": "x", "signalsAt": [3])",
        R"("members": ["a"], "prompt": "x", "options": {"pool": "log", "alpha": 0.1})"}) {
    const auto bad = act(wrong);
    ASSERT_FALSE(bad) << wrong;
    EXPECT_EQ(bad.error().kind, ErrorKind::kInvalid) << wrong << bad.error().line();
  }
  EXPECT_TRUE(asked_.empty());
  ASSERT_TRUE(act(R"("members": ["a", "a"], "prompt": "x", "temperature": 0)"));
  EXPECT_EQ(asked_[0].sampling.temperature, 0);
  EXPECT_EQ(asked_[0].members[1].temperature, 1);
}

}  // namespace
}  // namespace consort
