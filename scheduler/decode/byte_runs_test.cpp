// Scores of bytes and sessions over the mock model, whose tokens are single characters: the only cover of a
// text is its own, so every number is known. Real vocabularies: tests/golden.
#include <gtest/gtest.h>

#include <cmath>

#include "scheduler/decode/engine_rig.h"

namespace consort::mock {
namespace {

ByteScoreJob score_job(const std::string& text, bool bos = true) {
  ByteScoreJob job;
  job.tokens = letters(text);
  job.text = text;
  if (bos) job.bos = kBos;
  return job;
}

// ln P(next | tokens, an ordinary token or the end).
double expected(std::vector<TokenId> tokens, TokenId next) {
  const auto logits = logits_after(tokens);
  double sum = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) sum += std::exp(static_cast<double>(logits[i]) - 5);
  return static_cast<double>(logits[static_cast<std::size_t>(next)]) - 5 - std::log(sum);
}

// A session driven by hand.
struct Talk {
  using Slot = std::shared_ptr<std::optional<Result<NextBytesResult>>>;
  explicit Talk(EngineRig& r, std::vector<TokenId> prompt, std::string given = {}, int strands = 1,
                int rewind = 0)
      : rig(r) {
    auto slot = post({});
    const Status opened =
        rig.engine->submit(ByteSessionJob{std::move(prompt), std::move(given), 256, strands, {}, box, rewind});
    EXPECT_TRUE(opened);
    run();
    last = *slot;
  }
  Slot post(std::vector<StrandStep> steps, bool close = false, bool path = false) {
    auto slot = std::make_shared<std::optional<Result<NextBytesResult>>>();
    const Status put = box->put(
        {std::move(steps), close, [slot](Result<NextBytesResult> r) { slot->emplace(std::move(r)); }, path});
    EXPECT_TRUE(put);
    return slot;
  }
  void run() {
    while (rig.engine->need().work) rig.step();
  }
  Result<NextBytesResult> say(std::vector<StrandStep> steps, bool close = false, bool path = false) {
    auto slot = post(std::move(steps), close, path);
    run();
    EXPECT_TRUE(slot->has_value());
    return std::move(**slot);
  }
  Result<NextBytesResult> say(const std::string& bytes) { return say({{0, bytes}}); }
  EngineRig& rig;
  std::shared_ptr<ByteMailbox> box = std::make_shared<ByteMailbox>();
  std::optional<Result<NextBytesResult>> last;
};

TEST(ByteScore, IsTheTokensOwnProbabilityWhereTokensAreBytes) {
  EngineRig rig;
  const std::string text = "A text of more than one page of the cache, so that chunks have to be cut anew.";
  for (const int context : {0, 20}) {
    auto job = score_job(text);
    job.context = context;
    const auto r = rig.alone(std::move(job));
    ASSERT_TRUE(r) << r.error().line();
    ASSERT_EQ(r->byte_logprobs.size(), text.size());
    std::vector<TokenId> seen = {kBos};
    double sum = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (static_cast<int>(seen.size()) == (context == 0 ? 2048 : context)) seen = {kBos};
      const TokenId id = letters(text.substr(i, 1)).front();
      EXPECT_NEAR(r->byte_logprobs[i], expected(seen, id), 1e-5) << i;
      EXPECT_NEAR(r->token_logprobs[i], log_probability(logits_after(seen), id), 1e-6);
      EXPECT_EQ(r->token_ends[i], static_cast<std::int64_t>(i + 1));
      EXPECT_EQ(r->kept[i], 1);
      sum += r->byte_logprobs[i];
      seen.push_back(id);
    }
    EXPECT_NEAR(r->log_mass, sum, 1e-9);
    EXPECT_EQ(r->forks, 0);
  }
  EXPECT_EQ(rig.engine->kv().stats().pages_free, rig.engine->kv().stats().pages_total);
}

TEST(ByteScore, TellsWhatWasExpectedWhereAsked) {
  EngineRig rig;
  const std::string text = "abcab";
  auto job = score_job(text, false);
  job.doubt = true;
  job.covers = false;
  const auto r = rig.alone(std::move(job));
  ASSERT_TRUE(r) << r.error().line();
  ASSERT_EQ(r->entropies.size(), text.size());
  EXPECT_TRUE(std::isnan(r->entropies[0]));
  EXPECT_EQ(r->guesses[0], -1);
  for (std::size_t i = 1; i < text.size(); ++i) {
    const auto logits = logits_after(letters(text.substr(0, i)));
    std::vector<double> p;
    double sum = 0, entropy = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    for (const float x : logits) p.push_back(std::exp(static_cast<double>(x)) / sum);
    for (const double q : p) entropy -= q > 0 ? q * std::log(q) : 0;
    const auto top = std::max_element(p.begin(), p.end());
    const std::string guess = LetterTokenizer().token_bytes(static_cast<TokenId>(top - p.begin()));
    EXPECT_NEAR(r->entropies[i], entropy, 1e-5);
    EXPECT_NEAR(r->firsts[i], *top, 1e-6);
    *top = 0;
    EXPECT_NEAR(r->seconds[i], *std::max_element(p.begin(), p.end()), 1e-6);
    EXPECT_EQ(r->guesses[i], guess.empty() ? -1 : static_cast<unsigned char>(guess[0]));
  }
  EXPECT_TRUE(rig.alone(score_job(text))->entropies.empty());
}

TEST(ByteScore, WithoutBosTheFirstTokenSaysNothing) {
  EngineRig rig;
  const auto r = rig.alone(score_job("abc", false));
  ASSERT_TRUE(r);
  EXPECT_TRUE(std::isnan(r->byte_logprobs[0]));
  EXPECT_TRUE(std::isnan(r->token_logprobs[0]));
  EXPECT_NEAR(r->byte_logprobs[1], expected(letters("a"), letters("b").front()), 1e-5);
  auto job = score_job("abc", false);
  job.prompt = letters("xy");
  const auto prompted = rig.alone(std::move(job));
  EXPECT_NEAR(prompted->byte_logprobs[0], expected(letters("xy"), letters("a").front()), 1e-5);
}

TEST(ByteScore, APromptStandsBeforeEveryChunk) {
  EngineRig rig;
  const std::string text = "abcdefgh";
  auto job = score_job(text);
  job.prompt = letters("xyz");
  job.context = 6;  // three tokens of the text at a time
  const auto r = rig.alone(std::move(job));
  ASSERT_TRUE(r) << r.error().line();
  ASSERT_EQ(r->byte_logprobs.size(), text.size());
  std::vector<TokenId> seen;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 0) seen = letters("xyz");
    const TokenId id = letters(text.substr(i, 1)).front();
    EXPECT_NEAR(r->byte_logprobs[i], expected(seen, id), 1e-5) << i;
    seen.push_back(id);
  }
  auto full = score_job(text);
  full.prompt = letters("xyz");
  full.context = 3;
  const Status refused = rig.engine->submit(std::move(full));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("the prompt with a token of its text has 4 tokens"), std::string::npos);
}

TEST(ByteScore, RefusesBytesWithoutAToken) {
  EngineRig rig;
  auto job = score_job("ab");
  job.text = "a\xff";
  EXPECT_FALSE(rig.engine->submit(std::move(job)));
  auto longer = score_job("ab");
  longer.text = "abc";
  EXPECT_FALSE(rig.engine->submit(std::move(longer)));
}

TEST(ByteSession, FollowsTheTextAndSleepsBetweenItsBytes) {
  EngineRig rig;
  Talk talk(rig, letters("Hello"));
  ASSERT_TRUE(*talk.last);
  std::vector<TokenId> seen = letters("Hello");
  Result<NextBytesResult> now = **talk.last;
  for (const char c : std::string(", world")) {
    ASSERT_TRUE(now) << now.error().line();
    double sum = 0;
    for (const double p : now->distribution(0)) sum += p;
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_NEAR(std::log(now->distribution(0)[256]), expected(seen, kEos), 1e-5);
    const TokenId id = letters(std::string(1, c)).front();
    EXPECT_NEAR(std::log(now->distribution(0)[static_cast<unsigned char>(c)]), expected(seen, id), 1e-5);
    const double p = now->distribution(0)[static_cast<unsigned char>(c)];
    now = talk.say(std::string(1, c));
    EXPECT_NEAR(now->logprobs_nats[0], std::log(p), 1e-12);
    EXPECT_FALSE(rig.engine->need().work);  // asleep, though its job is open
    EXPECT_FALSE(rig.engine->idle());
    seen.push_back(id);
  }
  EXPECT_TRUE(talk.say({}, true));
  EXPECT_TRUE(rig.engine->idle());
  EXPECT_FALSE(talk.box->put({{}, false, {}}));
}

TEST(ByteSession, SeveralBytesAtOnceAreTheSameAsOneByOne) {
  EngineRig rig;
  Talk one(rig, letters("abc")), all(rig, letters("abc"));
  for (const char c : std::string("def")) (void)one.say(std::string(1, c));
  const auto a = one.say("g"), b = all.say("defg");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->distributions, b->distributions);
  Talk healed(rig, letters("abcd"), "efg");  // as if the prompt's last bytes were covered anew
  EXPECT_EQ((*healed.last)->distributions, b->distributions);
  EXPECT_EQ((*healed.last)->logprobs_nats[0], 0);
}

TEST(ByteSession, StrandsGoTheirOwnWaysAsOneBatch) {
  EngineRig rig;
  Talk one(rig, letters("abc")), two(rig, letters("abc")), all(rig, letters("abc"), {}, 3);
  auto now = all.say({{0, "x"}, {0, "y"}, {0, "z"}});
  ASSERT_TRUE(now) << now.error().line();
  EXPECT_EQ(now->strands(), 3u);
  const auto steps_before = rig.engine->stats().steps;
  now = all.say({{1, "p"}, {1, "q"}, {0, "r"}});  // z ends
  ASSERT_TRUE(now);
  EXPECT_EQ(rig.engine->stats().steps, steps_before + 1);
  now = all.say({{2, ""}, {0, "!"}});
  ASSERT_TRUE(now);
  (void)one.say("xr");
  (void)two.say("yp");
  const auto a = one.say(""), b = two.say("!");
  ASSERT_EQ(now->strands(), 2u);
  for (std::size_t i = 0; i < 257; ++i) {
    EXPECT_EQ(now->distribution(0)[i], a->distribution(0)[i]);
    EXPECT_EQ(now->distribution(1)[i], b->distribution(0)[i]);
  }
  EXPECT_EQ(now->logprobs_nats[1], b->logprobs_nats[0]);
  EXPECT_FALSE(all.say({{0, "a"}, {2, "b"}}));                  // no such strand
  EXPECT_FALSE(all.say({{0, ""}, {0, ""}, {0, ""}, {0, ""}}));  // more than it was opened for
  EXPECT_TRUE(all.say({{1, "a"}}));                             // and is still there
  for (Talk* talk : {&one, &two, &all}) EXPECT_TRUE(talk->say({}, true));
  EXPECT_TRUE(rig.engine->idle());
  EXPECT_EQ(rig.engine->kv().stats().pages_shared, 0u);
}

TEST(ByteSession, APathHasARowForEachByteInOnePass) {
  EngineRig rig;
  Talk one(rig, letters("abc")), all(rig, letters("abc"), {}, 1, 8);
  const auto path = all.say({{0, "defgh"}}, false, true);
  ASSERT_TRUE(path) << path.error().line();
  ASSERT_EQ(path->path.size(), 5u * 257);
  EXPECT_EQ(path->passes, 1);
  for (std::size_t i = 0; i < 5; ++i) {
    const auto step = one.say(std::string(1, "defgh"[i]));
    const std::vector<double> row(path->path.begin() + static_cast<std::ptrdiff_t>(i) * 257,
                                  path->path.begin() + static_cast<std::ptrdiff_t>(i + 1) * 257);
    EXPECT_EQ(row, step->distributions) << i;
  }
  EXPECT_EQ(one.say({{0, ""}})->passes, 5);
  EXPECT_FALSE(all.say({{0, "a"}, {0, "b"}}, false, true));
}

TEST(ByteSession, BytesCanBeTakenBack) {
  EngineRig rig;
  Talk straight(rig, letters("abc")), talk(rig, letters("abc"), {}, 2, 6);
  const auto wanted = straight.say("dexy");
  ASSERT_TRUE(talk.say({{0, "defgh"}}, false, true));
  const auto got = talk.say({{0, "xy", 3}}, false, true);
  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(got->distributions, wanted->distributions);
  EXPECT_EQ(got->healed, 0);
  // Both strands of one text, each taken back its own way; then as far as there is.
  const auto both = talk.say({{0, "q", 1}, {0, "exy", 3}});
  ASSERT_TRUE(both) << both.error().line();
  EXPECT_EQ(std::vector<double>(both->distributions.begin() + 257, both->distributions.end()),
            wanted->distributions);
  EXPECT_FALSE(talk.say({{0, "x", 7}}));  // more than it was opened for
  EXPECT_FALSE(talk.say({{1, "x", 5}}));  // more than was written
  const auto begun = talk.say({{1, "dexy", 4}});
  ASSERT_TRUE(begun) << begun.error().line();
  EXPECT_EQ(begun->distributions, wanted->distributions);
  for (Talk* t : {&straight, &talk}) EXPECT_TRUE(t->say({}, true));
  EXPECT_TRUE(rig.engine->idle());
  EXPECT_EQ(rig.engine->kv().stats().pages_shared, 0u);
}

TEST(ByteSession, WhatIsNotAtHandAnyMoreIsEncodedAnew) {
  EngineRig rig;
  Talk talk(rig, letters("abc"), {}, 1, 200), straight(rig, letters("abc"));
  const std::string text(60, 'x');
  ASSERT_TRUE(talk.say(text));  // more states than are held
  const auto got = talk.say({{0, "yz", 59}}), wanted = straight.say("xyz");
  ASSERT_TRUE(got && wanted) << got.error().line();
  EXPECT_EQ(got->healed, 1);
  EXPECT_EQ(got->distributions, wanted->distributions);
}

TEST(ByteSession, ImpossibleBytesAreHealed) {
  EngineRig rig;
  Talk talk(rig, letters("abc"));
  const auto after = talk.say(
      "d\x01"
      "e");
  ASSERT_TRUE(after) << after.error().line();
  EXPECT_GE(after->healed, 1);
  EXPECT_LT(after->logprobs_nats[0], -80);
  std::vector<TokenId> seen = letters("abcde");  // what the tokenizer makes of it
  EXPECT_NEAR(std::log(after->distribution(0)['f']), expected(seen, letters("f").front()), 1e-5);
}

TEST(ByteSession, EndsAtItsLimitAndWithItsEngine) {
  EngineRig rig;
  Talk talk(rig, letters("abc"));
  const auto over = talk.say(std::string(400, 'x'));
  EXPECT_FALSE(over);
  auto slot = std::make_shared<std::optional<Result<NextBytesResult>>>();
  auto box = std::make_shared<ByteMailbox>();
  ASSERT_TRUE(box->put({{}, false, [slot](Result<NextBytesResult> r) { slot->emplace(std::move(r)); }}));
  ASSERT_TRUE(rig.engine->submit(ByteSessionJob{letters("abc"), {}, 64, 1, {}, box}));
  rig.engine.reset();
  ASSERT_TRUE(slot->has_value());
  EXPECT_FALSE(**slot);
}

}  // namespace
}  // namespace consort::mock
