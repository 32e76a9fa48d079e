#include "scheduler/bus/simulated_channel.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "scheduler/bus/nack.h"

namespace consort {

struct SimulatedChannel::Impl {
  using Clock = std::chrono::steady_clock;
  struct Port {
    Receiver receive;
    std::size_t waiting = 0;
  };
  using Due = std::pair<Clock::time_point, std::uint64_t>;  // when, then in order of sending

  explicit Impl(SimulatedFaults f) : faults(f), random(f.seed), thread([this] { run(); }) {}
  ~Impl() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    thread.join();
  }

  Status send(Message m);
  void enqueue(Message m);  // locked
  void detach(const std::string& address);
  void run();
  void deliver(std::unique_lock<std::mutex>& lock, Message m);

  const SimulatedFaults faults;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::mt19937_64 random;
  std::map<std::string, std::shared_ptr<Port>> ports;
  std::map<Due, Message> queue;
  std::map<std::pair<std::string, std::string>, Clock::time_point> last_due;  // keeps each pair's order
  std::shared_ptr<Port> delivering;
  std::uint64_t count = 0, lost = 0;
  ChannelStats stats;
  bool paused = false, stopping = false;
  std::thread thread;
};

namespace {

template <typename Impl>
class SimulatedEndpoint final : public Endpoint {
 public:
  SimulatedEndpoint(Impl& channel, std::string address) : channel_(channel), address_(std::move(address)) {}
  ~SimulatedEndpoint() override { channel_.detach(address_); }
  const std::string& address() const override { return address_; }
  Status send(Message message) override {
    message.from = address_;
    return channel_.send(std::move(message));
  }

 private:
  Impl& channel_;
  const std::string address_;
};

}  // namespace

Status SimulatedChannel::Impl::send(Message m) {
  std::lock_guard lock(mutex);
  const auto port = ports.find(m.to);
  if (port == ports.end()) return fail(ErrorKind::kNotFound, "nobody answers at '" + m.to + "'");
  const std::size_t limit = wants_refusal(m.type) ? faults.inbox : 2 * faults.inbox;
  if (port->second->waiting >= limit)
    return fail(ErrorKind::kUnavailable, "the inbox of '" + m.to + "' is full", {}, "try again later");
  if (m.id.empty()) m.id = m.from + ":" + std::to_string(count);
  ++stats.sent;
  if (faults.loss > 0 && std::uniform_real_distribution<double>(0, 1)(random) < faults.loss) {
    ++lost;
    return {};
  }
  enqueue(std::move(m));
  wake.notify_all();
  return {};
}

void SimulatedChannel::Impl::enqueue(Message m) {
  std::uniform_int_distribution<std::int64_t> delay(faults.delay_min.count(),
                                                    std::max(faults.delay_min, faults.delay_max).count());
  auto due = Clock::now() + std::chrono::microseconds(delay(random));
  if (!faults.reorder) {
    auto& last = last_due[{m.from, m.to}];
    due = last = std::max(last, due);
  }
  if (const auto port = ports.find(m.to); port != ports.end()) ++port->second->waiting;
  queue.emplace(Due{due, count++}, std::move(m));
}

void SimulatedChannel::Impl::detach(const std::string& address) {
  std::unique_lock lock(mutex);
  const auto found = ports.find(address);
  const std::shared_ptr<Port> port = found->second;
  ports.erase(found);
  if (std::this_thread::get_id() == thread.get_id()) return;
  wake.wait(lock, [&] { return delivering != port; });
}

void SimulatedChannel::Impl::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (paused || queue.empty()) {
      wake.wait(lock);
    } else if (const auto due = queue.begin()->first.first; due > Clock::now()) {
      wake.wait_until(lock, due);
    } else {
      deliver(lock, std::move(queue.extract(queue.begin()).mapped()));
    }
  }
}

void SimulatedChannel::Impl::deliver(std::unique_lock<std::mutex>& lock, Message m) {
  const auto found = ports.find(m.to);
  if (found != ports.end() && found->second->waiting > 0) --found->second->waiting;
  const bool late = m.deadline != kNoDeadline && m.deadline < Clock::now();
  if (found == ports.end() || late) {
    if (late) ++stats.dropped_late;
    if (!wants_refusal(m.type)) return;
    ++stats.nacked;
    enqueue(nack_for(m, late ? Error{ErrorKind::kTimeout, "the deadline passed on the way", m.to, {}}
                             : Error{ErrorKind::kNotFound, "nobody answers at '" + m.to + "'", {}, {}}));
    return;
  }
  delivering = found->second;
  ++stats.delivered;
  lock.unlock();
  delivering->receive(std::move(m));
  lock.lock();
  delivering.reset();
  wake.notify_all();
}

SimulatedChannel::SimulatedChannel(SimulatedFaults faults) : impl_(std::make_unique<Impl>(faults)) {}
SimulatedChannel::~SimulatedChannel() = default;

Result<std::unique_ptr<Endpoint>> SimulatedChannel::attach(std::string address, Receiver on_message) {
  std::lock_guard lock(impl_->mutex);
  auto port = std::make_shared<Impl::Port>();
  port->receive = std::move(on_message);
  if (address.empty() || !impl_->ports.emplace(address, std::move(port)).second)
    return fail(ErrorKind::kInvalid, "the bus address is empty or taken", address);
  return std::unique_ptr<Endpoint>(new SimulatedEndpoint<Impl>(*impl_, std::move(address)));
}

void SimulatedChannel::pause() {
  std::unique_lock lock(impl_->mutex);
  impl_->paused = true;
  if (std::this_thread::get_id() != impl_->thread.get_id())
    impl_->wake.wait(lock, [this] { return !impl_->delivering; });
}
void SimulatedChannel::resume() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->paused = false;
  }
  impl_->wake.notify_all();
}
ChannelStats SimulatedChannel::stats() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}
std::string SimulatedChannel::describe() const {
  return "simulated";
}
std::uint64_t SimulatedChannel::lost() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->lost;
}

}  // namespace consort
