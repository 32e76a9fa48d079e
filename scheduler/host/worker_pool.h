// WorkerPool: a few threads for what must not hold the lane: decoding pictures, tokenising, parsing graphs,
// turning scores into answers. What is not interactive has threads of its own, of low priority, so that bulk
// work leaves the cores to the lane and to those who talk.
#pragma once

#include <functional>
#include <memory>

#include "scheduler/lane/work.h"

namespace consort {

// Shared by the hosts of a process. Thread-safe. The destructor runs what is queued and joins; it may run on
// one of its own threads. What is queued is bounded by who posts: a request has a few closures at a time.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);  // of each of the two kinds
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;

  void post(std::function<void()> work, WorkClass work_class = WorkClass::kInteractive);  // in order of arrival
  int threads() const;

 private:
  struct Crew;
  std::shared_ptr<Crew> urgent_, bulk_;
};

}  // namespace consort
