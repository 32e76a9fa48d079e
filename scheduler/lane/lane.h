// Lane: one OS thread per device. It alone touches the device: it owns the compute threads and the scratch
// memory, runs posted tasks (loading, packing) and drives the engines attached to it, one step batch at a
// time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <type_traits>

#include "kernels/exec/exec.h"
#include "memory/base/status.h"
#include "memory/device/device_pool.h"
#include "scheduler/lane/work.h"

namespace consort {

struct LaneOptions {
  std::string name = "cpu";
  int threads = 0;           // compute threads, this lane's thread included; 0 = usable_cores()
  std::size_t inbox = 1024;  // tasks that may wait
  Isa isa = best_isa();
  std::chrono::milliseconds trim_after{5000};  // idle time after which scratch memory goes back to the pool
};

// A piece of work that is not a step of an engine. Runs whole; it should stay below 10 ms unless nothing else
// could run anyway (loading a model).
struct LaneTask {
  std::function<void(Exec&)> run;
  WorkClass work_class = WorkClass::kInteractive;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::function<void(Error)>
      refused;  // instead of run: the deadline passed or the lane stopped; may be empty
};

struct LaneStats {
  std::uint64_t tasks = 0, refused = 0, steps = 0;
  std::size_t inbox_length = 0, inbox_peak = 0;
  double busy_ms = 0;  // in tasks and steps
  double longest_step_ms = 0;
  std::size_t scratch_high_water = 0;  // bytes
};

// Owned by main (through the engine's composition). Every function may be called from any thread unless it
// says otherwise. Destroying it refuses what waits and joins the thread; detach every worker first.
class Lane {
 public:
  // Installs the pool's pressure hook: memory that is short while the lane works is asked of the workers.
  static Result<std::unique_ptr<Lane>> start(DevicePool& pool, LaneOptions options = {});
  ~Lane();
  Lane(const Lane&) = delete;

  // Errors: kUnavailable when the inbox is full or the lane is stopping; `refused` is not called then.
  Status post(LaneTask task);
  // Posts and waits (on the lane's thread: runs at once). F: T(Exec&), T not void. Errors: as post.
  template <typename F, typename T = std::invoke_result_t<F, Exec&>>
  Result<T> call(F work) {
    if (on_lane_thread()) return work(exec());
    auto promise = std::make_shared<std::promise<Result<T>>>();
    auto future = promise->get_future();
    LaneTask task;
    task.run = [promise, work = std::make_shared<F>(std::move(work))](Exec& e) {
      promise->set_value((*work)(e));
    };
    task.refused = [promise](Error e) { promise->set_value(tl::unexpected<Error>(std::move(e))); };
    if (auto posted = post(std::move(task)); !posted) return forward_error(posted);
    return future.get();
  }

  // From now on the lane drives `worker`. Workers are served by class, then deadline, then least recently.
  void attach(std::shared_ptr<StepWorker> worker);
  // After it returns the lane calls `worker` no more. Never from inside a step of that worker.
  void detach(const std::shared_ptr<StepWorker>& worker);
  void wake();  // a worker has new work

  bool on_lane_thread() const;
  const std::string& name() const;
  int threads() const;
  DevicePool& pool() const;
  LaneStats stats() const;

 private:
  struct Impl;
  explicit Lane(std::unique_ptr<Impl> impl);
  Exec& exec();  // lane thread only
  std::unique_ptr<Impl> impl_;
};

}  // namespace consort
