// bench steps: what one step of a workflow costs. Called by `consort bench steps`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "memory/base/status.h"
#include "scheduler/value/value.h"
#include "scheduler/workflow/call_kinds.h"
#include "scheduler/workflow/journal.h"

namespace consort {

struct StepsBenchOptions {
  int rounds = 5;
  int steps = 20000;                       // of one round
  std::uint64_t memory_steps = 1'000'000;  // of the flat-memory check; 0 leaves it out
  // A call kind that does nothing but travel (through the bus and back): measured as `call`. Empty leaves it
  // out. It is called with `call_with`.
  std::string call_kind;
  Value call_with = Value::object();
};

// Runs the variants and checks their outputs. `journal` may be null (then the journal variants are left out);
// its store should lie on the disk that runs will use. Result:
// {name: "steps", rounds, microseconds_per_step (median, set without journal), min, max,
//  variants: [{name: "set" | "set+async" | "set+sync" | "call" | "call+async", microseconds_per_step, min,
//  max,
//              steps_per_s}],
//  memory: {steps, resident_before, resident_after, growth_bytes}}
// Errors: kRuntime when a run gives a wrong output.
Result<Value> bench_steps(std::shared_ptr<const CallKinds> kinds, Journal* journal,
                          const StepsBenchOptions& options);

}  // namespace consort
