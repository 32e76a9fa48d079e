// What every Channel must do, as a GoogleTest suite over a "bench": two ends that may be one channel, or two
// channels joined to each other. Only tests include it: derive ChannelBench, then
// INSTANTIATE_TYPED_TEST_SUITE_P(Name, ChannelConformance, MyBench).
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "scheduler/bus/channel.h"

namespace consort::conformance {

using namespace std::chrono_literals;
inline constexpr std::size_t kBenchInbox = 32;  // the inbox that benches give their channels

struct ChannelBench {
  virtual ~ChannelBench() = default;
  virtual Channel& near() = 0;
  virtual Channel& far() = 0;
  // Waits until `end` can send to `address`.
  virtual bool reachable(Channel& end, const std::string& address) = 0;
  virtual bool one_process() const = 0;  // tensors are shared memory, refusals are told at once
};

// Collects messages on the receiving thread.
class Mailbox {
 public:
  Channel::Receiver receiver() {
    return [this](Message m) {
      std::lock_guard lock(mutex_);
      messages_.push_back(std::move(m));
      arrived_.notify_all();
    };
  }
  bool wait(std::size_t count, std::chrono::milliseconds patience = 5s) {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, patience, [&] { return messages_.size() >= count; });
  }
  std::vector<Message> messages() const {
    std::lock_guard lock(mutex_);
    return messages_;
  }
  Message at(std::size_t i) const { return messages().at(i); }
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return messages_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Message> messages_;
};

inline Message request(std::string to, Value body = {}) {
  Message m;
  m.to = std::move(to);
  m.body = std::move(body);
  return m;
}

template <typename Bench>
class ChannelConformance : public testing::Test {
 protected:
  std::unique_ptr<Endpoint> attach(Channel& channel, const std::string& address, Channel::Receiver receiver) {
    auto endpoint = channel.attach(address, std::move(receiver));
    EXPECT_TRUE(endpoint) << endpoint.error().line();
    for (Channel* end : {&bench.near(), &bench.far()}) EXPECT_TRUE(bench.reachable(*end, address));
    return endpoint ? std::move(*endpoint) : nullptr;
  }
  // Sends until the inbox takes it.
  static Status send_patiently(Endpoint& from, const Message& m) {
    for (;;) {
      Status sent = from.send(m);
      if (sent || sent.error().kind != ErrorKind::kUnavailable) return sent;
      std::this_thread::sleep_for(100us);
    }
  }
  Bench bench;
};
TYPED_TEST_SUITE_P(ChannelConformance);

TYPED_TEST_P(ChannelConformance, RequestAndAnswerKeepEveryField) {
  Mailbox server_mail, client_mail;
  auto server = this->attach(this->bench.far(), "model/a", server_mail.receiver());
  auto client = this->attach(this->bench.near(), "client/1", client_mail.receiver());
  EXPECT_EQ(server->address(), "model/a");
  Message m = request("model/a", Value::object({{"text", "grüß Gott"},
                                                {"pi", 3.141592653589793},
                                                {"whole", 2.0},
                                                {"big", std::int64_t{1} << 60}}));
  m.id = "q1";
  m.run = "run-7";
  m.task = "/tasks/0";
  m.from = "somebody else";
  m.attempt = 3;
  m.credits = 64;
  m.deadline = std::chrono::steady_clock::now() + 60s;
  const SteadyTime deadline = m.deadline;
  const Value body = m.body;
  ASSERT_TRUE(client->send(std::move(m)));
  ASSERT_TRUE(server_mail.wait(1));
  const Message got = server_mail.at(0);
  EXPECT_EQ(got.type, MessageType::kRequest);
  EXPECT_EQ(got.id, "q1");
  EXPECT_EQ(got.run, "run-7");
  EXPECT_EQ(got.task, "/tasks/0");
  EXPECT_EQ(got.from, "client/1");  // the channel says who sends
  EXPECT_EQ(got.attempt, 3u);
  EXPECT_EQ(got.credits, 64u);
  EXPECT_EQ(write_json(got.body), write_json(body));
  EXPECT_LT(std::chrono::abs(got.deadline - deadline), 2s);  // between processes: less the time on the way

  Message answer = request(got.from, Value("done"));
  answer.type = MessageType::kResponse;
  answer.correlation = got.id;
  answer.sequence = 12;
  ASSERT_TRUE(server->send(std::move(answer)));
  ASSERT_TRUE(client_mail.wait(1));
  EXPECT_EQ(client_mail.at(0).correlation, "q1");
  EXPECT_EQ(client_mail.at(0).sequence, 12u);
  EXPECT_FALSE(client_mail.at(0).id.empty());
  EXPECT_EQ(client_mail.at(0).deadline, kNoDeadline);
}

TYPED_TEST_P(ChannelConformance, TensorsArriveAsTheyWere) {
  Mailbox mail;
  auto server = this->attach(this->bench.far(), "model/a", mail.receiver());
  auto client = this->attach(this->bench.near(), "client/1", [](Message) {});
  auto numbers = std::make_shared<std::vector<float>>(3 * 1000);
  std::iota(numbers->begin(), numbers->end(), 0.25f);
  const std::vector<float> expected = *numbers;
  std::weak_ptr<std::vector<float>> watch = numbers;
  const void* const where = numbers->data();
  {
    Message m = request("model/a");
    m.tensors.push_back({"logits", make_view(numbers->data(), DType::kF32, {3, 1000}), numbers});
    m.tensors.push_back({"none", make_view(numbers->data(), DType::kF32, {0, 4}), numbers});
    numbers.reset();
    ASSERT_TRUE(client->send(std::move(m)));
  }
  ASSERT_TRUE(mail.wait(1));
  {
    const Message got = mail.at(0);
    ASSERT_EQ(got.tensors.size(), 2u);
    EXPECT_EQ(got.tensors[0].name, "logits");
    EXPECT_EQ(describe(got.tensors[0].view), "f32 [3, 1000]");
    EXPECT_EQ(std::vector<float>(got.tensors[0].view.template as<float>(),
                                 got.tensors[0].view.template as<float>() + 3000),
              expected);
    EXPECT_EQ(got.tensors[1].view.elements(), 0);
    EXPECT_EQ(got.tensors[0].view.data == where, this->bench.one_process());  // the very same memory
  }
  EXPECT_EQ(!watch.expired() || !this->bench.one_process(), true);
}

TYPED_TEST_P(ChannelConformance, OrderIsKeptFromEverySender) {
  constexpr int kSenders = 3, kEach = 500;
  std::mutex mutex;
  std::map<std::string, std::vector<std::int64_t>> seen;
  std::atomic<int> inside{0}, overlaps{0}, total{0};
  auto sink = this->attach(this->bench.far(), "agent/sink", [&](Message m) {
    if (inside.fetch_add(1) != 0) ++overlaps;
    {
      std::lock_guard lock(mutex);
      seen[m.from].push_back(m.body.as_integer());
    }
    --inside;
    ++total;
  });
  const auto taken = [&](const std::string& from) {
    std::lock_guard lock(mutex);
    return static_cast<int>(seen[from].size());
  };
  std::vector<std::unique_ptr<Endpoint>> sources;
  for (int s = 0; s < kSenders; ++s)
    sources.push_back(this->attach(this->bench.near(), "client/" + std::to_string(s), [](Message) {}));
  std::vector<std::thread> threads;
  for (auto& source : sources)
    threads.emplace_back([&source, &taken] {
      for (int i = 0; i < kEach; ++i) {
        // Between processes a full inbox is told by a nack, too late for the order: never that many.
        while (i - taken(source->address()) >= 8) std::this_thread::sleep_for(50us);
        Message m = request("agent/sink", Value(i));
        m.type = MessageType::kEvent;
        EXPECT_TRUE(ChannelConformance<TypeParam>::send_patiently(*source, m));
      }
    });
  for (auto& t : threads) t.join();
  for (int i = 0; i < 5000 && total < kSenders * kEach; ++i) std::this_thread::sleep_for(1ms);
  ASSERT_EQ(total, kSenders * kEach);
  EXPECT_EQ(overlaps, 0);
  std::vector<std::int64_t> expected(kEach);
  std::iota(expected.begin(), expected.end(), 0);
  for (const auto& [from, numbers] : seen) EXPECT_EQ(numbers, expected) << from;
}

TYPED_TEST_P(ChannelConformance, UnknownAndTakenAddressesAreErrors) {
  auto client = this->attach(this->bench.near(), "client/1", [](Message) {});
  const Status sent = client->send(request("model/nobody"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(sent.error().line().find("model/nobody"), std::string::npos);
  const auto again = this->bench.near().attach("client/1", [](Message) {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kInvalid);
  EXPECT_FALSE(this->bench.near().attach("", [](Message) {}));
  client.reset();
  EXPECT_TRUE(this->bench.near().attach("client/1", [](Message) {}));  // free again
}

TYPED_TEST_P(ChannelConformance, NothingIsDeliveredWhilePausedAndNothingIsLost) {
  Mailbox mail, back;
  auto server = this->attach(this->bench.far(), "model/a", mail.receiver());
  auto client = this->attach(this->bench.near(), "client/1", back.receiver());
  this->bench.near().pause();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client->send(request("model/a", Value(i))));
  EXPECT_FALSE(mail.wait(1, 100ms));
  this->bench.near().resume();
  ASSERT_TRUE(mail.wait(10));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(mail.at(i).body, Value(i));
  this->bench.near().pause();  // also what comes from the other side waits
  ASSERT_TRUE(server->send(request("client/1", Value("hello"))));
  EXPECT_FALSE(back.wait(1, 100ms));
  this->bench.near().resume();
  EXPECT_TRUE(back.wait(1));
}

TYPED_TEST_P(ChannelConformance, AFullInboxRefusesAndRecovers) {
  Mailbox mail;
  auto server = this->attach(this->bench.far(), "model/a", mail.receiver());
  auto client = this->attach(this->bench.near(), "client/1", [](Message) {});
  this->bench.near().pause();
  std::size_t taken = 0;
  Status sent;
  while (taken < 10 * kBenchInbox && (sent = client->send(request("model/a", Value("x"))))) ++taken;
  ASSERT_FALSE(sent) << "an inbox without an end";
  EXPECT_EQ(sent.error().kind, ErrorKind::kUnavailable);
  EXPECT_GE(taken, kBenchInbox);
  this->bench.near().resume();
  ASSERT_TRUE(mail.wait(taken));
  EXPECT_TRUE(this->send_patiently(*client, request("model/a", Value("y"))));
  EXPECT_TRUE(mail.wait(taken + 1));
  EXPECT_EQ(mail.size(), taken + 1);
}

TYPED_TEST_P(ChannelConformance, LateWorkIsDropped) {
  Mailbox mail;
  auto server = this->attach(this->bench.far(), "model/a", mail.receiver());
  auto client = this->attach(this->bench.near(), "client/1", [](Message) {});
  this->bench.near().pause();
  Message late = request("model/a", Value("late"));
  late.deadline = std::chrono::steady_clock::now() + 20ms;
  ASSERT_TRUE(client->send(std::move(late)));
  ASSERT_TRUE(client->send(request("model/a", Value("in time"))));
  std::this_thread::sleep_for(60ms);
  this->bench.near().resume();
  ASSERT_TRUE(mail.wait(1));
  EXPECT_EQ(mail.at(0).body, Value("in time"));
  EXPECT_EQ(this->bench.near().stats().dropped_late, 1u);
}

TYPED_TEST_P(ChannelConformance, AReceiverThatLeavesIsNackedAndNeverCalledAgain) {
  Mailbox back;
  std::atomic<bool> left{false}, called_after{false};
  auto server = this->attach(this->bench.far(), "model/a", [&](Message) {
    std::this_thread::sleep_for(1ms);
    if (left) called_after = true;
  });
  auto client = this->attach(this->bench.near(), "client/1", back.receiver());
  std::size_t asked = 0;
  for (int i = 0; i < 20; ++i) {
    Message m = request("model/a", Value(i));
    m.id = "q" + std::to_string(i);
    asked += client->send(std::move(m)).has_value() ? 1 : 0;
  }
  std::this_thread::sleep_for(4ms);
  server.reset();
  left = true;
  ASSERT_EQ(asked, 20u);
  ASSERT_TRUE(back.wait(1));  // those still waiting come back
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(called_after);
  for (const Message& m : back.messages()) {
    EXPECT_EQ(m.type, MessageType::kNack);
    EXPECT_EQ(m.correlation.front(), 'q');
    EXPECT_TRUE(m.body.get("kind").is_string());
    EXPECT_EQ(m.from, "model/a");
  }
}

TYPED_TEST_P(ChannelConformance, ReceiversMaySendAttachAndLeave) {
  Mailbox mail;
  Channel& far = this->bench.far();
  std::unique_ptr<Endpoint> server, inner;
  std::atomic<Endpoint*> self{nullptr};
  server = this->attach(far, "model/a", [&](Message m) {
    if (self == nullptr) return;
    if (m.body == Value("attach")) inner = *far.attach("model/inner", [](Message) {});
    Message answer;
    answer.type = MessageType::kResponse;
    answer.to = m.from;
    answer.correlation = m.id;
    (void)self.load()->send(std::move(answer));
    if (m.body == Value("leave")) inner.reset();
  });
  self = server.get();
  auto client = this->attach(this->bench.near(), "client/1", mail.receiver());
  ASSERT_TRUE(client->send(request("model/a", Value("attach"))));
  EXPECT_TRUE(mail.wait(1));
  EXPECT_TRUE(this->bench.reachable(this->bench.near(), "model/inner"));
  ASSERT_TRUE(client->send(request("model/a", Value("leave"))));
  EXPECT_TRUE(mail.wait(2));
  server.reset();
}

REGISTER_TYPED_TEST_SUITE_P(ChannelConformance, RequestAndAnswerKeepEveryField, TensorsArriveAsTheyWere,
                            OrderIsKeptFromEverySender, UnknownAndTakenAddressesAreErrors,
                            NothingIsDeliveredWhilePausedAndNothingIsLost, AFullInboxRefusesAndRecovers,
                            LateWorkIsDropped, AReceiverThatLeavesIsNackedAndNeverCalledAgain,
                            ReceiversMaySendAttachAndLeave);

}  // namespace consort::conformance
