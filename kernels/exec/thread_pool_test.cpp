#include "kernels/exec/thread_pool.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(ThreadPool, CoversEveryIndexOnceInGrains) {
  for (int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (std::size_t n : {0, 1, 7, 16, 100, 1001}) {
      for (std::size_t grain : {1, 4, 16, 5000}) {
        std::vector<std::atomic<int>> seen(n);
        std::atomic<int> bad{0};
        pool.parallel_for(n, grain, [&](std::size_t b, std::size_t e, int w) {
          if (b % grain != 0 || (e % grain != 0 && e != n) || w < 0 || w >= threads || b >= e) ++bad;
          for (std::size_t i = b; i < e; ++i) ++seen[i];
        });
        EXPECT_EQ(bad.load(), 0);
        for (auto& count : seen) ASSERT_EQ(count.load(), 1);
      }
    }
  }
}

// Two bodies never run under the same worker number at once, and what they wrote is visible afterwards.
TEST(ThreadPool, ManySmallJobsKeepWorkersApart) {
  ThreadPool pool(4);
  std::vector<int> busy(4, 0);
  std::vector<long> sum(4, 0);
  std::atomic<int> clashes{0};
  long expected = 0;
  for (int job = 0; job < 20000; ++job) {
    pool.parallel_for(13, 1, [&](std::size_t b, std::size_t e, int w) {
      if (busy[w]++ != 0) ++clashes;
      for (std::size_t i = b; i < e; ++i) sum[w] += static_cast<long>(i);
      --busy[w];
    });
    expected += 78;
  }
  EXPECT_EQ(clashes.load(), 0);
  EXPECT_EQ(sum[0] + sum[1] + sum[2] + sum[3], expected);
}

TEST(ThreadPool, WorkersHelpWhenTheCallerIsSlow) {
  ThreadPool pool(2);
  std::atomic<bool> helped{false};
  for (int attempt = 0; attempt < 50 && !helped; ++attempt)
    pool.parallel_for(8, 1, [&](std::size_t, std::size_t, int w) {
      if (w != 0) helped = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  EXPECT_TRUE(helped);
}

TEST(ThreadPool, AWaitingPoolUsesNoProcessorTime) {
  ThreadPool pool(4);
  pool.parallel_for(64, 1, [](std::size_t, std::size_t, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::clock_t before = std::clock();  // processor time of the whole process
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double used = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(used, 0.05);
}

}  // namespace
}  // namespace consort
