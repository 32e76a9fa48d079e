// SimulatedChannel: a bus of one process with injected faults, for tests: delay, loss and reordering by a
// seeded random source. Without faults it behaves as every Channel must (the conformance suite runs on it).
#pragma once

#include <cstdint>
#include <memory>

#include "scheduler/bus/channel.h"

namespace consort {

struct SimulatedFaults {
  std::chrono::microseconds delay_min{0}, delay_max{0};  // of each message, drawn uniformly
  double loss = 0;       // probability that a message disappears (counted by lost())
  bool reorder = false;  // delays may let a message overtake others of the same sender
  std::uint64_t seed = 1;
  std::size_t inbox = 1024;  // messages that may wait for one address; answers may take twice as many
};

// Thread-safe; one thread of its own delivers. Destroy the endpoints first.
class SimulatedChannel final : public Channel {
 public:
  explicit SimulatedChannel(SimulatedFaults faults = {});
  ~SimulatedChannel() override;

  Result<std::unique_ptr<Endpoint>> attach(std::string address, Receiver on_message) override;
  void pause() override;
  void resume() override;
  ChannelStats stats() const override;
  std::string describe() const override;
  std::uint64_t lost() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
