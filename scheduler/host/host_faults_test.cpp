// Hosts and clients on a bus with delays, overtaking and vanishing partners.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "scheduler/bus/simulated_channel.h"
#include "scheduler/decode/mock_model.h"
#include "scheduler/host/model_client.h"
#include "scheduler/host/model_directory.h"
#include "scheduler/host/wire.h"

namespace consort {
namespace {

using namespace mock;
using std::chrono::milliseconds;

struct FaultRig {
  explicit FaultRig(SimulatedFaults faults)
      : bus(make_simulated_channel(faults)),
        channel(*bus),
        pool(*DevicePool::create_cpu(256 * kGranuleBytes)),
        lane(*Lane::start(*pool, {.threads = 1})) {
    const auto loader = [](const std::string& id, Lane&) -> Result<LoadedModel> {
      LoadedModel out;
      out.id = id;
      out.tokenizer = std::make_shared<LetterTokenizer>();
      out.model = std::make_unique<MockModel>();
      return out;
    };
    directory = *LocalModelDirectory::create(channel, *lane, loader);
    thread = std::thread([this] { io.run(); });
  }
  ~FaultRig() {
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

  std::unique_ptr<Channel> bus;
  Channel& channel;
  std::unique_ptr<DevicePool> pool;
  std::unique_ptr<Lane> lane;
  std::unique_ptr<LocalModelDirectory> directory;
  boost::asio::io_context io;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work{
      io.get_executor()};
  std::thread thread;
};

GenerateRequest story(int seed) {
  GenerateRequest r;
  r.prompt.text = "Once upon a time there was number " + std::to_string(seed);
  r.max_tokens = 150;
  r.ignore_eos = true;
  r.sampling.seed = static_cast<std::uint64_t>(seed);
  return r;
}

TEST(HostFaults, DelaysAndOvertakingChangeNoTextAndNoStream) {
  std::vector<std::string> calm;
  for (const bool rough : {false, true}) {
    SimulatedFaults faults;
    if (rough)
      faults = {.seed = 3, .most_delay = std::chrono::microseconds(3000), .duplicate = 0.1, .reorder = 0.3};
    FaultRig rig(faults);
    auto model = rig.start(rig.directory->acquire("a", {})).get();
    ASSERT_TRUE(model) << model.error().line();
    std::vector<std::string> streams(6);
    std::vector<std::future<Result<GenerateResult>>> calls;
    for (int i = 0; i < 6; ++i)
      calls.push_back(rig.start(model->generate(story(i), {}, [&streams, i](std::string_view t, const auto&) {
        streams[static_cast<std::size_t>(i)] += t;
      })));
    for (std::size_t i = 0; i < 6; ++i) {
      const auto r = calls[i].get();
      ASSERT_TRUE(r) << r.error().line();
      EXPECT_EQ(streams[i], r->text);
      if (rough) {
        EXPECT_EQ(r->text, calm[i]);
      } else {
        calm.push_back(r->text);
      }
    }
  }
}

// How calls whose messages get lost one time in five end when they must be done within `patience`.
struct Ends {
  int good = 0, late = 0;
};
Ends ends_within(milliseconds patience) {
  FaultRig rig({.seed = 5, .loss = 0.2});
  RequestContext context;
  context.deadline = std::chrono::steady_clock::now() + patience;
  Ends ends;
  auto model = rig.start(rig.directory->acquire("a", context)).get();
  if (!model) return ends;
  std::vector<std::future<Result<GenerateResult>>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(rig.start(model->generate(story(i), context)));
  for (auto& call : calls) {
    const auto r = call.get();
    if (r)
      ++ends.good;
    else if (r.error().kind == ErrorKind::kTimeout)
      ++ends.late;
    else
      ADD_FAILURE() << r.error().line();
  }
  return ends;
}

TEST(HostFaults, LostMessagesEndInATimeoutNeverInAHang) {
  Ends ends;
  for (const int patience : {1500, 6000, 24000}) {  // what is quick enough depends on the machine
    ends = ends_within(milliseconds(patience));
    if (ends.good > 0) break;
  }
  EXPECT_GT(ends.good, 0);
  EXPECT_GT(ends.late, 0);
}

TEST(HostFaults, LostMessagesWithoutADeadlineEndAsUnavailable) {
  FaultRig rig({.seed = 5, .most_delay = std::chrono::microseconds(500), .loss = 0.2, .reorder = 0.2});
  auto model = rig.start(rig.directory->acquire("a", {})).get();
  ASSERT_TRUE(model) << model.error().line();
  int good = 0, lost = 0;
  std::vector<std::future<Result<GenerateResult>>> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(rig.start(model->generate(story(i), {})));
  for (auto& call : calls) {
    ASSERT_EQ(call.wait_for(std::chrono::seconds(60)), std::future_status::ready) << "a call that hangs";
    const auto r = call.get();
    if (r)
      ++good;
    else if (r.error().kind == ErrorKind::kUnavailable && r.error().what.find("lost") != std::string::npos)
      ++lost;
    else
      ADD_FAILURE() << r.error().line();
  }
  EXPECT_GT(good, 0);
  EXPECT_GT(lost, 0);
}

TEST(HostFaults, ALongCallIsNotTakenForALostOne) {
  FaultRig rig({});
  auto model = rig.start(rig.directory->acquire("a", {})).get();
  ASSERT_TRUE(model);
  rig.channel.pause();  // nothing is delivered for some probes' time: neither the request nor the questions
  auto call = rig.start(model->generate(story(1), {}));
  EXPECT_EQ(call.wait_for(milliseconds(2500)), std::future_status::timeout);
  rig.channel.resume();
  const auto r = call.get();
  EXPECT_TRUE(r) << r.error().line();
}

TEST(HostFaults, ACallEndsWhenItsHostLeavesTheBus) {
  FaultRig rig({});
  auto ghost = *rig.channel.attach("model/ghost", [](Message) {});  // takes requests, never answers
  const ModelHandle handle(*ModelClient::create(rig.channel), "ghost");
  auto call = rig.start(handle.generate(story(1), {}));
  EXPECT_EQ(call.wait_for(milliseconds(1300)), std::future_status::timeout);
  ghost.reset();
  const auto r = call.get();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().kind, ErrorKind::kUnavailable) << r.error().line();
}

TEST(HostFaults, AHostStopsForACallerWhoLeft) {
  FaultRig rig({});
  auto kept = rig.start(rig.directory->acquire("a", {})).get();
  ASSERT_TRUE(kept);
  auto caller = *rig.channel.attach("client/short", [](Message) {});
  GenerateRequest r = story(1);
  r.max_tokens = 1900;
  Message m;
  m.to = model_address("a");
  m.credits = 1000000;
  m.body = wire_request("generate", to_wire(r));
  ASSERT_TRUE(caller->send(std::move(m)));
  caller.reset();
  const auto count = [&](const char* key) {
    return rig.directory->find("a")->stats().get("engine").get(key).as_integer();
  };
  for (int i = 0; i < 1000 && count("finished") == 0; ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(count("cancelled"), 1);
}

}  // namespace
}  // namespace consort
