// The figures of `consort bench bus`: messages a second and round trips through the ZeroMQ bus of a process.
#pragma once

#include <cstdint>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

struct BusBenchOptions {
  std::uint64_t messages = 200'000;  // pipelined, one sender
  std::uint64_t rounds = 5'000;      // request and answer, one after the other
};

// {name: "bus", messages, messages_per_s, rounds, round_trip_us: {median, p99, min}}. Blocks for a second or
// so. Errors: those of ZmqChannel::create, kTimeout when messages get lost.
Result<Value> bench_bus(BusBenchOptions options = {});

}  // namespace consort
