#include "kernels/exec/thread_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace consort {
namespace {

// Long enough to bridge the serial work between two ops of a decode step, short enough not to be felt by
// others.
constexpr std::chrono::microseconds kSpin{40};
constexpr int kPausesPerClockRead = 16;
// A worker that holds a share of a job while another process holds its core costs the caller a time slice of
// 3 to 4 ms, more than a whole decode step. The caller sees it in the worker's processor clock, which stands
// still, and goes on alone for a while; the core is then left to the other process. Each time it happens
// again soon after, the while is doubled.
constexpr std::chrono::microseconds kLostAfter{300};
constexpr std::chrono::milliseconds kAloneFirst{5}, kAloneMost{320};
constexpr int kSoon = 4;                   // times the last while
constexpr std::uint32_t kOpen = 1u << 31;  // workers may join the current job

void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}
void futex_wake_all(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr,
          0);
}

// Spins until `done()` or kSpin has passed; true when done.
template <typename Done>
bool spin_until(Done&& done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerClockRead; ++i) {
      if (done()) return true;
      cpu_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

}  // namespace

// A job is open while the caller works on it. Workers join by counting themselves into `crew_`; the caller
// closes the job when no range is left and waits only for those who joined, so a worker that sleeps or is off
// its core delays nobody.
struct ThreadPool::Impl {
  struct Job {
    std::size_t n = 0;
    std::size_t grain = 1;
    Fn fn = nullptr;
    void* ctx = nullptr;
  };

  explicit Impl(int threads) : size_(std::max(1, threads)) {
    for (int w = 1; w < size_; ++w) workers_.emplace_back([this, w] { serve(w); });
    for (std::thread& t : workers_)
      if (clockid_t clock; pthread_getcpuclockid(t.native_handle(), &clock) == 0) clocks_.push_back(clock);
  }
  ~Impl() {
    stop_.store(true, std::memory_order_seq_cst);
    announce();
    for (auto& t : workers_) t.join();
  }

  void announce() {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) != 0) futex_wake_all(epoch_);
  }

  // Takes a share of what is left (half of an even share, so that the ends meet), a multiple of the grain.
  bool claim(std::size_t& begin, std::size_t& end) {
    std::size_t at = next_.load(std::memory_order_relaxed);
    do {
      if (at >= job_.n) return false;
      const std::size_t share = (job_.n - at) / (2 * static_cast<std::size_t>(size_));
      const std::size_t length = std::max<std::size_t>(1, share / job_.grain) * job_.grain;
      begin = at;
      end = length < job_.n - at ? at + length : job_.n;
    } while (!next_.compare_exchange_weak(at, end, std::memory_order_relaxed));
    return true;
  }
  void work(int worker) {
    std::size_t begin = 0, end = 0;
    while (claim(begin, end)) job_.fn(job_.ctx, begin, end, worker);
  }

  bool join_crew() {
    std::uint32_t crew = crew_.load(std::memory_order_relaxed);
    while (crew & kOpen)
      if (crew_.compare_exchange_weak(crew, crew + 1, std::memory_order_acquire)) return true;
    return false;
  }
  void leave_crew() {
    // The last to leave a closed job wakes the caller if it sleeps. Nothing of the job is touched after the
    // count went down; the word itself lives as long as the pool.
    if (crew_.fetch_sub(1, std::memory_order_seq_cst) == 1 && caller_sleeps_.load(std::memory_order_seq_cst))
      futex_wake_all(crew_);
  }

  void serve(int worker) {
    std::uint32_t seen = 0;
    while (!stop_.load(std::memory_order_acquire)) {
      const auto changed = [&] { return epoch_.load(std::memory_order_acquire) != seen; };
      if (!spin_until(changed)) {
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        while (!changed()) futex_wait(epoch_, seen);
        sleepers_.fetch_sub(1, std::memory_order_seq_cst);
      }
      seen = epoch_.load(std::memory_order_acquire);
      if (!join_crew()) continue;
      work(worker);
      leave_crew();
    }
  }

  using Clock = std::chrono::steady_clock;

  // Processor time of all workers.
  std::chrono::nanoseconds worked() const {
    std::chrono::nanoseconds sum{0};
    for (const clockid_t clock : clocks_)
      if (timespec t{}; clock_gettime(clock, &t) == 0)
        sum += std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
    return sum;
  }

  bool alone() {
    if (alone_until_ == Clock::time_point{}) return false;
    if (Clock::now() < alone_until_) return true;
    last_alone_ = std::exchange(alone_until_, {});
    return false;
  }

  // Sleeps until those who joined have left; decides whether they lacked a core.
  void await_crew(std::uint32_t left) {
    const auto gone = [&] { return (left = crew_.load(std::memory_order_seq_cst)) == 0; };
    const auto start = Clock::now();
    const auto before = worked();
    caller_sleeps_.store(true, std::memory_order_seq_cst);
    while (!gone()) futex_wait(crew_, left);
    caller_sleeps_.store(false, std::memory_order_relaxed);
    const auto now = Clock::now();
    if (now - start < kLostAfter || 2 * (worked() - before) > now - start) return;
    const bool soon = last_alone_ != Clock::time_point{} && start - last_alone_ < kSoon * alone_for_;
    alone_for_ = soon ? std::min<Clock::duration>(2 * alone_for_, kAloneMost) : kAloneFirst;
    alone_until_ = now + alone_for_;
  }

  void run(std::size_t n, std::size_t grain, Fn fn, void* ctx) {
    if (alone()) return fn(ctx, 0, n, 0);
    job_ = Job{n, std::max<std::size_t>(1, grain), fn, ctx};
    next_.store(0, std::memory_order_relaxed);
    crew_.store(kOpen, std::memory_order_release);
    announce();
    work(0);
    std::uint32_t left = crew_.fetch_and(~kOpen, std::memory_order_acquire) & ~kOpen;
    if (left == 0) return;
    const auto gone = [&] { return (left = crew_.load(std::memory_order_seq_cst)) == 0; };
    if (!spin_until(gone)) await_crew(left);
  }

  const int size_;
  Job job_;
  alignas(64) std::atomic<std::size_t> next_{0};
  alignas(64) std::atomic<std::uint32_t> crew_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
  std::vector<clockid_t> clocks_;  // of the workers' processor time
  // The caller's: when and for how long it works without the others.
  Clock::time_point alone_until_{}, last_alone_{};
  Clock::duration alone_for_ = kAloneFirst;
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>(threads)) {}
ThreadPool::~ThreadPool() = default;
int ThreadPool::size() const {
  return impl_->size_;
}

void ThreadPool::run(std::size_t n, std::size_t grain, Fn fn, void* ctx) {
  if (n == 0) return;
  if (n <= grain || impl_->size_ == 1) {
    fn(ctx, 0, n, 0);
    return;
  }
  impl_->run(n, grain, fn, ctx);
}

}  // namespace consort
