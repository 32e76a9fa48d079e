#include "scheduler/host/worker_pool.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "memory/base/thread_priority.h"

namespace consort {

struct WorkerPool::Crew {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> queue;
  bool stopping = false;
  std::vector<std::thread> threads;

  static std::shared_ptr<Crew> start(int count, bool background) {
    auto crew = std::make_shared<Crew>();
    for (int i = 0; i < count; ++i) {
      crew->threads.emplace_back([crew, background] {
        if (background) lower_thread_priority();
        crew->loop();
      });
      pthread_setname_np(crew->threads.back().native_handle(), background ? "prepare bulk" : "prepare");
    }
    return crew;
  }
  void post(std::function<void()> work) {
    {
      std::lock_guard lock(mutex);
      queue.push_back(std::move(work));
    }
    wake.notify_one();
  }
  void loop() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      std::function<void()> work = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
  }
  void stop() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    for (std::thread& thread : threads) {
      if (thread.get_id() == std::this_thread::get_id())
        thread.detach();
      else
        thread.join();
    }
  }
};

WorkerPool::WorkerPool(int threads)
    : urgent_(Crew::start(std::max(threads, 1), false)), bulk_(Crew::start(std::max(threads, 1), true)) {}

WorkerPool::~WorkerPool() {
  urgent_->stop();
  bulk_->stop();
}

void WorkerPool::post(std::function<void()> work, WorkClass work_class) {
  (work_class == WorkClass::kInteractive ? urgent_ : bulk_)->post(std::move(work));
}

int WorkerPool::threads() const {
  return static_cast<int>(urgent_->threads.size());
}

}  // namespace consort
