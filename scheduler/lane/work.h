// Work on a lane: how urgent it is, and who does it.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "kernels/exec/exec.h"

namespace consort {

enum class WorkClass : std::uint8_t { kInteractive, kBatch, kTraining };

// How long a worker's turn at the lane should be.
using TurnLength = std::chrono::duration<double, std::milli>;
inline constexpr TurnLength kYield{10};  // where others of the same urgency wait
inline constexpr TurnLength kNoHurry{std::numeric_limits<double>::infinity()};  // where nobody waits

// What a lane drives, one bounded step at a time: the engine of one model. All calls on the lane's thread.
class StepWorker {
 public:
  struct Need {
    bool work = false;  // is there anything to do?
    WorkClass work_class = WorkClass::kTraining;
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  };
  virtual ~StepWorker() = default;
  virtual Need need() = 0;  // the most urgent of what waits or runs; cheap
  // Before a step: how long it should last, for the sake of others who wait for the lane.
  virtual void set_turn(TurnLength) {}
  virtual void step(Exec& exec) = 0;  // one step batch; handles its own failures
  // The pool is short of memory: give back what can be computed again. Returns true when something was freed.
  virtual bool relieve(std::size_t bytes) = 0;
};

}  // namespace consort
