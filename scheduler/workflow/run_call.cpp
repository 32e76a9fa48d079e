// `call`: a handler acts. It runs as a coroutine of its own, so that one which ignores its deadline or a stop
// request can be left behind: its late result and writes are dropped.
#include <mutex>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "scheduler/workflow/run_tasks.h"

namespace consort::workflow {
namespace {

// How long a handler may take to notice a stop request before it is left behind.
constexpr auto kGraceAfterTimeout = std::chrono::milliseconds(20);
constexpr auto kGraceAfterStop = std::chrono::milliseconds(2000);

// Shared by the task and the handler's coroutine; lives as long as either.
struct Flight {
  RunStatePtr run;
  std::shared_ptr<TaskHandler> handler;
  TaskContext context;
  Value agents;
  SignalPtr signal;
  std::stop_source stop;
  std::optional<Result<TaskOutcome>> result;
  std::mutex mutex;  // writes, left
  std::vector<StoreWrite> writes;
  bool left = false;  // behind: nothing more counts
};
using FlightPtr = std::shared_ptr<Flight>;

boost::asio::awaitable<void> fly(FlightPtr flight, Value with) {
  try {
    Result<TaskOutcome> outcome = co_await flight->handler->run(flight->context, std::move(with));
    flight->result = std::move(outcome);
  } catch (const std::bad_alloc&) {
    flight->result = fail(ErrorKind::kMemory, "out of memory");
  } catch (const std::exception& error) {
    flight->result = fail(ErrorKind::kRuntime, std::string("the call failed unexpectedly: ") + error.what());
  }
  flight->signal->wake();
}

void connect_events(const FlightPtr& flight, const Active& active, const std::optional<Stream>& stream) {
  std::weak_ptr<Flight> weak = flight;
  flight->context.write = [weak](StoreWrite write) {
    FlightPtr held = weak.lock();
    if (!held) return;
    std::lock_guard lock(held->mutex);
    if (!held->left) held->writes.push_back(std::move(write));
  };
  if (!stream || stream->as == Stream::As::kValue) return;
  flight->context.emit = [weak, path = active.frame.path, channel = stream->channel,
                          type = stream->as == Stream::As::kToken ? "token" : "event"](Value event) {
    FlightPtr held = weak.lock();
    if (!held) return;
    {
      std::lock_guard lock(held->mutex);
      if (held->left) return;
    }
    Value::Object data;
    if (!channel.empty()) data.emplace_back("channel", channel);
    data.emplace_back("data", std::move(event));
    held->run->emit(type, path, Value::object(std::move(data)));
  };
}

FlightPtr make_flight(RunState& run, const Active& active, const CallTask& act) {
  auto flight = std::make_shared<Flight>();
  flight->run = run.shared_from_this();
  flight->handler = act.handler;
  flight->agents = active.frame.place->document->agents;
  flight->signal = std::make_shared<Signal>(run.strand);
  TaskContext& context = flight->context;
  context.run_id = run.id;
  context.task_pointer = active.task->pointer;
  context.attempt = active.attempt;
  context.seed = active.frame.seed;
  context.deadline = active.frame.deadline;
  context.stop = flight->stop.get_token();
  context.agents = flight->agents.is_null() ? nullptr : &flight->agents;
  connect_events(flight, active, act.stream);
  return flight;
}

// Waits for the handler, its deadline or a stop.
boost::asio::awaitable<void> await_flight(FlightPtr flight, SteadyTime deadline, std::stop_token stop) {
  SignalPtr signal = flight->signal;
  std::stop_callback on_stop(stop, [signal] { signal->wake_from_anywhere(); });
  SteadyTime until = deadline;
  bool asked = false;
  while (!flight->result) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (asked && now >= until) break;
    if (!asked && (stop.stop_requested() || now >= deadline)) {
      asked = true;
      until = now + (stop.stop_requested() ? SteadyTime::duration(kGraceAfterStop)
                                           : SteadyTime::duration(kGraceAfterTimeout));
      flight->stop.request_stop();
      continue;
    }
    co_await signal->wait(until);
  }
}

boost::asio::awaitable<Status> mark_sent(RunState& run, Active& active, bool repeatable) {
  active.sent = true;
  TaskRecord record;
  record.state = "sent";
  record.kind = active.task->kind;
  record.attempt = active.attempt;
  record.order = run.emit("task", active.frame.path,
                          Value::object({{"name", active.task->name},
                                         {"kind", active.task->kind},
                                         {"status", "sent"},
                                         {"attempt", static_cast<std::int64_t>(active.attempt)}}));
  std::string path = active.frame.path;
  Status stored = co_await run.commit(std::move(path), std::move(record), {});
  if (stored && !repeatable) stored = run.commit_held();
  co_return stored;
}

Outcome<ActResult> land(Flight& flight, const Active& active, SteadyTime deadline,
                        const std::stop_token& stop) {
  std::vector<StoreWrite> writes;
  {
    std::lock_guard lock(flight.mutex);
    flight.left = true;
    writes.swap(flight.writes);
  }
  if (flight.result && *flight.result) {
    ActResult result;
    result.output = std::move((*flight.result)->output);
    result.usage = std::move((*flight.result)->usage);
    result.writes = std::move(writes);
    return result;
  }
  if (stop.stop_requested()) return tl::unexpected(active.problem("cancelled", "the run was stopped"));
  if (std::chrono::steady_clock::now() >= deadline)
    return tl::unexpected(active.problem("timeout", "not done within its deadline"));
  return tl::unexpected(active.problem(flight.result->error()));
}

}  // namespace

Running<ActResult> act_call(RunState& run, Active& active, const CallTask& act) {
  Result<Value> with = act.with.evaluate(active.input, active.bindings(), run.evaluation);
  if (!with) co_return tl::unexpected(active.expression_problem(with.error()));
  with = act.handler->arguments(std::move(*with));
  if (!with) co_return tl::unexpected(active.problem(with.error()));
  if (act.options)
    if (Status valid = act.options->check(*with); !valid)
      co_return tl::unexpected(active.problem("validation", "with: " + error_text(valid.error())));
  if (std::optional<Problem> problem = halted(active.frame, active.task->pointer))
    co_return tl::unexpected(*problem);
  if (run.journal) {
    Status stored = co_await mark_sent(run, active, act.handler->repeatable());
    if (!stored) co_return tl::unexpected(active.problem(stored.error()));
  }
  FlightPtr flight = make_flight(run, active, act);
  boost::asio::awaitable<void> flying = fly(flight, std::move(*with));
  boost::asio::co_spawn(run.strand, std::move(flying), boost::asio::detached);
  const SteadyTime deadline = active.frame.deadline;
  const std::stop_token stop = active.frame.stop;
  co_await await_flight(flight, deadline, stop);
  Outcome<ActResult> result = land(*flight, active, deadline, stop);
  if (result && act.stream && act.stream->as != Stream::As::kToken)
    run.emit("value", active.frame.path,
             Value::object({{"channel", act.stream->channel}, {"data", result->output}}));
  co_return result;
}

}  // namespace consort::workflow
