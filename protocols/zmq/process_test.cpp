// Two real processes: this test and a child (bus_child_main.cpp).
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <set>

#include "protocols/zmq/test_address.h"
#include "protocols/zmq/zmq_channel.h"
#include "scheduler/bus/conformance.h"

extern char** environ;

namespace consort {
namespace {

using namespace conformance;
using Clock = std::chrono::steady_clock;

class Child {
 public:
  explicit Child(const std::string& address) {
    std::string program = CONSORT_BUS_CHILD, where = address;
    char* arguments[] = {program.data(), where.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments, environ), 0);
  }
  ~Child() { end(SIGKILL); }
  void end(int signal) {
    if (pid_ <= 0) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void stop_answering() { kill(pid_, SIGSTOP); }

 private:
  pid_t pid_ = 0;
};

struct TwoProcesses : testing::Test {
  TwoProcesses() {
    if (Status s = channel->listen(where.address); !s) ADD_FAILURE() << s.error().line();
  }
  void SetUp() override {
    child = std::make_unique<Child>(where.address);
    for (const char* served : {"model/echo", "model/silent", "model/cube", "model/quit"})
      ASSERT_TRUE(channel->wait_for(served, 20s));
    client = *channel->attach("client/1", mail.receiver());
  }
  TestAddress where;
  std::unique_ptr<ZmqChannel> channel = *ZmqChannel::create();
  std::unique_ptr<Child> child;
  Mailbox mail;
  std::unique_ptr<Endpoint> client;
};

TEST_F(TwoProcesses, BodiesAndTensorsComeBackBitForBit) {
  std::mt19937 random(7);
  auto numbers = std::make_shared<std::vector<float>>(100'000);
  for (float& x : *numbers) {
    const std::uint32_t bits = random();  // any pattern, NaNs and denormals too
    std::memcpy(&x, &bits, sizeof x);
  }
  for (std::size_t count : {std::size_t{1}, std::size_t{5}, std::size_t{3000}, numbers->size()}) {
    Message m = request("model/echo", Value::object({{"count", count}, {"text", std::string(count, 'x')}}));
    m.tensors.push_back(
        {"numbers", make_view(numbers->data(), DType::kF32, {static_cast<std::int64_t>(count)}), numbers});
    const std::size_t before = mail.size();
    ASSERT_TRUE(client->send(std::move(m)));
    ASSERT_TRUE(mail.wait(before + 1, 20s));
    const Message back = mail.at(before);
    EXPECT_EQ(back.type, MessageType::kResponse);
    EXPECT_EQ(back.body.get("text").size(), count);
    ASSERT_EQ(back.tensors.size(), 1u);
    EXPECT_EQ(std::memcmp(back.tensors[0].view.data, numbers->data(), count * sizeof(float)), 0);
  }
}

TEST_F(TwoProcesses, WhatIsComputedThereIsWhatIsComputedHere) {
  auto in = std::make_shared<std::vector<float>>(5000);
  std::iota(in->begin(), in->end(), -2000.25f);
  Message m = request("model/cube");
  m.tensors.push_back({"in", make_view(in->data(), DType::kF32, {5000}), in});
  ASSERT_TRUE(client->send(std::move(m)));
  ASSERT_TRUE(mail.wait(1, 20s));
  const Message back = mail.at(0);
  ASSERT_EQ(back.tensors.size(), 1u);
  for (std::size_t i = 0; i < in->size(); ++i)
    ASSERT_EQ(back.tensors[0].view.as<float>()[i], std::sin((*in)[i]) * 1e-3f) << i;
}

TEST_F(TwoProcesses, ThousandsOfMessagesInOrder) {
  constexpr int kCount = 5000;
  for (int i = 0; i < kCount; ++i) {
    Message m = request("model/echo", Value(i));
    for (;;) {
      const Status sent = client->send(m);
      if (sent) break;
      ASSERT_EQ(sent.error().kind, ErrorKind::kUnavailable) << sent.error().line();
      std::this_thread::sleep_for(200us);
    }
    if (i % 256 == 255) {
      ASSERT_TRUE(mail.wait(static_cast<std::size_t>(i) - 254, 20s));
    }
  }
  ASSERT_TRUE(mail.wait(kCount, 20s));
  const auto all = mail.messages();
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)].body, Value(i));
}

TEST_F(TwoProcesses, PausedNothingIsAnswered) {
  channel->pause();
  ASSERT_TRUE(client->send(request("model/echo", Value(1))));
  EXPECT_FALSE(mail.wait(1, 200ms));
  channel->resume();
  EXPECT_TRUE(mail.wait(1));
}

void expect_lost(const Mailbox& mail, std::size_t count) {
  std::set<std::string> told;
  for (const Message& m : mail.messages()) {
    EXPECT_TRUE(m.type == MessageType::kNack || m.type == MessageType::kError);
    EXPECT_EQ(m.from, "model/silent");
    EXPECT_EQ(m.body.get("kind"), Value("unavailable"));
    told.insert(m.correlation);
  }
  EXPECT_EQ(told.size(), count);
}

TEST_F(TwoProcesses, AKilledPeerEndsEveryPendingRequestWithinFiveSeconds) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client->send(request("model/silent", Value(i))));
  ASSERT_TRUE(client->send(request("model/echo")));
  ASSERT_TRUE(mail.wait(1));  // the ten before it have arrived there
  const std::size_t answered = mail.size();
  const auto start = Clock::now();
  child->end(SIGKILL);
  ASSERT_TRUE(mail.wait(answered + 10, 5s));
  EXPECT_LT(Clock::now() - start, 5s);
  for (std::size_t i = answered; i < answered + 10; ++i) {
    EXPECT_EQ(mail.at(i).type, MessageType::kNack);
    EXPECT_EQ(mail.at(i).body.get("kind"), Value("unavailable"));
    EXPECT_EQ(mail.at(i).from, "model/silent");
  }
  const Status sent = client->send(request("model/echo"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(channel->peers(), 0u);
}

TEST_F(TwoProcesses, AFrozenPeerIsGoneWithinFiveSeconds) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client->send(request("model/silent", Value(i))));
  std::this_thread::sleep_for(50ms);
  child->stop_answering();
  ASSERT_TRUE(mail.wait(3, 5s));
  expect_lost(mail, 3);
}

TEST_F(TwoProcesses, APeerThatSaysGoodbyeIsGoneAtOnceAndMayComeBack) {
  ASSERT_TRUE(client->send(request("model/silent")));
  ASSERT_TRUE(client->send(request("model/quit")));
  ASSERT_TRUE(mail.wait(2, 2s));  // neither of the two is answered
  for (int i = 0; i < 2; ++i) EXPECT_EQ(mail.at(static_cast<std::size_t>(i)).type, MessageType::kNack);
  child = std::make_unique<Child>(where.address);
  ASSERT_TRUE(channel->wait_for("model/echo", 20s));
  const std::size_t before = mail.size();
  ASSERT_TRUE(client->send(request("model/echo")));
  EXPECT_TRUE(mail.wait(before + 1));
}

TEST(ZmqChannel, RefusesWhatIsNotALocalAddress) {
  auto channel = *ZmqChannel::create();
  for (const char* bad : {"tcp://127.0.0.1:5555", "ipc://", "", "ipc://*", "nonsense"}) {
    EXPECT_FALSE(channel->listen(bad)) << bad;
    EXPECT_FALSE(channel->join(bad, 100ms)) << bad;
  }
  EXPECT_FALSE(channel->listen("ipc:///" + std::string(200, 'x')));
  EXPECT_FALSE(channel->listen("ipc:///nowhere-at-all/bus"));
  TestAddress where;
  const Status nobody = channel->join(where.address, 200ms);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::kUnavailable);
}

TEST(ZmqChannel, ASecondListenerIsRefusedAndTheSocketIsPrivate) {
  TestAddress where;
  auto first = *ZmqChannel::create(), second = *ZmqChannel::create();
  ASSERT_TRUE(first->listen(where.address));
  struct stat info {};
  ASSERT_EQ(stat(where.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const Status taken = second->listen(where.address);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(first->describe().find(where.address), std::string::npos);
}

TEST(ZmqChannel, AListenerThatRestartsIsJoinedAgain) {
  TestAddress where;
  const ZmqOptions quick{.heartbeat = 50ms, .dead_after = 300ms};
  auto listener = *ZmqChannel::create(quick), joiner = *ZmqChannel::create(quick);
  ASSERT_TRUE(listener->listen(where.address));
  ASSERT_TRUE(joiner->join(where.address));
  auto held = *joiner->attach("model/far", [](Message) {});
  ASSERT_TRUE(listener->wait_for("model/far", 5s));
  listener.reset();
  std::this_thread::sleep_for(500ms);
  listener = *ZmqChannel::create(quick);
  ASSERT_TRUE(listener->listen(where.address));
  EXPECT_TRUE(listener->wait_for("model/far", 10s));
}

TEST(ZmqChannel, EndpointsMayOutliveIt) {
  auto channel = *ZmqChannel::create();
  auto a = *channel->attach("a", [](Message) {});
  channel.reset();
  const Status sent = a->send(request("a"));
  EXPECT_FALSE(sent);
}

}  // namespace
}  // namespace consort
