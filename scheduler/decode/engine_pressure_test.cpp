// Queues, cancellation, deadlines, failures and memory limits of the engine.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "scheduler/decode/engine_rig.h"
#include "scheduler/lane/lane.h"

namespace consort {
namespace {

using namespace mock;
using Slot = std::shared_ptr<std::optional<Result<GenerateResult>>>;
constexpr KvLayout kLargePages{2, 4, 1024, DType::kF16};  // 1 MiB a page

TEST(EnginePressure, AFullQueueRefuses) {
  EngineRig rig({.max_queue = 3});
  std::vector<Slot> slots;
  for (int i = 0; i < 5; ++i) slots.push_back(rig.submit(generate_job(letters("hello"), 5)));
  EXPECT_EQ((**slots[4]).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ((**slots[3]).error().kind, ErrorKind::kUnavailable);
  rig.run();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(**slots[static_cast<std::size_t>(i)]);
  EXPECT_EQ(rig.engine->stats().refused, 2u);
  EXPECT_EQ(rig.engine->stats().queue_peak, 3u);
  EXPECT_TRUE(rig.alone(generate_job(letters("hello"), 5)));  // there is room again
  rig.engine->close();
  EXPECT_EQ((**rig.submit(generate_job(letters("hello"), 5))).error().kind, ErrorKind::kUnavailable);
}

TEST(EnginePressure, ACancelledSequenceIsFreedWithinOneStep) {
  EngineRig rig({}, 1, kLargePages);
  std::stop_source running, waiting, scoring;
  GenerateJob job = generate_job(long_prompt(100, 1), 500);
  job.ignore_eos = job.bypass_prefix_cache = true;
  auto first = rig.submit(job, {.stop = running.get_token()});
  ScoreJob score{.prompt = long_prompt(100, 2),
                 .candidates = {long_prompt(200, 3), long_prompt(200, 4)},
                 .bytes = {1, 1},
                 .bypass_prefix_cache = true};
  auto second = rig.submit(score, {.stop = scoring.get_token()});
  for (int i = 0; i < 6; ++i) rig.step();
  EXPECT_FALSE(first->has_value());
  EXPECT_FALSE(second->has_value());
  EXPECT_GT(rig.engine->kv().stats().pages_total, 0u);
  running.request_stop();
  scoring.request_stop();
  rig.step();
  EXPECT_EQ((**first).error().kind, ErrorKind::kCancelled);
  EXPECT_EQ((**second).error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(rig.engine->kv().stats().pages_total, 0u);
  EXPECT_EQ(rig.pool->stats().committed_bytes, 0u);
  waiting.request_stop();
  auto third = rig.submit(job, {.stop = waiting.get_token()});
  const int steps = rig.model->steps;
  rig.step();
  EXPECT_EQ((**third).error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(rig.model->steps, steps);  // it never ran
  EXPECT_EQ(rig.engine->stats().cancelled, 3u);
}

TEST(EnginePressure, AStoppedTextIsHandedOutAsFarAsItCame) {
  EngineRig rig({}, 1, kLargePages);
  std::stop_source stop;
  GenerateJob job = generate_job(long_prompt(20, 1), 500);
  job.ignore_eos = job.bypass_prefix_cache = true;
  const auto whole = rig.alone(job);
  job.keep_partial = true;
  auto slot = rig.submit(job, {.stop = stop.get_token()});
  for (int i = 0; i < 8; ++i) rig.step();
  stop.request_stop();
  rig.step();
  ASSERT_TRUE(slot->has_value() && **slot);
  const GenerateResult& partial = ***slot;
  EXPECT_EQ(partial.finish_reason, "cancelled");
  EXPECT_EQ(partial.token_ids.size(), 8u);
  EXPECT_EQ(partial.token_ids, std::vector<TokenId>(whole->token_ids.begin(), whole->token_ids.begin() + 8));
  EXPECT_EQ(partial.text, *LetterTokenizer().decode(partial.token_ids));
  EXPECT_EQ(partial.usage.completion_tokens, 8);
  EXPECT_EQ(rig.engine->kv().stats().pages_total, 0u);       // one step, and its memory is free
  auto never = rig.submit(job, {.stop = stop.get_token()});  // stopped before it began
  const int steps = rig.model->steps;
  rig.step();
  EXPECT_EQ((**never)->finish_reason, "cancelled");
  EXPECT_TRUE((**never)->token_ids.empty());
  EXPECT_EQ(rig.model->steps, steps);
}

TEST(EnginePressure, ADeadlineEndsTheRequest) {
  EngineRig rig;
  GenerateJob job = generate_job(letters("abc"), 2000);
  job.ignore_eos = true;
  const auto start = std::chrono::steady_clock::now();
  auto slot = rig.submit(job, {.deadline = start + std::chrono::milliseconds(5)});
  auto other = rig.submit(generate_job(letters("xyz"), 3));
  rig.run();
  EXPECT_EQ((**slot).error().kind, ErrorKind::kTimeout);
  EXPECT_TRUE(**other);
  EXPECT_EQ(rig.engine->stats().timed_out, 1u);
}

TEST(EnginePressure, AFailedStepCostsTheYoungestRequestOnly) {
  for (const bool throws : {false, true}) {
    EngineRig rig;
    GenerateJob job = generate_job(letters("elder"), 30);
    job.ignore_eos = true;
    const auto expected = rig.alone(job)->text;
    auto elder = rig.submit(job);
    rig.step();
    auto younger = rig.submit(generate_job(letters("younger"), 30));
    rig.step();
    (throws ? rig.model->throw_steps : rig.model->fail_steps) = 3;
    rig.run();
    ASSERT_FALSE(**younger);
    EXPECT_EQ((**younger).error().kind, throws ? ErrorKind::kMemory : ErrorKind::kRuntime);
    ASSERT_TRUE(**elder);
    EXPECT_EQ((**elder)->text, expected);
    EXPECT_EQ(rig.engine->stats().step_failures, 1u);
  }
}

TEST(EnginePressure, RequestsWaitForMemoryInsteadOfFailing) {
  // 16 pages of 32 tokens: two requests of 8 pages at a time.
  EngineRig rig({.kv_max_bytes = 8 * kGranuleBytes}, 2, kLargePages);
  std::vector<GenerateJob> jobs;
  std::vector<Slot> slots;
  for (int i = 0; i < 7; ++i) {
    jobs.push_back(generate_job(long_prompt(150, i), 100, 0.8, static_cast<std::uint64_t>(i)));
    jobs.back().ignore_eos = true;
    slots.push_back(rig.submit(jobs.back()));
  }
  auto huge = rig.submit(generate_job(long_prompt(500, 1), 300));
  rig.run();
  EXPECT_EQ((**huge).error().kind, ErrorKind::kMemory);
  EXPECT_LE(rig.engine->stats().largest_batch, 2u);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    ASSERT_TRUE(**slots[i]) << (**slots[i]).error().line();
    EngineRig alone({}, 1);
    EXPECT_EQ((**slots[i])->text, alone.alone(jobs[i])->text);
  }
}

TEST(EnginePressure, ScoringUsesFewerBranchesWhenMemoryIsSmall) {
  EngineRig rig({.kv_max_bytes = 4 * kGranuleBytes}, 2, kLargePages);  // 8 pages
  ScoreJob job{.prompt = long_prompt(70, 1)};
  for (int i = 0; i < 12; ++i) {
    job.candidates.push_back(long_prompt(20, i + 5));
    job.bytes.push_back(20);
  }
  const auto small = rig.alone(job);
  ASSERT_TRUE(small) << small.error().line();
  EXPECT_EQ(rig.engine->stats().prefilled_tokens, 70u + 12 * 20);
  EngineRig roomy;
  const auto large = roomy.alone(job);
  for (std::size_t i = 0; i < 12; ++i)
    EXPECT_EQ(small->candidates[i].logprob_nats, large->candidates[i].logprob_nats);
}

TEST(EnginePressure, AnotherOwnerTakesWhatThePrefixTreeHolds) {
  EngineRig rig({}, 1, kLargePages);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(rig.alone(generate_job(long_prompt(200, i), 4)));
  const std::size_t held = rig.engine->kv().stats().bytes_committed;
  EXPECT_GT(held, 50u << 20);
  rig.pool->set_pressure_hook([&](std::size_t bytes) { return rig.engine->relieve(bytes); });
  auto weights = rig.pool->allocate(240 * kGranuleBytes, {"weights", "another"});
  EXPECT_TRUE(weights) << weights.error().line();
  EXPECT_LT(rig.engine->kv().stats().bytes_committed, held);
  EXPECT_TRUE(rig.alone(generate_job(long_prompt(200, 1), 4)));
  rig.pool->set_pressure_hook({});
}

TEST(EnginePressure, ThePrefixTreeStaysWithinItsShare) {
  EngineRig rig({.prefix_max_bytes = 10 << 20}, 1, kLargePages);  // 10 pages
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(rig.alone(generate_job(long_prompt(100, i), 4)));
    EXPECT_LE(rig.engine->kv().stats().pages_in_tree, 13u);  // 10 and what the last request held at its end
  }
  EXPECT_EQ(rig.alone(generate_job(long_prompt(100, 19), 4))->usage.cached_tokens, 96);
  EXPECT_EQ(rig.alone(generate_job(long_prompt(100, 1), 4))->usage.cached_tokens, 0);
}

TEST(EnginePressure, RandomTrafficIsReproducibleAndLeavesNothingBehind) {
  std::vector<std::string> texts[2];
  for (int round = 0; round < 2; ++round) {
    std::mt19937 rng(11);
    EngineRig rig({.max_sequences = 6, .max_queue = 40, .kv_max_bytes = 40 * kGranuleBytes}, 1 + round,
                  kLargePages);
    std::vector<Slot> slots;
    std::vector<std::stop_source> stops(60);
    for (int i = 0; i < 60; ++i) {
      auto prompt = long_prompt(static_cast<int>(rng() % 90), static_cast<int>(rng() % 3));
      const auto own = long_prompt(1 + static_cast<int>(rng() % 60), i);
      prompt.insert(prompt.end(), own.begin(), own.end());
      GenerateJob job = generate_job(prompt, 1 + static_cast<int>(rng() % 60), 1.0, rng());
      const bool cancel = rng() % 6 == 0;
      const auto work_class = static_cast<WorkClass>(rng() % 2);
      slots.push_back(rig.submit(
          job, {.work_class = work_class, .stop = stops[static_cast<std::size_t>(i)].get_token()}));
      for (unsigned n = rng() % (round == 0 ? 9 : 9); n > 0; --n) rig.step();
      if (cancel) stops[static_cast<std::size_t>(i)].request_stop();
      if (::testing::Test::HasFatalFailure()) return;
    }
    rig.run();
    for (const Slot& slot : slots) texts[round].push_back(**slot ? (**slot)->text : (**slot).error().what);
    EXPECT_EQ(rig.engine->stats().running_sequences, 0u);
    rig.engine->kv().clear_prefixes();
    EXPECT_EQ(rig.pool->stats().committed_bytes, 0u);
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(EnginePressure, OnALaneManyThreadsAreServed) {
  auto pool = *DevicePool::create_cpu(256 * kGranuleBytes);
  auto lane = *Lane::start(*pool, {.threads = 2});
  auto engine =
      *LanguageEngine::create(std::make_unique<MockModel>(), std::make_shared<LetterTokenizer>(), *pool);
  engine->set_waker([&] { lane->wake(); });
  lane->attach(engine);
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        std::promise<Result<GenerateResult>> promise;
        GenerateJob job = generate_job(long_prompt(20 + t, i), 10);
        job.ignore_eos = true;
        job.done = [&](Result<GenerateResult> r) { promise.set_value(std::move(r)); };
        ASSERT_TRUE(engine->submit(std::move(job)));
        const auto r = promise.get_future().get();
        ASSERT_TRUE(r);
        ASSERT_EQ(r->token_ids.size(), 10u);
      }
    });
  }
  for (auto& c : callers) c.join();
  lane->detach(engine);
  EXPECT_EQ(engine->stats().accepted, 20u);
}

}  // namespace
}  // namespace consort
