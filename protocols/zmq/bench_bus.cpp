#include "protocols/zmq/bench_bus.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "protocols/zmq/zmq_channel.h"

namespace consort {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(q * static_cast<double>(values.size())))];
}

// What the asker waits on; the receiving thread fills it.
struct Arrivals {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t count = 0, wrong = 0;
  void arrive(bool right) {
    std::lock_guard lock(mutex);
    ++count;
    wrong += right ? 0 : 1;
    changed.notify_one();
  }
};

Status round_trips(Channel& bus, int count, std::vector<double>& taken) {
  std::unique_ptr<Endpoint> server;
  CONSORT_TRY(served, bus.attach("bench/server", [&server](Message m) {
    Message answer;
    answer.type = MessageType::kResponse;
    answer.to = m.from;
    answer.correlation = m.id;
    answer.body = m.body;
    (void)server->send(std::move(answer));
  }));
  server = std::move(served);
  Arrivals arrivals;
  std::int64_t expected = 0;
  CONSORT_TRY(client, bus.attach("bench/client", [&](Message m) {
    arrivals.arrive(m.type == MessageType::kResponse && m.body == Value(expected));
  }));
  for (int i = 0; i < count; ++i) {
    Message m;
    m.to = "bench/server";
    expected = i;
    m.body = Value(expected);
    const auto start = Clock::now();
    CONSORT_CHECK_OK(client->send(std::move(m)));
    std::unique_lock lock(arrivals.mutex);
    if (!arrivals.changed.wait_for(lock, std::chrono::seconds(10),
                                   [&] { return arrivals.count == static_cast<std::uint64_t>(i) + 1; }))
      return fail(ErrorKind::kRuntime, "a message of the bench was lost");
    taken.push_back(microseconds(Clock::now() - start));
  }
  if (arrivals.wrong) return fail(ErrorKind::kRuntime, "a message of the bench came back changed");
  return {};
}

Result<double> pipelined(Channel& bus, int count, int window) {
  Arrivals arrivals;
  std::uint64_t next = 0;
  CONSORT_TRY(sink, bus.attach("bench/sink", [&](Message m) {
    const bool right = m.sequence == next++;
    if (next % 64 == 0 || next == static_cast<std::uint64_t>(count) || !right) {
      std::lock_guard lock(arrivals.mutex);
      arrivals.count = next;
      arrivals.wrong += right ? 0 : 1;
      arrivals.changed.notify_one();
    }
  }));
  CONSORT_TRY(source, bus.attach("bench/source", [](Message) {}));
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    if (i % 64 == 0) {
      std::unique_lock lock(arrivals.mutex);
      if (!arrivals.changed.wait_for(lock, std::chrono::seconds(10), [&] {
            return static_cast<std::uint64_t>(i) < arrivals.count + static_cast<std::uint64_t>(window);
          }))
        return fail(ErrorKind::kRuntime, "messages of the bench were lost");
    }
    Message m;
    m.type = MessageType::kChunk;
    m.to = "bench/sink";
    m.sequence = static_cast<std::uint64_t>(i);
    CONSORT_CHECK_OK(source->send(std::move(m)));
  }
  std::unique_lock lock(arrivals.mutex);
  if (!arrivals.changed.wait_for(lock, std::chrono::seconds(10),
                                 [&] { return arrivals.count == static_cast<std::uint64_t>(count); }) ||
      arrivals.wrong)
    return fail(ErrorKind::kRuntime, "messages of the bench were lost or out of order");
  return static_cast<double>(count) / std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Result<Value> bench_bus(const BusBenchOptions& options) {
  if (options.rounds < 1 || options.round_trips < 1 || options.pipelined < 1 || options.window < 128)
    return fail(ErrorKind::kInvalid, "a bench needs at least one round and a window of 128");
  ZmqOptions inbox;
  inbox.inbox = static_cast<std::uint32_t>(options.window) * 2;
  CONSORT_TRY(bus, ZmqChannel::create(inbox));
  std::vector<double> medians, all, rates;
  for (int round = 0; round < options.rounds; ++round) {
    std::vector<double> taken;
    CONSORT_CHECK_OK(round_trips(*bus, options.round_trips, taken));
    medians.push_back(quantile(taken, 0.5));
    all.insert(all.end(), taken.begin(), taken.end());
    CONSORT_TRY(rate, pipelined(*bus, options.pipelined, options.window));
    rates.push_back(rate);
  }
  return Value::object(
      {{"name", "bus"},
       {"rounds", options.rounds},
       {"messages_per_s", quantile(rates, 0.5)},
       {"min", *std::min_element(rates.begin(), rates.end())},
       {"max", *std::max_element(rates.begin(), rates.end())},
       {"round_trip", Value::object({{"microseconds", quantile(medians, 0.5)},
                                     {"min", *std::min_element(medians.begin(), medians.end())},
                                     {"max", *std::max_element(medians.begin(), medians.end())},
                                     {"p99", quantile(all, 0.99)}})}});
}

}  // namespace consort
