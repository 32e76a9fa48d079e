#include "scheduler/host/serial_worker.h"

#include <fmt/format.h>
#include <pthread.h>

#include <utility>

namespace consort {

SerialWorker::SerialWorker(std::string name, std::size_t most) : most_(most), thread_([this] { loop(); }) {
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

SerialWorker::~SerialWorker() {
  stop();
}

void SerialWorker::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status SerialWorker::post(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return fail(ErrorKind::kUnavailable, "the host is stopping");
    if (queue_.size() >= most_)
      return fail(ErrorKind::kUnavailable, fmt::format("the host's inbox is full ({} requests)", most_), {},
                  "try again later");
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return {};
}

void SerialWorker::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace consort
