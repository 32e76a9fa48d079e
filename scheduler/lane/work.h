// Work on a lane: how urgent it is, and who does it.
#pragma once

#include <chrono>
#include <cstdint>

#include "kernels/exec/exec.h"

namespace consort {

enum class WorkClass : std::uint8_t { kInteractive, kBatch, kTraining };

// How long work may hold a lane that others wait for.
inline constexpr std::chrono::milliseconds kYield{10};

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
  // Before a step: does somebody else wait for the lane? Then the step should end within kYield.
  virtual void set_company(bool) {}
  virtual void step(Exec& exec) = 0;  // one step batch; handles its own failures
  // The pool is short of memory: give back what can be computed again. Returns true when something was freed.
  virtual bool relieve(std::size_t bytes) = 0;
};

}  // namespace consort
