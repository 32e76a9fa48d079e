// The whole way from a request to a text with real weights: hosts, engine, lane, pool. What the networks
// compute is held to references by tests/golden; here it must not depend on company, chunking or threads, and
// memory must add up.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "memory/device/process_memory.h"
#include "scheduler/host/model_directory.h"
#include "scheduler/host/test_channel.h"

namespace consort {
namespace {

std::string weights(const std::string& id) {
  const char* dir = std::getenv("CONSORT_MODELS_DIR");
  const char* home = std::getenv("HOME");
  const std::string root =
      dir != nullptr ? dir : std::string(home != nullptr ? home : ".") + "/.cache/consort/models";
  if (id == "smollm2-135m-instruct") return root + "/" + id + "/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (id == "gemma-3-270m") return root + "/" + id + "/gemma-3-270m-q4_k_m.gguf";
  return root + "/" + id;
}

struct RealRig {
  explicit RealRig(int threads = 2, EngineOptions engine = {}, std::size_t limit = std::size_t{2} << 30)
      : pool(*DevicePool::create_cpu(limit)), lane(*Lane::start(*pool, {.threads = threads})) {
    const auto resolve = [](const std::string& id) -> Result<ModelPlace> {
      if (!std::filesystem::exists(weights(id)))
        return fail(ErrorKind::kNotFound, "the test's weights are not there", weights(id),
                    "consort models pull " + id);
      return ModelPlace{weights(id), "", ""};
    };
    directory = *LocalModelDirectory::create(channel, *lane, make_model_loader(resolve), {.engine = engine});
    thread = std::thread([this] { io.run(); });
  }
  ~RealRig() {
    work.reset();
    io.stop();
    thread.join();
    directory.reset();
  }
  template <typename T>
  std::future<Result<T>> start(Async<T> task) {
    auto promise = std::make_shared<std::promise<Result<T>>>();
    boost::asio::co_spawn(io, std::move(task),
                          [promise](std::exception_ptr, Result<T> r) { promise->set_value(std::move(r)); });
    return promise->get_future();
  }
  template <typename T>
  Result<T> wait(Async<T> task) {
    return start(std::move(task)).get();
  }

  std::unique_ptr<DevicePool> pool;
  std::unique_ptr<Lane> lane;
  mock::TestChannel channel;
  std::unique_ptr<LocalModelDirectory> directory;
  boost::asio::io_context io;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work{
      io.get_executor()};
  std::thread thread;
};

std::vector<GenerateRequest> requests() {
  const char* topics[] = {"the tide", "a small robot", "gravity",       "how bread is baked",
                          "the moon", "a lighthouse",  "prime numbers", "a quiet village"};
  std::vector<GenerateRequest> out;
  for (std::size_t i = 0; i < 8; ++i) {
    GenerateRequest r;
    r.prompt.text =
        std::string("Here are some plain facts that everybody should know about ") + topics[i] + ":";
    r.max_tokens = 16 + static_cast<int>(i);
    r.ignore_eos = true;
    r.sampling.seed = i;
    out.push_back(r);
  }
  out[5].prompt.text = "A long list: " + [] {
    std::string s;
    for (int i = 0; i < 90; ++i) s += std::to_string(i * 37) + ", ";
    return s;
  }();
  return out;
}

class RealModel : public testing::TestWithParam<const char*> {};

TEST_P(RealModel, TextsAreTheSameAloneTogetherAndForAnyThreadsAndChunks) {
  std::vector<GenerateResult> alone;
  {
    RealRig rig(1);
    auto model = rig.wait(rig.directory->acquire(GetParam(), {}));
    ASSERT_TRUE(model) << model.error().line();
    for (GenerateRequest r : requests()) {
      r.bypass_prefix_cache = true;
      auto got = rig.wait(model->generate(r, {}));
      ASSERT_TRUE(got) << got.error().line();
      alone.push_back(*got);
    }
  }
  for (const EngineOptions& options :
       {EngineOptions{}, EngineOptions{.prefill_chunk = 23, .busy_prefill_chunk = 5}}) {
    RealRig rig(2, options);
    auto model = rig.wait(rig.directory->acquire(GetParam(), {}));
    ASSERT_TRUE(model) << model.error().line();
    std::vector<std::future<Result<GenerateResult>>> calls;
    for (const GenerateRequest& r : requests()) calls.push_back(rig.start(model->generate(r, {})));
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const auto got = calls[i].get();
      ASSERT_TRUE(got) << got.error().line();
      EXPECT_EQ(got->text, alone[i].text) << i;
      EXPECT_EQ(got->logprob_nats, alone[i].logprob_nats) << i;
    }
    const Value engine = rig.directory->find(GetParam())->stats().get("engine");
    EXPECT_GT(engine.get("largest_batch").as_integer(), 1);
  }
}

TEST_P(RealModel, ScoringForksThePromptAndAgreesWithGeneration) {
  RealRig rig;
  auto model = rig.wait(rig.directory->acquire(GetParam(), {}));
  ASSERT_TRUE(model) << model.error().line();
  ScoreRequest request;
  request.prompt.text = "The capital of France is";
  request.candidates = {" Paris", " a small green bicycle", " Berlin"};
  const auto scored = rig.wait(model->score(request, {}));
  ASSERT_TRUE(scored) << scored.error().line();
  EXPECT_GT(scored->candidates[0].logprob_nats, scored->candidates[1].logprob_nats);
  EXPECT_GT(scored->candidates[0].logprob_nats, scored->candidates[2].logprob_nats);
  const Value engine = rig.directory->find(GetParam())->stats().get("engine");
  EXPECT_EQ(engine.get("prefilled_tokens").as_integer(), scored->usage.prompt_tokens);
  EXPECT_EQ(engine.get("cached_tokens").as_integer(), 0);
}

TEST_P(RealModel, JointTokensSplitAtTheBoundary) {
  RealRig rig;
  auto model = rig.wait(rig.directory->acquire(GetParam(), {}));
  ASSERT_TRUE(model) << model.error().line();
  const auto score = [&](std::string prompt, std::vector<std::string> candidates, bool joint) {
    ScoreRequest request;
    request.prompt.text = std::move(prompt);
    request.candidates = std::move(candidates);
    request.joint = joint;
    request.bypass_prefix_cache = true;
    return rig.wait(model->score(std::move(request), {}));
  };
  // A border that the tokenizer keeps anyway: nothing changes.
  const auto apart = score("The capital of France is", {" Paris", " Berlin"}, false);
  const auto joint = score("The capital of France is", {" Paris", " Berlin"}, true);
  ASSERT_TRUE(apart && joint);
  EXPECT_EQ(apart->candidates[0].logprob_nats, joint->candidates[0].logprob_nats);
  EXPECT_EQ(joint->usage.cached_tokens, 0);
  // A border within a word: as one text the word keeps its token, so the whole is likelier than from pieces;
  // the bytes are the candidate's alone.
  const auto pieces = score("The capital of Fr", {"ance is Paris", "iesland is Paris"}, false);
  const auto whole = score("The capital of Fr", {"ance is Paris", "iesland is Paris"}, true);
  ASSERT_TRUE(pieces && whole);
  EXPECT_NE(pieces->candidates[0].logprob_nats, whole->candidates[0].logprob_nats);
  EXPECT_GT(whole->candidates[0].logprob_nats, whole->candidates[1].logprob_nats);
  EXPECT_EQ(whole->candidates[0].bytes, std::string("ance is Paris").size());
  // An empty candidate is scored by the prompt's own last token, never by nothing.
  const auto empty = score("The capital", {""}, true);
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->candidates[0].tokens, 1);
  ScoreRequest chat;
  chat.prompt.messages = {{"user", "hello"}};
  chat.prompt.plain_template = chat.joint = true;
  chat.candidates = {"yes"};
  EXPECT_FALSE(rig.wait(model->score(chat, {})));
}

TEST_P(RealModel, OwnersAddUpToWhatTheProcessHolds) {
  RealRig rig;
  const std::size_t before = process_memory().shared;
  {
    auto model = rig.wait(rig.directory->acquire(GetParam(), {}));
    ASSERT_TRUE(model) << model.error().line();
    ASSERT_TRUE(rig.wait(model->generate(requests()[5], {})));
    const PoolStats stats = rig.pool->stats();
    std::size_t sum = 0;
    for (const OwnerStats& o : stats.owners) sum += o.committed_bytes;
    EXPECT_EQ(sum, stats.committed_bytes);
    const auto held = static_cast<double>(process_memory().shared - before);
    EXPECT_NEAR(held, static_cast<double>(sum), 0.05 * static_cast<double>(sum));
  }
  ASSERT_TRUE(rig.directory->unload(GetParam()));
  for (const OwnerStats& o : rig.pool->stats().owners) EXPECT_EQ(o.owner.purpose, "activations");
}

INSTANTIATE_TEST_SUITE_P(Models, RealModel, testing::Values("smollm2-135m-instruct", "gemma-3-270m"),
                         [](const auto& info) { return std::string(info.param).substr(0, 5); });

}  // namespace
}  // namespace consort
