// SimulatedChannel: a bus for tests whose wires are bad on purpose: messages are delayed, lost, doubled and
// overtaken, by a seeded generator.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "scheduler/bus/channel.h"

namespace consort {

// Decisions are drawn in the order of sending, so a seed and an order of sending give the same faults.
struct SimulatedFaults {
  std::uint64_t seed = 1;
  std::chrono::microseconds least_delay{0}, most_delay{0};  // drawn evenly
  double loss = 0;                                          // share of messages that never arrive
  double duplicate = 0;                                     // share of messages that arrive twice
  double reorder = 0;  // share of messages that wait longer (up to most_delay more) and are overtaken
  std::size_t inbox = 4096;
};

// Thread-safe; one thread of its own delivers. Without faults it keeps the order of all messages; with delay
// alone, the order from one sender to one receiver.
std::unique_ptr<Channel> make_simulated_channel(SimulatedFaults faults = {});

}  // namespace consort
