// Hosts, clients and directories over the mock model and a bus of this process.
#include "scheduler/host/model_host.h"

#include <gtest/gtest.h>

#include "scheduler/host/host_rig.h"

namespace consort {
namespace {

using namespace mock;
using std::chrono::milliseconds;

TEST(ModelHost, GeneratesAndStreamsOverTheBus) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  for (const bool swapped : {false, true}) {
    rig.channel.swap_chunks(swapped);
    std::string streamed;
    std::vector<TokenId> ids;
    const auto r =
        rig.wait(model.generate(story(300), {}, [&](std::string_view text, const std::vector<TokenId>& more) {
          streamed += text;
          ids.insert(ids.end(), more.begin(), more.end());
        }));
    ASSERT_TRUE(r) << r.error().line();
    EXPECT_EQ(r->token_ids.size(), 300u);
    EXPECT_EQ(streamed, r->text);  // more chunks than the first grant of credits
    EXPECT_EQ(ids, r->token_ids);
    EXPECT_EQ(r->usage.prompt_tokens, 17);  // with BOS
  }
  EXPECT_EQ(rig.loads, 1);
}

TEST(ModelHost, AllKindsOfRequests) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  const ModelHandle encoder = rig.acquire("encoder");
  ScoreRequest score;
  score.prompt.text = "The answer is";
  score.candidates = {" yes", " no", " maybe"};
  const auto scored = rig.wait(model.score(score, {}));
  ASSERT_TRUE(scored) << scored.error().line();
  EXPECT_EQ(scored->candidates.size(), 3u);
  EXPECT_EQ(scored->candidates[0].bytes, 4u);
  EXPECT_LT(scored->candidates[0].logprob_nats, 0);
  const auto nll = rig.wait(model.score_text({"some longer text to score", 10}, {}));
  ASSERT_TRUE(nll) << nll.error().line();
  EXPECT_EQ(nll->scored_tokens, 25);
  const auto logits = rig.wait(model.logits({{3, 4, 5}, 4}, {}));
  ASSERT_TRUE(logits) << logits.error().line();
  EXPECT_EQ(describe(logits->top_logits.view), "f32 [3, 4]");
  const auto vectors =
      rig.wait(encoder.embed({text_inputs({"one", "a text that is much too long for it"}), "query", {}}, {}));
  ASSERT_TRUE(vectors) << vectors.error().line();
  EXPECT_EQ(vectors->truncated, (std::vector<bool>{false, true}));
  EXPECT_EQ(vectors->tokens, (std::vector<int>{7, 16}));
  EXPECT_EQ(vectors->embeddings.view.as<float>()[0],
            MockNetwork::value(LetterTokenizer().encode("q: one", {.add_special = true}), 0));
  const auto pong = rig.wait(model.ping(Value::object({{"n", 5}}), {}));
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->get("n").as_integer(), 5);

  EXPECT_EQ(rig.wait(encoder.generate(story(), {})).error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(rig.wait(model.embed({text_inputs({"x"}), "", {}}, {})).error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(rig.wait(encoder.embed({text_inputs({"x"}), "passage", {}}, {})).error().kind,
            ErrorKind::kInvalid);
  GenerateRequest chat;
  chat.prompt.messages = {{"user", "hi"}, {"user", "<eos>"}};
  const auto refused = rig.wait(model.generate(chat, {}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);  // no chat template
  chat.prompt.plain_template = true;
  chat.max_tokens = 2;
  EXPECT_EQ(rig.wait(model.generate(chat, {}))->usage.prompt_tokens, 8);  // BOS h i < e o s >
  GenerateRequest beyond;
  beyond.prompt.text = std::string(3000, 'x');
  const auto too_long = rig.wait(model.generate(beyond, {}));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(too_long.error().what.find("3001 tokens"), std::string::npos);
}

TEST(ModelHost, WithTheBusPausedNoCallCompletes) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  rig.channel.pause();
  auto future = rig.start(model.generate(story(3), {}));
  EXPECT_EQ(future.wait_for(milliseconds(100)), std::future_status::timeout);
  RequestContext hurried;
  hurried.deadline = std::chrono::steady_clock::now() + milliseconds(30);
  const auto late = rig.wait(model.generate(story(3), hurried));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kTimeout);
  rig.channel.resume();
  EXPECT_TRUE(future.get());
}

TEST(ModelHost, StoppingACallFreesItsSequence) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  std::stop_source stop;
  RequestContext context;
  context.stop = stop.get_token();
  GenerateRequest r = story(1500);
  r.bypass_prefix_cache = true;
  std::promise<void> began;
  std::atomic<bool> first{true};
  auto future = rig.start(model.generate(r, context, [&](std::string_view, const std::vector<TokenId>&) {
    if (first.exchange(false)) began.set_value();
  }));
  began.get_future().wait();
  stop.request_stop();
  EXPECT_EQ(future.get().error().kind, ErrorKind::kCancelled);
  const auto cancelled = [&] {
    return rig.directory->find("a")->stats().get("engine").get("cancelled").as_integer();
  };
  for (int i = 0; i < 500 && cancelled() == 0; ++i) std::this_thread::sleep_for(milliseconds(5));
  const Value stats = rig.directory->find("a")->stats();
  EXPECT_EQ(stats.get("engine").get("cancelled").as_integer(), 1);
  EXPECT_EQ(stats.get("kv").get("pages").as_integer(), 0);
}

TEST(ModelHost, AStoppedCallBringsItsTextWhereTheRequestAsksForIt) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  std::stop_source stop;
  RequestContext context;
  context.stop = stop.get_token();
  GenerateRequest r = story(1500);
  r.keep_partial = true;
  std::promise<void> began;
  std::atomic<bool> first{true};
  std::string streamed;
  auto future = rig.start(model.generate(r, context, [&](std::string_view text, const std::vector<TokenId>&) {
    streamed += text;
    if (first.exchange(false)) began.set_value();
  }));
  began.get_future().wait();
  stop.request_stop();
  const auto partial = future.get();
  ASSERT_TRUE(partial) << partial.error().line();
  EXPECT_EQ(partial->finish_reason, "cancelled");
  EXPECT_FALSE(partial->text.empty());
  EXPECT_EQ(partial->text, streamed);
  EXPECT_LT(partial->usage.completion_tokens, 1500);
}

TEST(ModelHost, StatesReferencesAndErrors) {
  HostRig rig;
  EXPECT_EQ(rig.wait(rig.directory->acquire("missing", {})).error().kind, ErrorKind::kNotFound);
  const auto thrown = rig.wait(rig.directory->acquire("throws", {}));
  ASSERT_FALSE(thrown);
  EXPECT_NE(thrown.error().what.find("a broken file"), std::string::npos);
  EXPECT_EQ(rig.directory->find("throws")->state(), HostState::kFailed);
  const ModelHandle stranger(*ModelClient::create(rig.channel), "nobody");
  EXPECT_EQ(rig.wait(stranger.generate(story(), {})).error().kind, ErrorKind::kNotFound);
  {
    const ModelHandle model = rig.acquire("a");
    const ModelHandle copy = model;
    const ModelHandle second = rig.acquire("a");
    EXPECT_EQ(rig.directory->find("a")->references(), 2);
    EXPECT_EQ(rig.directory->unload("a").error().kind, ErrorKind::kUnavailable);
    EXPECT_TRUE(rig.wait(copy.generate(story(), {})));
  }
  EXPECT_EQ(rig.directory->find("a")->references(), 0);
  EXPECT_GT(rig.pool->stats().committed_bytes, 0u);
  EXPECT_TRUE(rig.directory->unload("a"));
  EXPECT_EQ(rig.directory->find("a")->state(), HostState::kAbsent);
  for (const OwnerStats& o : rig.pool->stats().owners) EXPECT_EQ(o.owner.purpose, "activations");
  EXPECT_EQ(rig.wait(stranger.ping({}, {})).error().kind, ErrorKind::kNotFound);
  const ModelHandle again = rig.acquire("a");
  EXPECT_TRUE(rig.wait(again.generate(story(), {})));
}

TEST(ModelHost, AnIdleModelMakesRoomForAnother) {
  HostRig rig({}, 50);  // two models of 20 granules and what they work with
  rig.acquire("large-1");
  const ModelHandle kept = rig.acquire("large-2");
  const ModelHandle third = rig.acquire("large-3");
  EXPECT_EQ(rig.directory->find("large-1")->state(), HostState::kAbsent);
  EXPECT_TRUE(rig.wait(kept.generate(story(), {})));
  EXPECT_TRUE(rig.wait(third.generate(story(), {})));
  const auto crowded = rig.wait(rig.directory->acquire("large-1", {}));  // both others are held
  ASSERT_FALSE(crowded);
  EXPECT_EQ(crowded.error().kind, ErrorKind::kMemory);
  std::size_t sum = 0;
  for (const OwnerStats& o : rig.pool->stats().owners) sum += o.committed_bytes;
  EXPECT_EQ(sum, rig.pool->stats().committed_bytes);
  EXPECT_LE(rig.pool->stats().peak_bytes, 50 * kGranuleBytes);
}

TEST(ModelHost, ADeadlineTravelsAndAFullQueueSaysSo) {
  HostRig rig({.engine = {.max_sequences = 1, .max_queue = 2}});
  const ModelHandle model = rig.acquire("a");
  std::vector<std::future<Result<GenerateResult>>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(rig.start(model.generate(story(1000), {})));
  int refused = 0;
  for (auto& c : calls) {
    const auto r = c.get();
    if (!r) {
      EXPECT_EQ(r.error().kind, ErrorKind::kUnavailable);
      ++refused;
    }
  }
  EXPECT_GE(refused, 1);
  RequestContext context;
  context.deadline = std::chrono::steady_clock::now() + milliseconds(20);
  const auto late = rig.wait(model.generate(story(1900), context));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kTimeout);
}

TEST(ModelHost, ManyCallersGetTheirOwnTexts) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  std::vector<GenerateRequest> requests;
  std::vector<std::string> alone;
  for (int i = 0; i < 8; ++i) {
    requests.push_back(story(30 + i));
    requests.back().prompt.text = "Question " + std::to_string(i % 3) + " of many: what now?";
    requests.back().sampling.seed = static_cast<std::uint64_t>(i);
    alone.push_back(rig.wait(model.generate(requests.back(), {}))->text);
  }
  std::vector<std::future<Result<GenerateResult>>> calls;
  for (const auto& r : requests) calls.push_back(rig.start(model.generate(r, {})));
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(calls[i].get()->text, alone[i]);
}

TEST(ModelHost, AFullInboxDelaysAnAnswerButDoesNotLoseIt) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  rig.channel.set_inbox(1);
  for (int i = 0; i < 20; ++i) {
    std::string streamed;
    const auto r =
        rig.wait(model.generate(story(50), {}, [&](std::string_view t, const std::vector<TokenId>&) {
          streamed += t;
          if (i == 0) std::this_thread::sleep_for(milliseconds(1));
        }));
    ASSERT_TRUE(r) << r.error().line();
    EXPECT_EQ(streamed, r->text);
  }
}

TEST(RemoteModelDirectory, ServesModelsOfAnotherProcessTheSameWay) {
  HostRig rig;
  auto remote = *RemoteModelDirectory::create(rig.channel);
  const std::string local = rig.wait(rig.acquire("a").generate(story(), {}))->text;
  {
    const auto handle = rig.wait(remote->acquire("a", {}));
    ASSERT_TRUE(handle) << handle.error().line();
    EXPECT_EQ(rig.directory->find("a")->references(), 1);
    EXPECT_EQ(rig.wait(handle->generate(story(), {}))->text, local);
  }
  for (int i = 0; i < 200 && rig.directory->find("a")->references() > 0; ++i)
    std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(rig.directory->find("a")->references(), 0);
  EXPECT_EQ(rig.wait(remote->acquire("missing", {})).error().kind, ErrorKind::kNotFound);
  auto lost = *RemoteModelDirectory::create(rig.channel, "models/elsewhere");
  EXPECT_EQ(rig.wait(lost->acquire("a", {})).error().kind, ErrorKind::kNotFound);
}

// The load holds its host and the directory's endpoint: dropping them under it ended in a thread that joined
// itself.
TEST(RemoteModelDirectory, TheServingDirectoryMayGoWhileItLoadsForAPeer) {
  HostRig rig;
  auto remote = *RemoteModelDirectory::create(rig.channel);
  auto asked = rig.start(remote->acquire("gated", {}));
  while (rig.loads == 0) std::this_thread::sleep_for(milliseconds(1));
  std::thread opening([&] {
    std::this_thread::sleep_for(milliseconds(50));
    rig.opened.set_value();
  });
  rig.directory.reset();
  opening.join();
  const auto answer = asked.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kRuntime) << answer.error().line();
}

TEST(ModelHost, MalformedRequestsAreAnsweredWithAnError) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  auto client = *ModelClient::create(rig.channel);
  const Value good = to_wire(story());
  for (const Value& body :
       {Value(3), Value::object({}), wire_request("dance", good), wire_request("generate", Value(1)),
        wire_request("generate", good.with("max_tokens", 0)), wire_request("score", good),
        wire_request("generate", good.with("sampling", Value::object({{"temperature", -1.0}})))}) {
    const auto r = rig.wait(client->call(model_address("a"), body, {}));
    ASSERT_FALSE(r) << write_json(body);
    EXPECT_EQ(r.error().kind, ErrorKind::kInvalid) << r.error().line();
  }
  EXPECT_EQ(client->calls_in_flight(), 0u);
  EXPECT_TRUE(rig.wait(model.generate(story(), {})));
}

}  // namespace
}  // namespace consort
