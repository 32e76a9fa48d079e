#include "scheduler/bus/simulated_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "scheduler/bus/inbox_table.h"
#include "scheduler/bus/nack.h"

namespace consort {
namespace {

struct Flight {
  InboxPtr inbox;
  Message message;
};

// Shared by the channel and its endpoints, which may outlive it.
class Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(SimulatedFaults faults)
      : table(faults.inbox), faults_(faults), random_(faults.seed), thread_([this] { loop(); }) {}

  void stop() {
    table.close();
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    thread_.join();
  }

  Status send(Message m);

  InboxTable table;
  ChannelCounters counters;

 private:
  struct Fate {
    bool lost = false, doubled = false, overtaken = false;
    std::chrono::microseconds delay{0};
  };
  Fate draw();
  void launch(InboxPtr inbox, Message m, const Fate& fate);
  void loop();
  void land(Flight flight);

  const SimulatedFaults faults_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::mt19937_64 random_;
  std::multimap<SteadyTime, Flight> flying_;        // equal times keep the order of sending
  std::map<std::string, SteadyTime> last_arrival_;  // by "<from>\n<to>": the order of a pair
  std::uint64_t next_id_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

Core::Fate Core::draw() {
  std::uniform_real_distribution<double> share(0, 1);
  Fate fate;  // always the same number of draws, so that one message's fate does not shift the next
  fate.lost = share(random_) < faults_.loss;
  fate.doubled = share(random_) < faults_.duplicate;
  fate.overtaken = share(random_) < faults_.reorder;
  const auto span = static_cast<double>((faults_.most_delay - faults_.least_delay).count());
  auto us = static_cast<double>(faults_.least_delay.count()) + share(random_) * std::max(span, 0.0);
  const double extra =
      share(random_) * std::max<double>(static_cast<double>(faults_.most_delay.count()), 200);
  if (fate.overtaken) us += extra;
  fate.delay = std::chrono::microseconds(static_cast<std::int64_t>(us));
  return fate;
}

Status Core::send(Message m) {
  CONSORT_TRY(inbox, table.admit(m.to));
  std::lock_guard lock(mutex_);
  if (m.id.empty()) m.id = fmt::format("{}/{}", m.from, next_id_++);
  ++counters.sent;
  const Fate fate = draw();
  if (fate.lost) {
    table.give_back(inbox);
    return {};
  }
  if (fate.doubled) {
    if (auto again = table.admit(m.to)) launch(std::move(*again), m, fate);
  }
  launch(std::move(inbox), std::move(m), fate);
  wake_.notify_all();
  return {};
}

void Core::launch(InboxPtr inbox, Message m, const Fate& fate) {
  SteadyTime due = std::chrono::steady_clock::now() + fate.delay;
  if (!fate.overtaken) {
    SteadyTime& last = last_arrival_[m.from + "\n" + m.to];
    due = last = std::max(due, last);
    if (last_arrival_.size() > 65'536) last_arrival_.clear();  // a test with that many pairs can bear it
  }
  flying_.emplace(due, Flight{std::move(inbox), std::move(m)});
}

void Core::land(Flight flight) {
  switch (table.deliver(flight.inbox, flight.message)) {
    case Delivery::kDelivered:
      ++counters.delivered;
      return;
    case Delivery::kLate:
      ++counters.dropped_late;
      return;
    case Delivery::kGone:
      ++counters.nacked;
      if (!wants_refusal(flight.message.type)) return;
      (void)send(
          nack_for(flight.message,
                   {ErrorKind::kNotFound, fmt::format("nobody answers at '{}'", flight.message.to), {}, {}}));
  }
}

void Core::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (flying_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const SteadyTime due = flying_.begin()->first;
    if (due > std::chrono::steady_clock::now()) {
      wake_.wait_until(lock, due);
      continue;
    }
    Flight flight = std::move(flying_.extract(flying_.begin()).mapped());
    lock.unlock();
    land(std::move(flight));
    lock.lock();
  }
}

class SimulatedEndpoint final : public Endpoint {
 public:
  SimulatedEndpoint(std::shared_ptr<Core> core, InboxPtr inbox)
      : core_(std::move(core)), inbox_(std::move(inbox)) {}
  ~SimulatedEndpoint() override { core_->table.remove(inbox_); }
  const std::string& address() const override { return inbox_->address; }
  Status send(Message m) override {
    m.from = inbox_->address;
    return core_->send(std::move(m));
  }

 private:
  const std::shared_ptr<Core> core_;
  const InboxPtr inbox_;
};

class SimulatedChannel final : public Channel {
 public:
  explicit SimulatedChannel(SimulatedFaults faults) : core_(std::make_shared<Core>(faults)) {}
  ~SimulatedChannel() override { core_->stop(); }

  Result<std::unique_ptr<Endpoint>> attach(std::string address, Receiver on_message) override {
    CONSORT_TRY(inbox, core_->table.add(std::move(address), std::move(on_message)));
    return std::unique_ptr<Endpoint>(std::make_unique<SimulatedEndpoint>(core_, std::move(inbox)));
  }
  void pause() override { core_->table.pause(); }
  void resume() override { core_->table.resume(); }
  ChannelStats stats() const override { return core_->counters.read(); }
  std::string describe() const override { return "simulated"; }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<Channel> make_simulated_channel(SimulatedFaults faults) {
  return std::make_unique<SimulatedChannel>(faults);
}

}  // namespace consort
