#include "scheduler/bus/simulated_channel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "scheduler/bus/conformance.h"

namespace consort {
namespace {

using namespace conformance;

struct SimulatedBench final : ChannelBench {
  std::unique_ptr<Channel> channel = make_simulated_channel({.inbox = kBenchInbox});
  Channel& near() override { return *channel; }
  Channel& far() override { return *channel; }
  bool reachable(Channel&, const std::string&) override { return true; }
  bool one_process() const override { return true; }
};

}  // namespace

namespace conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(Simulated, ChannelConformance, SimulatedBench);
}  // namespace conformance

namespace {

// Numbers that arrive of `count` sent.
std::vector<std::int64_t> send_numbers(SimulatedFaults faults, int count, ChannelStats* stats = nullptr) {
  faults.inbox = static_cast<std::size_t>(2 * count);
  auto channel = make_simulated_channel(faults);
  Mailbox mail;
  auto sink = *channel->attach("sink", mail.receiver());
  auto source = *channel->attach("source", [](Message) {});
  for (int i = 0; i < count; ++i) EXPECT_TRUE(source->send(request("sink", Value(i))));
  std::size_t before = 0;
  do {  // until nothing more comes
    before = mail.size();
    std::this_thread::sleep_for(2 * faults.most_delay + 50ms);
  } while (mail.size() != before);
  std::vector<std::int64_t> out;
  for (const Message& m : mail.messages()) out.push_back(m.body.as_integer());
  if (stats != nullptr) *stats = channel->stats();
  return out;
}

TEST(SimulatedChannel, LosesItsShareAndTheSameOnesForASeed) {
  ChannelStats stats;
  const auto first = send_numbers({.seed = 5, .loss = 0.3}, 1000, &stats);
  EXPECT_GT(first.size(), 600u);
  EXPECT_LT(first.size(), 800u);
  EXPECT_EQ(stats.sent, 1000u);
  EXPECT_EQ(stats.delivered, first.size());
  EXPECT_EQ(send_numbers({.seed = 5, .loss = 0.3}, 1000), first);
  EXPECT_NE(send_numbers({.seed = 6, .loss = 0.3}, 1000), first);
}

TEST(SimulatedChannel, DelayKeepsTheOrderOfAPair) {
  const auto got = send_numbers({.most_delay = 2ms}, 500);
  ASSERT_EQ(got.size(), 500u);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST(SimulatedChannel, ReorderingAndDoublingLoseNothing) {
  const auto got = send_numbers({.most_delay = 2ms, .duplicate = 0.2, .reorder = 0.3}, 500);
  EXPECT_GT(got.size(), 550u);
  EXPECT_FALSE(std::is_sorted(got.begin(), got.end()));
  EXPECT_EQ(std::set<std::int64_t>(got.begin(), got.end()).size(), 500u);
}

TEST(SimulatedChannel, EndpointsMayOutliveIt) {
  auto channel = make_simulated_channel();
  auto a = *channel->attach("a", [](Message) {});
  channel.reset();
  const Status sent = a->send(request("a"));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace consort
