#include "scheduler/lane/lane.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFairTurn = 8;  // every 8th step goes to the worker that waited longest, whatever its class

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

struct Lane::Impl {
  struct Seat {
    std::shared_ptr<StepWorker> worker;
    std::uint64_t last_turn = 0;
  };

  Impl(DevicePool& p, LaneOptions o)
      : pool(p),
        options(std::move(o)),
        compute(options.threads > 0 ? options.threads : usable_cores()),
        scratch(pool, Owner{"activations", "lane " + options.name}),
        exec{compute, scratch, options.isa, pool.device()} {}

  void loop();
  bool run_task();
  bool run_step();
  bool relieve(std::size_t bytes);
  void wait_for_work();
  std::shared_ptr<StepWorker> choose();
  void count_busy(Clock::time_point start, bool step);

  DevicePool& pool;
  const LaneOptions options;
  ThreadPool compute;
  ScratchArena scratch;
  Exec exec;

  mutable std::mutex mutex;
  std::condition_variable wake, stepped;
  std::deque<LaneTask> inbox;  // by class, then deadline, then arrival
  std::vector<Seat> seats;
  const StepWorker* stepping = nullptr;
  bool company = false;  // lane thread only: someone beside the chosen worker waits
  bool stopping = false, poked = false, trimmed = true;
  std::uint64_t turn = 0;
  LaneStats stats;
  std::thread thread;
};

// ---- the lane's thread ----------------------------------------------------------------------------------

void Lane::Impl::loop() {
  for (;;) {
    const bool did_task = run_task();
    const bool did_step = run_step();
    if (did_task || did_step) continue;
    wait_for_work();
    std::lock_guard lock(mutex);
    if (stopping && inbox.empty()) return;
  }
}

void Lane::Impl::wait_for_work() {
  std::unique_lock lock(mutex);
  const auto ready = [this] { return stopping || poked || !inbox.empty(); };
  if (trimmed) {
    wake.wait(lock, ready);
  } else if (!wake.wait_for(lock, options.trim_after, ready)) {
    lock.unlock();
    scratch.trim();  // idle: what the worst batch needed goes back to the pool
    lock.lock();
    trimmed = true;
    wake.wait(lock, ready);
  }
  poked = false;
}

bool Lane::Impl::run_task() {
  LaneTask task;
  bool refuse = false;
  {
    std::lock_guard lock(mutex);
    if (inbox.empty()) return false;
    task = std::move(inbox.front());
    inbox.pop_front();
    refuse = stopping;
    trimmed = false;
  }
  const auto start = Clock::now();
  if (refuse || start > task.deadline) {
    {
      std::lock_guard lock(mutex);
      ++stats.refused;
    }
    if (task.refused) {
      task.refused(refuse ? Error{ErrorKind::kUnavailable, "the lane is stopping"}
                          : Error{ErrorKind::kTimeout, "the deadline passed before the work began"});
    }
    return true;
  }
  task.run(exec);
  count_busy(start, false);
  return true;
}

void Lane::Impl::count_busy(Clock::time_point start, bool step) {
  const double ms = milliseconds_since(start);
  std::lock_guard lock(mutex);
  ++(step ? stats.steps : stats.tasks);
  stats.busy_ms += ms;
  if (step) stats.longest_step_ms = std::max(stats.longest_step_ms, ms);
  stats.scratch_high_water = scratch.high_water();
}

// The most urgent worker that has something to do.
std::shared_ptr<StepWorker> Lane::Impl::choose() {
  std::vector<Seat> now;
  {
    std::lock_guard lock(mutex);
    now = seats;
  }
  const bool fair = turn % kFairTurn == kFairTurn - 1;
  const Seat* best = nullptr;
  StepWorker::Need best_need;
  int hungry = 0;
  for (const Seat& seat : now) {
    const StepWorker::Need need = seat.worker->need();
    if (!need.work) continue;
    ++hungry;
    const auto key = [&](const StepWorker::Need& n, const Seat& s) {
      return fair ? std::tuple(WorkClass{}, Clock::time_point{}, s.last_turn)
                  : std::tuple(n.work_class, n.deadline, s.last_turn);
    };
    if (best == nullptr || key(need, seat) < key(best_need, *best)) {
      best = &seat;
      best_need = need;
    }
  }
  if (best == nullptr) return nullptr;
  std::lock_guard lock(mutex);
  company = hungry > 1 || !inbox.empty();
  ++turn;
  for (Seat& seat : seats) {
    if (seat.worker != best->worker) continue;
    seat.last_turn = turn;
    stepping = seat.worker.get();
    trimmed = false;
    return seat.worker;
  }
  return nullptr;  // detached meanwhile
}

bool Lane::Impl::run_step() {
  const std::shared_ptr<StepWorker> worker = choose();
  if (!worker) return false;
  const auto start = Clock::now();
  worker->set_company(company);
  worker->step(exec);
  count_busy(start, true);
  {
    std::lock_guard lock(mutex);
    stepping = nullptr;
  }
  stepped.notify_all();
  return true;
}

// The pool's pressure hook. Workers may be touched on the lane's thread only; elsewhere nothing can be freed.
bool Lane::Impl::relieve(std::size_t bytes) {
  if (std::this_thread::get_id() != thread.get_id()) return false;
  std::vector<Seat> now;
  {
    std::lock_guard lock(mutex);
    now = seats;
  }
  std::sort(now.begin(), now.end(), [](const Seat& a, const Seat& b) { return a.last_turn < b.last_turn; });
  return std::any_of(now.begin(), now.end(), [&](const Seat& seat) { return seat.worker->relieve(bytes); });
}

// ---- from any thread ------------------------------------------------------------------------------------

Result<std::unique_ptr<Lane>> Lane::start(DevicePool& pool, LaneOptions options) {
  if (options.threads < 0 || options.threads > 1024 || options.inbox < 1)
    return fail(ErrorKind::kInvalid, fmt::format("a lane cannot have {} threads and an inbox of {}",
                                                 options.threads, options.inbox));
  try {
    std::unique_ptr<Lane> lane(new Lane(std::make_unique<Impl>(pool, std::move(options))));
    Impl* impl = lane->impl_.get();
    impl->thread = std::thread([impl] { impl->loop(); });
    pthread_setname_np(impl->thread.native_handle(),
                       fmt::format("lane {}", impl->options.name).substr(0, 15).c_str());
    pool.set_pressure_hook([impl](std::size_t bytes) { return impl->relieve(bytes); });
    return lane;
  } catch (const std::exception& e) {
    return fail(ErrorKind::kMemory, fmt::format("cannot start a lane: {}", e.what()));
  }
}

Lane::Lane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Lane::~Lane() {
  impl_->pool.set_pressure_hook({});
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->seats.clear();
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Status Lane::post(LaneTask task) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return fail(ErrorKind::kUnavailable, "the lane is stopping");
    if (impl_->inbox.size() >= impl_->options.inbox)
      return fail(ErrorKind::kUnavailable,
                  fmt::format("the lane's inbox is full ({} tasks)", impl_->inbox.size()), {},
                  "try again later");
    const auto key = [](const LaneTask& t) { return std::pair(t.work_class, t.deadline); };
    const auto place =
        std::upper_bound(impl_->inbox.begin(), impl_->inbox.end(), task,
                         [&](const LaneTask& a, const LaneTask& b) { return key(a) < key(b); });
    impl_->inbox.insert(place, std::move(task));
    impl_->stats.inbox_peak = std::max(impl_->stats.inbox_peak, impl_->inbox.size());
  }
  impl_->wake.notify_one();
  return {};
}

void Lane::attach(std::shared_ptr<StepWorker> worker) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->seats.push_back({std::move(worker), impl_->turn});
    impl_->poked = true;
  }
  impl_->wake.notify_one();
}

void Lane::detach(const std::shared_ptr<StepWorker>& worker) {
  {
    std::lock_guard lock(impl_->mutex);
    std::erase_if(impl_->seats, [&](const Impl::Seat& s) { return s.worker == worker; });
  }
  if (on_lane_thread()) return;
  // A round through the inbox: the lane may hold a copy of the list while it chooses or relieves.
  (void)call([](Exec&) { return true; });
  std::unique_lock lock(impl_->mutex);
  impl_->stepped.wait(lock, [&] { return impl_->stepping != worker.get(); });
}

void Lane::wake() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->poked = true;
  }
  impl_->wake.notify_one();
}

bool Lane::on_lane_thread() const {
  return std::this_thread::get_id() == impl_->thread.get_id();
}
Exec& Lane::exec() {
  return impl_->exec;
}
const std::string& Lane::name() const {
  return impl_->options.name;
}
int Lane::threads() const {
  return impl_->compute.size();
}
DevicePool& Lane::pool() const {
  return impl_->pool;
}

LaneStats Lane::stats() const {
  std::lock_guard lock(impl_->mutex);
  LaneStats out = impl_->stats;
  out.inbox_length = impl_->inbox.size();
  return out;
}

}  // namespace consort
