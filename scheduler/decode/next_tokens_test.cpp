// Next strings over the mock model, whose tokens are single characters; and what of a place stays kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "scheduler/decode/engine_rig.h"

namespace consort::mock {
namespace {

NextTokensJob job_of(std::vector<TokenId> tokens, int top, std::vector<TokenAlternatives> wanted = {}) {
  NextTokensJob job;
  job.tokens = std::move(tokens);
  job.top = top;
  job.wanted = std::move(wanted);
  return job;
}

struct NextRig : EngineRig {
  using EngineRig::EngineRig;
  Result<NextTokensResult> next(std::vector<TokenId> tokens, int top,
                                std::vector<TokenAlternatives> wanted = {}) {
    auto slot = submit_as<NextTokensJob, NextTokensResult>(job_of(std::move(tokens), top, std::move(wanted)));
    run();
    EXPECT_TRUE(slot->has_value());
    return std::move(**slot);
  }
};

TEST(NextTokens, AreTheRowsLargestByTheirBytes) {
  NextRig rig;
  const auto tokens = letters("Once upon");
  const auto r = rig.next(tokens, 5, {letters("x"), {kEos}, {}, letters("yz")});
  ASSERT_TRUE(r) << r.error().line();
  const auto logits = logits_after(tokens);
  std::vector<TokenId> order;
  for (TokenId id = 1; id < kVocab; ++id) order.push_back(id);  // without the control token 0
  std::sort(order.begin(), order.end(), [&](TokenId a, TokenId b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  ASSERT_EQ(r->top.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(r->top[i].bytes, LetterTokenizer().token_bytes(order[i]));
    EXPECT_NEAR(r->top[i].logprob_nats, log_probability(logits, order[i]), 1e-9);
  }
  ASSERT_EQ(r->wanted_logprobs.size(), 4u);
  EXPECT_NEAR(r->wanted_logprobs[0], log_probability(logits, letters("x")[0]), 1e-9);
  EXPECT_NEAR(r->wanted_logprobs[1], log_probability(logits, kEos), 1e-9);
  EXPECT_TRUE(std::isinf(r->wanted_logprobs[2]));
  EXPECT_NEAR(r->wanted_logprobs[3],
              std::log(std::exp(log_probability(logits, letters("y")[0])) +
                       std::exp(log_probability(logits, letters("z")[0]))),
              1e-9);
}

TEST(NextTokens, OnlyWhatIsNewIsComputed) {
  NextRig rig;
  std::vector<TokenId> tokens = long_prompt(100, 1);
  ASSERT_TRUE(rig.next(tokens, 3));
  EXPECT_EQ(rig.engine->stats().prefilled_tokens, 100u);
  const int steps = rig.model->steps;
  const auto again = rig.next(tokens, 0, {letters("q")});
  ASSERT_TRUE(again);
  EXPECT_EQ(rig.model->steps, steps);
  EXPECT_EQ(again->usage.cached_tokens, 100);
  EXPECT_NEAR(again->wanted_logprobs[0], log_probability(logits_after(tokens), letters("q")[0]), 1e-9);
  tokens.push_back(letters("q")[0]);
  const auto longer = rig.next(tokens, 1);
  EXPECT_EQ(longer->usage.cached_tokens, 100);
  tokens.back() = letters("r")[0];  // cut anew: another last token, and one more
  tokens.push_back(letters("s")[0]);
  const auto other = rig.next(tokens, 1);
  EXPECT_EQ(other->usage.cached_tokens, 100);
  EXPECT_EQ(rig.engine->stats().prefilled_tokens, 103u);
  NextRig fresh;
  const auto anew = fresh.next(tokens, 1);
  EXPECT_EQ(anew->top[0].bytes, other->top[0].bytes);
  EXPECT_EQ(anew->top[0].logprob_nats, other->top[0].logprob_nats);
}

TEST(NextTokens, KeptEndsMakeRoomForOthers) {
  EngineOptions options;
  options.prefix_max_bytes = 0;
  NextRig rig(options);
  for (int seed = 0; seed < 20; ++seed) ASSERT_TRUE(rig.next(long_prompt(64, seed), 1));
  const auto pages = [&] {
    const auto kv = rig.engine->kv().stats();
    return kv.pages_total - kv.pages_free;
  };
  EXPECT_EQ(pages(), 16u);  // the last eight
  (void)rig.engine->relieve(1);
  EXPECT_EQ(pages(), 0u);
  ASSERT_TRUE(rig.next(long_prompt(64, 1), 1));
  // A request that needs every page there is takes those of the kept end too.
  const auto capacity = static_cast<int>(rig.engine->kv().pages_capacity());
  const auto most = std::min(capacity * kPageTokens, 2048);
  const auto r = rig.alone(generate_job(long_prompt(8, 5), most - 8));
  EXPECT_TRUE(r) << r.error().line();
}

TEST(NextTokens, RefusesWhatMakesNoSense) {
  NextRig rig;
  EXPECT_FALSE(rig.next({}, 1));
  EXPECT_FALSE(rig.next(letters("a"), -1));
  EXPECT_FALSE(rig.next(letters("a"), 1, {{kVocab}}));
  EXPECT_FALSE(rig.next(long_prompt(2049, 1), 1));
}

}  // namespace
}  // namespace consort::mock
