// WorkerPool: a few threads for what must not hold the lane: decoding pictures, tokenising, parsing graphs,
// turning scores into answers.
#pragma once

#include <functional>
#include <memory>

namespace consort {

// Shared by the hosts of a process. Thread-safe. The destructor runs what is queued and joins; it may run on
// one of its own threads. What is queued is bounded by who posts: a request has a few closures at a time.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;

  void post(std::function<void()> work);  // first come, first served
  int threads() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace consort
