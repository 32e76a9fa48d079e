// EngineRig: an engine over the mock model, stepped by hand. Only tests include it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/decode/language_engine.h"
#include "scheduler/decode/mock_model.h"
#include "scheduler/decode/sampler.h"

namespace consort::mock {

struct EngineRig {
  explicit EngineRig(EngineOptions options = {}, int threads = 2, KvLayout layout = {1, 1, 8, DType::kF32},
                     int context = 2048)
      : pool(*DevicePool::create_cpu(256 * kGranuleBytes)),
        compute(threads),
        scratch(*pool, {"activations", "rig"}, 1u << 28),
        exec{compute, scratch} {
    auto owned = std::make_unique<MockModel>(layout, context);
    model = owned.get();
    auto made = LanguageEngine::create(std::move(owned), std::make_shared<LetterTokenizer>(), *pool, options);
    EXPECT_TRUE(made) << made.error().line();
    engine = *made;
  }

  // Submits; the result appears in the returned slot.
  template <typename Job, typename R>
  std::shared_ptr<std::optional<Result<R>>> submit_as(Job job, JobTicket ticket = {}) {
    auto slot = std::make_shared<std::optional<Result<R>>>();
    job.done = [slot](Result<R> r) {
      EXPECT_FALSE(slot->has_value()) << "done was called twice";
      slot->emplace(std::move(r));
    };
    if (Status s = engine->submit(std::move(job), std::move(ticket)); !s) slot->emplace(forward_error(s));
    return slot;
  }
  auto submit(GenerateJob job, JobTicket t = {}) {
    return submit_as<GenerateJob, GenerateResult>(std::move(job), std::move(t));
  }
  auto submit(ScoreJob job, JobTicket t = {}) {
    return submit_as<ScoreJob, ScoreResult>(std::move(job), std::move(t));
  }
  auto submit(ScoreTextJob job) { return submit_as<ScoreTextJob, ScoreTextResult>(std::move(job)); }
  auto submit(ByteScoreJob job) { return submit_as<ByteScoreJob, ScoreBytesResult>(std::move(job)); }
  auto submit(LogitsJob job) { return submit_as<LogitsJob, LogitsResult>(std::move(job)); }

  void step() {
    engine->step(exec);
    const Status sound = engine->kv().check_integrity();
    ASSERT_TRUE(sound) << sound.error().line();
  }
  void run(int most = 100000) {
    while (engine->need().work && most-- > 0) step();
    EXPECT_FALSE(engine->need().work);
    EXPECT_TRUE(engine->idle());
  }
  template <typename Job>
  auto alone(Job job) {
    auto slot = submit(std::move(job));
    run();
    EXPECT_TRUE(slot->has_value());
    return std::move(**slot);
  }

  std::unique_ptr<DevicePool> pool;
  ThreadPool compute;
  ScratchArena scratch;
  Exec exec;
  MockModel* model = nullptr;
  std::shared_ptr<LanguageEngine> engine;
};

inline std::vector<TokenId> letters(std::string_view text) {
  return LetterTokenizer().encode(text);
}

// `tokens` characters, different for each seed.
inline std::vector<TokenId> long_prompt(int tokens, int seed) {
  std::vector<TokenId> out;
  std::uint64_t h = static_cast<std::uint64_t>(seed) + 99;
  for (int i = 0; i < tokens; ++i) out.push_back(static_cast<TokenId>(2 + (h = mix(h, 3)) % (kVocab - 2)));
  return out;
}

inline GenerateJob generate_job(std::vector<TokenId> prompt, int max_tokens, double temperature = 0,
                                std::uint64_t seed = 1) {
  GenerateJob job;
  job.prompt = std::move(prompt);
  job.max_tokens = max_tokens;
  job.sampling.temperature = temperature;
  job.sampling.seed = seed;
  return job;
}

}  // namespace consort::mock
