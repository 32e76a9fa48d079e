// Batches, turns, failures and the filling of steps.
#include "scheduler/decode/network_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "scheduler/decode/engine_rig.h"

namespace consort {
namespace {

using namespace mock;

struct NetworkRig {
  explicit NetworkRig(NetworkOptions options = {}, std::unique_ptr<Network> other = nullptr) {
    auto owned = std::make_unique<MockNetwork>();
    network = owned.get();
    if (!other) other = std::move(owned);
    engine = *NetworkEngine::create(std::move(other), options);
  }
  using Slot = std::shared_ptr<std::optional<Result<NetworkAnswer>>>;
  std::shared_ptr<std::vector<std::unique_ptr<Sample>>> samples(const std::vector<std::string>& texts) const {
    auto out = std::make_shared<std::vector<std::unique_ptr<Sample>>>();
    for (const std::string& text : texts) {
      NetworkInput input;
      input.text = text;
      out->push_back(*MockNetwork().prepare(input));
    }
    return out;
  }
  NetworkJob job(const std::vector<std::string>& texts, NetworkWants wants) const {
    NetworkJob out;
    const auto held = samples(texts);
    for (const auto& sample : *held) out.samples.push_back(sample.get());
    out.owner = held;
    out.wants = wants;
    return out;
  }
  Status submit(const std::vector<std::string>& texts, NetworkWants wants, Slot slot, JobTicket ticket = {}) {
    NetworkJob made = job(texts, wants);
    made.done = [slot](Result<NetworkAnswer> answer) { *slot = std::move(answer); };
    return engine->submit(std::move(made), std::move(ticket));
  }
  void run() {
    while (engine->need().work) engine->step(exec);
  }
  static Slot slot() { return std::make_shared<std::optional<Result<NetworkAnswer>>>(); }

  std::unique_ptr<DevicePool> pool = *DevicePool::create_cpu(8 * kGranuleBytes);
  ThreadPool threads{1};
  ScratchArena scratch{*pool, {"activations", "rig"}, 1u << 26};
  Exec exec{threads, scratch};
  MockNetwork* network = nullptr;
  std::shared_ptr<NetworkEngine> engine;
};

constexpr NetworkWants kEmbeddings{.embeddings = true}, kLogits{.logits = true};
constexpr NetworkWants kParts{.embeddings = true, .level = EmbeddingLevel::kPart};

std::vector<std::string> texts(int count, int salt) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i)
    out.push_back(std::string(static_cast<std::size_t>(1 + (i * 7 + salt) % 11),
                              static_cast<char>('a' + (i + salt) % 26)));
  return out;
}

std::vector<TokenId> ids(const std::string& text) {
  return LetterTokenizer().encode(text, {.add_special = true});
}

TEST(NetworkEngine, RowsComeBackInTheOrderOfTheirSamples) {
  NetworkRig rig({.samples_per_step = 4});
  const auto a = texts(9, 1), b = texts(9, 5);
  auto first = NetworkRig::slot(), second = NetworkRig::slot(), parts = NetworkRig::slot();
  ASSERT_TRUE(rig.submit(a, kEmbeddings, first));
  ASSERT_TRUE(rig.submit(b, kEmbeddings, second));
  ASSERT_TRUE(rig.submit(a, kParts, parts));
  rig.run();
  EXPECT_TRUE(rig.engine->idle());
  for (const auto& [slot, given] : {std::pair(first, a), std::pair(second, b)}) {
    ASSERT_TRUE(*slot && **slot);
    int tokens = 0;
    for (std::size_t i = 0; i < given.size(); ++i) {
      tokens += static_cast<int>(ids(given[i]).size());
      for (std::uint64_t k = 0; k < 4; ++k)
        EXPECT_EQ((**slot)->embeddings[i * 4 + k], MockNetwork::value(ids(given[i]), k));
    }
    EXPECT_EQ((**slot)->usage.prompt_tokens, tokens);
    EXPECT_EQ((**slot)->usage.flop, 5.0 * tokens);
  }
  ASSERT_TRUE(*parts && **parts);
  std::size_t row = 0;
  for (const std::string& text : a) {
    const std::vector<TokenId> all = ids(text);
    for (std::size_t n = 1; n <= all.size(); ++n, ++row)
      EXPECT_EQ((**parts)->embeddings[row * 4], MockNetwork::value({all.data(), n}, 0));
  }
  EXPECT_EQ((**parts)->embeddings.size(), row * 4);
  EXPECT_LE(rig.engine->stats().largest_batch, 4u);
}

TEST(NetworkEngine, DifferentWantsAreDifferentSteps) {
  NetworkRig rig;
  auto embedded = NetworkRig::slot(), judged = NetworkRig::slot();
  ASSERT_TRUE(rig.submit({"x", "yy"}, kEmbeddings, embedded));
  ASSERT_TRUE(rig.submit({"x", "yy"}, kLogits, judged));
  rig.engine->step(rig.exec);
  EXPECT_TRUE(embedded->has_value());
  EXPECT_FALSE(judged->has_value());
  rig.run();
  ASSERT_TRUE(*judged && **judged);
  EXPECT_EQ((**judged)->logits.size(), 6u);
  EXPECT_TRUE((**judged)->embeddings.empty());
}

TEST(NetworkEngine, ASmallRequestPassesABulkOneOfTheSameClass) {
  NetworkRig rig({.samples_per_step = 2});
  auto bulk = NetworkRig::slot(), small = NetworkRig::slot(), urgent = NetworkRig::slot();
  ASSERT_TRUE(rig.submit(texts(40, 1), kEmbeddings, bulk));
  rig.engine->step(rig.exec);
  ASSERT_TRUE(rig.submit({"small"}, kEmbeddings, small));
  rig.engine->step(rig.exec);
  rig.engine->step(rig.exec);
  EXPECT_TRUE(small->has_value());
  EXPECT_FALSE(bulk->has_value());
  ASSERT_TRUE(rig.submit(texts(40, 2), kEmbeddings, NetworkRig::slot(), {.work_class = WorkClass::kBatch}));
  ASSERT_TRUE(rig.submit({"urgent"}, kEmbeddings, urgent));
  rig.engine->step(rig.exec);
  rig.engine->step(rig.exec);
  EXPECT_TRUE(urgent->has_value());
  rig.run();
  EXPECT_TRUE(bulk->has_value());
}

TEST(NetworkEngine, WhatCannotBeDoneIsRefused) {
  NetworkRig rig({.max_queue = 2});
  const auto kind = [&](NetworkJob job) {
    const Status s = rig.engine->submit(std::move(job));
    return s ? std::string("accepted") : std::string(error_kind_name(s.error().kind));
  };
  EXPECT_EQ(kind({}), "invalid");
  EXPECT_EQ(kind(rig.job({"x"}, {})), "invalid");
  NetworkJob job = rig.job({"x"}, kEmbeddings);
  job.done = [](Result<NetworkAnswer>) {};
  EXPECT_EQ(kind(job), "accepted");
  EXPECT_EQ(kind(job), "accepted");
  EXPECT_EQ(kind(job), "unavailable");
  job.continues = true;  // of a request that was accepted
  EXPECT_EQ(kind(job), "accepted");
  rig.run();
  job.continues = false;
  rig.engine->close();
  EXPECT_EQ(kind(job), "unavailable");
}

TEST(NetworkEngine, AFailedStepCostsOneRequestOnly) {
  NetworkRig rig;
  auto elder = NetworkRig::slot(), younger = NetworkRig::slot();
  ASSERT_TRUE(rig.submit(texts(5, 1), kEmbeddings, elder));
  ASSERT_TRUE(rig.submit(texts(5, 2), kEmbeddings, younger));
  rig.network->fail_steps = 1;
  rig.run();
  ASSERT_TRUE(*younger && !**younger);
  EXPECT_EQ((**younger).error().kind, ErrorKind::kRuntime);
  ASSERT_TRUE(*elder && **elder);
  EXPECT_EQ((**elder)->embeddings[0], MockNetwork::value(ids(texts(5, 1)[0]), 0));
  EXPECT_EQ(rig.engine->stats().step_failures, 1u);
}

TEST(NetworkEngine, StopsAndDeadlinesEndRequests) {
  NetworkRig rig({.samples_per_step = 1});
  std::stop_source stop;
  auto stopped = NetworkRig::slot(), late = NetworkRig::slot(), left = NetworkRig::slot();
  ASSERT_TRUE(rig.submit(texts(9, 1), kEmbeddings, stopped, {.stop = stop.get_token()}));
  ASSERT_TRUE(rig.submit(texts(9, 2), kEmbeddings, late,
                         {.deadline = std::chrono::steady_clock::now() - std::chrono::milliseconds(1)}));
  rig.engine->step(rig.exec);
  stop.request_stop();
  rig.engine->step(rig.exec);
  EXPECT_EQ((**stopped).error().kind, ErrorKind::kCancelled);
  EXPECT_EQ((**late).error().kind, ErrorKind::kTimeout);
  ASSERT_TRUE(rig.submit(texts(9, 3), kEmbeddings, left));
  rig.engine->close();
  rig.engine->end_all();
  EXPECT_EQ((**left).error().kind, ErrorKind::kCancelled);
  EXPECT_TRUE(rig.engine->idle());
}

// Takes a millisecond a sample of 10^8 operations: steps must settle below ten samples, from a first guess
// of two.
class SlowNetwork final : public Network {
 public:
  SlowNetwork() { info_.dimension = 1; }
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput&) const override {
    auto sample = std::make_unique<Sample>();
    sample->tokens = 1;
    sample->flop = 1e8;
    return sample;
  }
  Status forward(Exec&, std::span<const Sample* const> samples, NetworkOutput&) override {
    batches.push_back(samples.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(samples.size()));
    return {};
  }
  std::vector<std::size_t> batches;

 private:
  NetworkInfo info_;
};

TEST(NetworkEngine, AStepIsFilledByMeasuredTime) {
  auto owned = std::make_unique<SlowNetwork>();
  SlowNetwork* slow = owned.get();
  std::vector<std::unique_ptr<Sample>> samples;
  for (int i = 0; i < 200; ++i) samples.push_back(*slow->prepare({}));
  NetworkRig rig({.step_ms = 10}, std::move(owned));
  NetworkJob job;
  for (const auto& sample : samples) job.samples.push_back(sample.get());
  job.wants = kEmbeddings;
  bool answered = false;
  job.done = [&](Result<NetworkAnswer> answer) { answered = answer.has_value(); };
  ASSERT_TRUE(rig.engine->submit(std::move(job)));
  rig.run();
  EXPECT_TRUE(answered);
  EXPECT_EQ(slow->batches.front(), 2u);
  const auto largest = *std::max_element(slow->batches.begin(), slow->batches.end());
  EXPECT_GT(largest, 2u);
  EXPECT_LE(largest, 10u);
}

TEST(NetworkEngine, AShortTurnOfTheLaneMakesAShortStep) {
  auto owned = std::make_unique<SlowNetwork>();
  SlowNetwork* slow = owned.get();
  std::vector<std::unique_ptr<Sample>> samples;
  for (int i = 0; i < 60; ++i) samples.push_back(*slow->prepare({}));
  NetworkRig rig({.step_ms = 10}, std::move(owned));
  NetworkJob job;
  for (const auto& sample : samples) job.samples.push_back(sample.get());
  job.wants = kEmbeddings;
  job.done = [](Result<NetworkAnswer>) {};
  ASSERT_TRUE(rig.engine->submit(std::move(job)));
  rig.engine->set_turn(TurnLength(3));  // a sample takes a millisecond
  for (int i = 0; i < 12; ++i) rig.engine->step(rig.exec);
  EXPECT_LE(*std::max_element(slow->batches.begin(), slow->batches.end()), 3u);
  rig.engine->set_turn(TurnLength(0.01));
  rig.engine->step(rig.exec);
  EXPECT_EQ(slow->batches.back(), 1u);  // at least one goes
  rig.engine->set_turn(kNoHurry);
  rig.engine->step(rig.exec);
  EXPECT_GT(slow->batches.back(), 3u);
  rig.run();
}

}  // namespace
}  // namespace consort
