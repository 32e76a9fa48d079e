// The suite of scheduler/bus on the ZeroMQ bus: within one channel, and between two channels joined by ipc.
#include "scheduler/bus/conformance.h"

#include "protocols/zmq/test_address.h"
#include "protocols/zmq/zmq_channel.h"

namespace consort {
namespace {

using namespace conformance;

struct InprocBench final : ChannelBench {
  std::unique_ptr<ZmqChannel> channel = *ZmqChannel::create({.inbox = kBenchInbox});
  Channel& near() override { return *channel; }
  Channel& far() override { return *channel; }
  bool reachable(Channel&, const std::string&) override { return true; }
  bool one_process() const override { return true; }
};

template <bool kNearListens>
struct IpcBench final : ChannelBench {
  IpcBench() {
    ZmqChannel& listener = kNearListens ? *a : *b;
    ZmqChannel& joiner = kNearListens ? *b : *a;
    if (Status s = listener.listen(where.address); !s) ADD_FAILURE() << s.error().line();
    if (Status s = joiner.join(where.address); !s) ADD_FAILURE() << s.error().line();
  }
  TestAddress where;
  std::unique_ptr<ZmqChannel> a = *ZmqChannel::create({.inbox = kBenchInbox});
  std::unique_ptr<ZmqChannel> b = *ZmqChannel::create({.inbox = kBenchInbox});
  Channel& near() override { return *a; }
  Channel& far() override { return *b; }
  bool reachable(Channel& end, const std::string& address) override {
    return static_cast<ZmqChannel&>(end).wait_for(address, 5s).has_value();
  }
  bool one_process() const override { return false; }
};

}  // namespace

namespace conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(ZmqInproc, ChannelConformance, InprocBench);
INSTANTIATE_TYPED_TEST_SUITE_P(ZmqIpcListening, ChannelConformance, IpcBench<true>);
INSTANTIATE_TYPED_TEST_SUITE_P(ZmqIpcJoining, ChannelConformance, IpcBench<false>);
}  // namespace conformance

}  // namespace consort
