#include "scheduler/host/worker_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

namespace consort {
namespace {

TEST(WorkerPool, RunsWhatIsQueuedBeforeItGoes) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool(3);
    EXPECT_EQ(pool.threads(), 3);
    for (int i = 0; i < 200; ++i) pool.post([&] { ++ran; });
  }
  EXPECT_EQ(ran, 200);
}

TEST(WorkerPool, SeveralAtATime) {
  WorkerPool pool(2);
  std::promise<void> first, second;
  auto one = first.get_future().share(), two = second.get_future().share();
  std::atomic<int> met{0};
  pool.post([&] {
    first.set_value();
    two.wait();
    ++met;
  });
  pool.post([&] {
    second.set_value();
    one.wait();
    ++met;
  });
  for (int i = 0; i < 2000 && met < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(met, 2);
}

// The nice value of the thread that works.
int nice_of(WorkerPool& pool, WorkClass work_class) {
  auto nice = std::make_shared<std::promise<int>>();
  auto told = nice->get_future();
  pool.post([nice] { nice->set_value(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()))); }, work_class);
  return told.get();
}

TEST(WorkerPool, BulkWorkHasThreadsOfItsOwnThatGiveWay) {
  std::promise<void> open, passed;  // before the pool, whose work they must outlive
  const auto opened = open.get_future().share();
  WorkerPool pool(1);
  const int own = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  EXPECT_EQ(nice_of(pool, WorkClass::kInteractive), own);
  EXPECT_GE(nice_of(pool, WorkClass::kBatch), std::min(own + 10, 19));
  // Nobody urgent waits behind bulk work.
  pool.post([opened] { opened.wait(); }, WorkClass::kTraining);
  pool.post([&passed] { passed.set_value(); });
  EXPECT_EQ(passed.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  open.set_value();
}

TEST(WorkerPool, ItsLastOwnerMayBeItsOwnWork) {
  std::promise<void> gone;
  auto pool = std::make_shared<WorkerPool>(2);
  WorkerPool* raw = pool.get();
  raw->post([&gone, pool = std::move(pool)]() mutable {
    pool.reset();
    gone.set_value();
  });
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

}  // namespace
}  // namespace consort
