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

#include "kernels/exec/breath.h"

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFairTurn = 3;  // every third step goes to the worker that waited longest, whatever its class
constexpr TurnLength kShortestTurn{2};  // below, little of a step is arithmetic
constexpr double kUsualRise = 1.1;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

struct Lane::Impl {
  struct Seat {
    std::shared_ptr<StepWorker> worker;
    std::uint64_t last_turn = 0;
    // How long its steps are while nothing disturbs them: falls at once, rises by a tenth a step.
    TurnLength usual = kYield;
  };
  using Hungry = std::vector<std::pair<Seat, StepWorker::Need>>;

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
  TurnLength turn_beside(const Hungry& hungry, std::size_t chosen) const;
  void do_step(StepWorker& worker, TurnLength turn_length);
  void let_urgent_work_go();
  std::shared_ptr<StepWorker> choose_above(const StepWorker& outer, TurnLength& patience);
  void count_busy(double ms, bool step);

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
  // Lane thread only: the chosen worker's turn, its class, since when it has the lane, and when it breathed
  // last.
  TurnLength length = kNoHurry;
  WorkClass own_class = WorkClass::kInteractive;
  Clock::time_point slice_start, last_breath;
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
  count_busy(milliseconds_since(start), false);
  return true;
}

void Lane::Impl::count_busy(double ms, bool step) {
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
  Hungry hungry;
  for (Seat& seat : now)
    if (const StepWorker::Need need = seat.worker->need(); need.work)
      hungry.emplace_back(std::move(seat), need);
  if (hungry.empty()) return nullptr;
  const auto key = [fair](const auto& one) {
    const auto& [seat, need] = one;
    return fair ? std::tuple(WorkClass{}, Clock::time_point{}, seat.last_turn)
                : std::tuple(need.work_class, need.deadline, seat.last_turn);
  };
  const auto best = std::min_element(hungry.begin(), hungry.end(),
                                     [&](const auto& a, const auto& b) { return key(a) < key(b); });
  std::lock_guard lock(mutex);
  length = turn_beside(hungry, static_cast<std::size_t>(best - hungry.begin()));
  own_class = best->second.work_class;
  ++turn;
  for (Seat& seat : seats) {
    if (seat.worker != best->first.worker) continue;
    seat.last_turn = turn;
    stepping = seat.worker.get();
    trimmed = false;
    return seat.worker;
  }
  return nullptr;  // detached meanwhile
}

// Who waits for less urgent work waits no longer than a step of his own takes, so that a conversation's
// tokens come at half their speed at worst; who is less urgent himself waits as long as it takes. REQUIRES:
// locked.
TurnLength Lane::Impl::turn_beside(const Hungry& hungry, std::size_t chosen) const {
  TurnLength most = inbox.empty() ? kNoHurry : kYield;
  const WorkClass own = hungry[chosen].second.work_class;
  for (std::size_t i = 0; i < hungry.size(); ++i) {
    const auto& [seat, need] = hungry[i];
    if (i == chosen || need.work_class > own) continue;
    most = std::min(most, need.work_class == own ? kYield : std::clamp(seat.usual, kShortestTurn, kYield));
  }
  return most;
}

bool Lane::Impl::run_step() {
  const std::shared_ptr<StepWorker> worker = choose();
  if (!worker) return false;
  slice_start = last_breath = Clock::now();
  {
    const Breaths breaths([this] { let_urgent_work_go(); });
    do_step(*worker, length);
  }
  {
    std::lock_guard lock(mutex);
    stepping = nullptr;
  }
  stepped.notify_all();
  return true;
}

void Lane::Impl::do_step(StepWorker& worker, TurnLength turn_length) {
  const auto start = Clock::now();
  const auto away = Breaths::spent();
  worker.set_turn(turn_length);
  worker.step(exec);
  const TurnLength took = Clock::now() - start - (Breaths::spent() - away);
  count_busy(took.count(), true);
  std::lock_guard lock(mutex);
  for (Seat& seat : seats)
    if (seat.worker.get() == &worker) seat.usual = std::min(took, kUsualRise * seat.usual);
}

// Who has something more urgent to do than the worker that holds the lane, and how long he waits for it.
std::shared_ptr<StepWorker> Lane::Impl::choose_above(const StepWorker& outer, TurnLength& patience) {
  std::vector<Seat> now;
  {
    std::lock_guard lock(mutex);
    now = seats;
  }
  const Seat* best = nullptr;
  StepWorker::Need best_need;
  const auto key = [](const StepWorker::Need& need, const Seat& seat) {
    return std::tuple(need.work_class, need.deadline, seat.last_turn);
  };
  for (const Seat& seat : now) {
    if (seat.worker.get() == &outer) continue;
    const StepWorker::Need need = seat.worker->need();
    if (!need.work || need.work_class >= own_class) continue;
    if (best == nullptr || key(need, seat) < key(best_need, *best)) {
      best = &seat;
      best_need = need;
    }
  }
  if (best == nullptr) return nullptr;
  patience = std::clamp(best->usual, kShortestTurn, kYield);
  return best->worker;
}

// In the middle of a step of less urgent work. As many steps as it gets between two turns of less urgent work
// anyway; then that goes on.
void Lane::Impl::let_urgent_work_go() {
  const auto now = Clock::now();
  const TurnLength had = now - slice_start, piece = now - std::exchange(last_breath, now);
  if (own_class == WorkClass::kInteractive) return;
  const StepWorker* const outer = stepping;
  TurnLength patience = kYield;
  for (int step = 0; step < kFairTurn - 1; ++step) {
    const std::shared_ptr<StepWorker> worker = choose_above(*outer, patience);
    // The next piece will be as long as the last one; the lane changes hands where that is nearest to the
    // wish.
    if (!worker || (step == 0 && had + piece / 2 < patience)) break;
    do_step(*worker, kNoHurry);
    slice_start = last_breath = Clock::now();
  }
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
    impl_->seats.push_back({.worker = std::move(worker), .last_turn = impl_->turn});
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
