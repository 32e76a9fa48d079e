// SerialWorker: one thread that runs closures in order, from a bounded queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "memory/base/status.h"

namespace consort {

// Thread-safe. The destructor runs what is queued, then joins.
class SerialWorker {
 public:
  SerialWorker(std::string name, std::size_t most);
  ~SerialWorker();
  SerialWorker(const SerialWorker&) = delete;

  // Errors: kUnavailable when `most` closures wait.
  Status post(std::function<void()> work);
  bool on_worker_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  void stop();  // as the destructor; posting fails from now on

 private:
  void loop();
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace consort
