#include "scheduler/decode/language_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "scheduler/decode/engine_rig.h"

namespace consort {
namespace {

using namespace mock;
using Tokens = std::vector<TokenId>;

// The plain loop: what greedy decoding must give.
Tokens greedy_path(Tokens tokens, int n) {
  Tokens out;
  for (int i = 0; i < n; ++i) {
    out.push_back(argmax(logits_after(tokens)));
    tokens.push_back(out.back());
  }
  return out;
}

double path_logprob(Tokens tokens, const Tokens& next) {
  double sum = 0;
  for (const TokenId t : next) {
    sum += log_probability(logits_after(tokens), t);
    tokens.push_back(t);
  }
  return sum;
}

TEST(LanguageEngine, GreedyEqualsThePlainLoop) {
  EngineRig rig;
  GenerateJob job = generate_job(letters("Tell me a story"), 40);
  job.ignore_eos = true;
  std::string streamed;
  Tokens streamed_ids;
  job.on_text = [&](std::string_view text, std::span<const TokenId> ids) {
    streamed += text;
    streamed_ids.insert(streamed_ids.end(), ids.begin(), ids.end());
  };
  const auto r = rig.alone(job);
  ASSERT_TRUE(r) << r.error().line();
  const Tokens expected = greedy_path(job.prompt, 40);
  EXPECT_EQ(r->token_ids, expected);
  EXPECT_EQ(r->text, *LetterTokenizer().decode(expected));
  EXPECT_EQ(streamed, r->text);
  EXPECT_EQ(streamed_ids, r->token_ids);
  EXPECT_EQ(r->finish_reason, "length");
  EXPECT_NEAR(r->logprob_nats, path_logprob(job.prompt, expected), 1e-4);
  EXPECT_EQ(r->usage.prompt_tokens, 15);
  EXPECT_EQ(r->usage.completion_tokens, 40);
  // 15 prompt tokens and 39 drawn ones were computed; the last one was not needed.
  EXPECT_EQ(r->usage.flop, 54 * 10 + 53 * 54 / 2);
  const EngineStats s = rig.engine->stats();
  EXPECT_EQ(s.prefilled_tokens, 15u);
  EXPECT_EQ(s.decoded_tokens, 39u);
  EXPECT_EQ(s.steps, 40u);
  EXPECT_EQ(s.logits_bytes, 0u);  // nothing runs: the buffer went back
}

TEST(LanguageEngine, EndTokenAndStopStringsEndTheText) {
  EngineRig rig;
  int seed = 0;  // a prompt whose greedy path meets the end token
  Tokens path;
  for (; seed < 500; ++seed) {
    path = greedy_path(long_prompt(5, seed), 30);
    if (const auto at = std::find(path.begin(), path.end(), kEos); at != path.end() && at - path.begin() > 6)
      break;
  }
  ASSERT_LT(seed, 500);
  const auto eos = std::find(path.begin(), path.end(), kEos) - path.begin();
  const auto stopped = rig.alone(generate_job(long_prompt(5, seed), 30));
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->finish_reason, "stop");
  EXPECT_EQ(stopped->token_ids, Tokens(path.begin(), path.begin() + eos));

  GenerateJob on = generate_job(long_prompt(5, seed), 30);
  on.ignore_eos = true;
  EXPECT_EQ(rig.alone(on)->token_ids, path);

  GenerateJob job = generate_job(long_prompt(5, seed), 30);
  const std::string text = stopped->text;
  job.stop = {text.substr(3, 3)};
  const auto cut = rig.alone(job);
  EXPECT_EQ(cut->finish_reason, "stop");
  EXPECT_EQ(cut->text, text.substr(0, text.find(job.stop[0])));
  EXPECT_EQ(cut->text, *LetterTokenizer().decode(cut->token_ids));
}

TEST(LanguageEngine, ATextDoesNotDependOnNeighboursChunksOrThreads) {
  std::vector<GenerateJob> jobs;
  for (int i = 0; i < 8; ++i) {
    Tokens prompt = long_prompt(60, i / 3);  // some share their beginning
    const Tokens own = long_prompt(5 + 37 * i, 100 + i);
    prompt.insert(prompt.end(), own.begin(), own.end());
    jobs.push_back(generate_job(prompt, 20 + i * 3, 0.9, static_cast<std::uint64_t>(i)));
    jobs.back().sampling.repetition_penalty = 1.1;
  }
  std::vector<GenerateResult> alone;
  for (const auto& job : jobs) {
    EngineRig rig({}, 1);
    alone.push_back(*rig.alone(job));
  }
  for (const int chunk : {1, 7, 32, 256}) {
    for (const int threads : {1, 3}) {
      EngineRig rig({.prefill_chunk = chunk, .busy_prefill_chunk = std::max(1, chunk / 4)}, threads);
      std::vector<std::shared_ptr<std::optional<Result<GenerateResult>>>> slots;
      for (const auto& job : jobs) {
        slots.push_back(rig.submit(job));
        rig.step();  // they arrive while others run
      }
      rig.run();
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        ASSERT_TRUE(**slots[i]);
        EXPECT_EQ((**slots[i])->token_ids, alone[i].token_ids);
        EXPECT_EQ((**slots[i])->text, alone[i].text);
        EXPECT_EQ((**slots[i])->logprob_nats, alone[i].logprob_nats);
      }
      if (chunk >= 256) {
        EXPECT_GE(rig.engine->stats().largest_batch, 6u);
      }
      EXPECT_LE(rig.engine->stats().largest_prefill, static_cast<std::size_t>(chunk));
    }
  }
}

TEST(LanguageEngine, ScoringPrefillsPromptAndCandidatesExactlyOnce) {
  EngineRig rig;
  ScoreJob job;
  job.prompt = long_prompt(75, 1);
  std::size_t sum = 0;
  for (int i = 0; i < 40; ++i) {  // more than max_sequences
    job.candidates.push_back(long_prompt(1 + i % 9, 50 + i));
    job.bytes.push_back(job.candidates.back().size());
    sum += job.candidates.back().size();
  }
  const auto r = rig.alone(job);
  ASSERT_TRUE(r) << r.error().line();
  ASSERT_EQ(r->candidates.size(), 40u);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_NEAR(r->candidates[i].logprob_nats, path_logprob(job.prompt, job.candidates[i]), 1e-4) << i;
    EXPECT_EQ(r->candidates[i].tokens, static_cast<int>(job.candidates[i].size()));
  }
  const EngineStats s = rig.engine->stats();
  EXPECT_EQ(s.prefilled_tokens, 75 + sum);
  EXPECT_EQ(s.decoded_tokens, 0u);
  EXPECT_EQ(s.cached_tokens, 0u);
  EXPECT_EQ(r->usage.prompt_tokens, static_cast<int>(75 + sum));

  // Again: the prompt's whole pages are remembered, the rest is computed anew, the result is the same.
  const auto again = rig.alone(job);
  EXPECT_EQ(rig.engine->stats().prefilled_tokens, 2 * (75 + sum) - 64);
  EXPECT_EQ(again->usage.cached_tokens, 64);
  for (std::size_t i = 0; i < 40; ++i)
    EXPECT_EQ(again->candidates[i].logprob_nats, r->candidates[i].logprob_nats);
}

TEST(LanguageEngine, BranchesOfOnePromptPrefillPrefixAndSuffixesOnly) {
  EngineRig rig;
  const Tokens prefix = long_prompt(301, 9);
  std::size_t sum = 0;
  std::vector<std::shared_ptr<std::optional<Result<GenerateResult>>>> slots;
  std::vector<GenerateJob> jobs;
  for (int k = 0; k < 8; ++k) {
    Tokens prompt = prefix;
    prompt.push_back(2 + k);  // the suffixes differ from their first token on
    const Tokens suffix = long_prompt(3 + 5 * k, 70 + k);
    prompt.insert(prompt.end(), suffix.begin(), suffix.end());
    sum += prompt.size() - prefix.size();
    jobs.push_back(generate_job(prompt, 10));
    slots.push_back(rig.submit(jobs.back()));  // all at once
  }
  rig.run();
  const EngineStats s = rig.engine->stats();
  EXPECT_EQ(s.prefilled_tokens, prefix.size() + sum);
  EXPECT_EQ(s.cached_tokens, 7 * prefix.size());
  for (std::size_t k = 0; k < 8; ++k) {
    GenerateJob fresh = jobs[k];
    fresh.bypass_prefix_cache = true;
    EXPECT_EQ((**slots[k])->text, rig.alone(fresh)->text);
  }
}

TEST(LanguageEngine, BypassNeitherReadsNorFillsThePrefixTree) {
  EngineRig rig;
  GenerateJob job = generate_job(long_prompt(200, 3), 4);
  job.bypass_prefix_cache = true;
  ASSERT_TRUE(rig.alone(job));
  EXPECT_EQ(rig.engine->stats().kv.pages_in_tree, 0u);
  EXPECT_EQ(rig.pool->stats().committed_bytes, 0u);
  job.bypass_prefix_cache = false;
  ASSERT_TRUE(rig.alone(job));
  EXPECT_EQ(rig.alone(job)->usage.cached_tokens, 192);
  job.bypass_prefix_cache = true;
  EXPECT_EQ(rig.alone(job)->usage.cached_tokens, 0);
}

TEST(LanguageEngine, TextNllIsTheSumOverChunksOfTheirOwn) {
  const Tokens text = long_prompt(250, 4);
  for (const bool bos : {true, false}) {
    EngineRig rig;
    ScoreTextJob job;
    job.tokens = text;
    job.context = 64;
    job.file_bytes = 999;
    if (bos) job.bos = kBos;
    const auto r = rig.alone(job);
    ASSERT_TRUE(r) << r.error().line();
    double nll = 0;
    std::size_t scored = 0;
    const std::size_t room = bos ? 63 : 64;
    for (std::size_t at = 0; at < text.size(); at += room) {
      Tokens chunk(text.begin() + static_cast<std::ptrdiff_t>(at),
                   text.begin() + static_cast<std::ptrdiff_t>(std::min(text.size(), at + room)));
      Tokens before{bos ? kBos : chunk.front()};
      if (!bos) chunk.erase(chunk.begin());
      nll -= path_logprob(before, chunk);
      scored += chunk.size();
    }
    EXPECT_NEAR(r->nll_nats, nll, 1e-3);
    EXPECT_EQ(r->scored_tokens, static_cast<std::int64_t>(scored));
    EXPECT_EQ(r->bytes, scored);
    EXPECT_EQ(r->tokens, 250);
    EXPECT_EQ(r->file_bytes, 999u);
    EXPECT_EQ(rig.engine->stats().kv.pages_in_tree, 0u);
  }
}

TEST(LanguageEngine, LogitsOfEveryPosition) {
  EngineRig rig;
  LogitsJob job;
  job.tokens = long_prompt(70, 8);
  job.top = 5;
  const auto r = rig.alone(job);
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(describe(r->top_ids.view), "i32 [70, 5]");
  for (std::size_t i = 0; i < 70; ++i) {
    const auto row = logits_after(std::span(job.tokens).first(i + 1));
    EXPECT_EQ(r->top_ids.view.as<std::int32_t>()[i * 5], argmax(row));
    EXPECT_NEAR(r->logsumexp.view.as<float>()[i], log_sum_exp(row), 1e-5);
    for (std::size_t k = 0; k < 5; ++k) {
      const auto id = static_cast<std::size_t>(r->top_ids.view.as<std::int32_t>()[i * 5 + k]);
      EXPECT_EQ(r->top_logits.view.as<float>()[i * 5 + k], row[id]);
      if (k > 0) {
        EXPECT_LE(r->top_logits.view.as<float>()[i * 5 + k], r->top_logits.view.as<float>()[i * 5 + k - 1]);
      }
    }
    if (i == 69) {
      EXPECT_TRUE(std::equal(row.begin(), row.end(), r->last.view.as<float>()));
    }
  }
}

TEST(LanguageEngine, BadRequestsAreRefusedWithAClearText) {
  EngineRig rig({}, 1, {1, 1, 8, DType::kF32}, 64);
  const auto error = [&](auto job) {
    auto slot = rig.submit(std::move(job));
    EXPECT_TRUE(slot->has_value() && !**slot);
    return slot->has_value() && !**slot ? (**slot).error() : Error{};
  };
  const Error beyond = error(generate_job(long_prompt(65, 1), 4));
  EXPECT_EQ(beyond.kind, ErrorKind::kInvalid);
  EXPECT_NE(beyond.what.find("65 tokens"), std::string::npos);
  EXPECT_NE(beyond.what.find("holds 64"), std::string::npos);
  EXPECT_EQ(error(generate_job({}, 4)).kind, ErrorKind::kInvalid);
  EXPECT_EQ(error(generate_job({kVocab}, 4)).kind, ErrorKind::kInvalid);
  EXPECT_EQ(error(generate_job({-1}, 4)).kind, ErrorKind::kInvalid);
  EXPECT_EQ(error(generate_job({5}, 0)).kind, ErrorKind::kInvalid);
  EXPECT_EQ(error(generate_job({5}, 4, -1.0)).kind, ErrorKind::kInvalid);
  GenerateJob stops = generate_job({5}, 4);
  stops.stop = {""};
  EXPECT_EQ(error(stops).kind, ErrorKind::kInvalid);
  EXPECT_EQ(error(ScoreJob{.prompt = {5}}).kind, ErrorKind::kInvalid);
  EXPECT_EQ(error(ScoreJob{.prompt = {5}, .candidates = {{}}, .bytes = {0}}).kind, ErrorKind::kInvalid);
  EXPECT_EQ(
      error(ScoreJob{.prompt = long_prompt(60, 1), .candidates = {long_prompt(5, 2)}, .bytes = {5}}).kind,
      ErrorKind::kInvalid);
  EXPECT_EQ(error(ScoreTextJob{.tokens = {5}, .context = 65}).kind, ErrorKind::kInvalid);
  EXPECT_EQ(error(LogitsJob{.tokens = {5}, .top = kVocab + 1}).kind, ErrorKind::kInvalid);
  // A prompt that fills the context still yields one token.
  const auto last = rig.alone(generate_job(long_prompt(64, 1), 10));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->finish_reason, "length");
  EXPECT_EQ(last->token_ids.size(), 1u);
}

TEST(LanguageEngine, CannotBeMadeWithNonsense) {
  auto pool = *DevicePool::create_cpu(8 * kGranuleBytes);
  auto make = [&](EngineOptions o) {
    return LanguageEngine::create(std::make_unique<MockModel>(), std::make_shared<LetterTokenizer>(), *pool,
                                  o);
  };
  EXPECT_FALSE(make({.max_sequences = 0}));
  EXPECT_FALSE(make({.prefill_chunk = 0}));
  EXPECT_FALSE(make({.kv_max_bytes = 100}));
  EXPECT_TRUE(make({.max_context = 10}));
}

}  // namespace
}  // namespace consort
