// bench bus: what a message costs. Called by `consort bench bus`.
#pragma once

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

struct BusBenchOptions {
  int rounds = 5;
  int round_trips = 2000;  // of one round: request and response, one at a time, caller asleep in between
  int pipelined = 200000;  // messages of one round, sent as fast as the receiver's inbox takes them
  int window = 512;        // messages on their way at most (credits)
};

// Measures a bus of its own over ZeroMQ inproc and checks that every message arrived once and in order.
// Result: {name: "bus", rounds, messages_per_s (pipelined, median), min, max,
//  round_trip: {microseconds (median of the rounds' medians), min, max, p99}}.
// Errors: kRuntime when a message was lost, doubled or out of order.
Result<Value> bench_bus(const BusBenchOptions& options = {});

}  // namespace consort
