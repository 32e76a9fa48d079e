// RunState: one run while it runs: its journal, events, trace and usage. Shared by the coroutines of the run;
// lives on the run's strand except for what says otherwise. Private to this folder.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include "scheduler/workflow/document.h"
#include "scheduler/workflow/runner.h"
#include "scheduler/workflow/signal.h"

namespace consort::workflow {

// The exported state as one branch sees it. A concurrent branch starts from a copy and collects its exports
// as one combined change, which the join applies in declared order.
struct StateScope {
  const Reducers* reducers = nullptr;
  Value context = Value::object();
  bool collects = false;
  Value change = Value::object();
  std::vector<std::string> undeclared;  // keys of `change` without a declared reducer
  Value usage = Value::object();        // sums over the calls made in it

  StateScope branch() const {
    return StateScope{reducers, context, true, Value::object(), {}, Value::object()};
  }
  Status apply(const Value& exports);
  // What a branch exported and used becomes this scope's.
  Status join(const StateScope& branch);
};

// The numbers of both objects, added by name.
Value add_usage(const Value& a, const Value& b);

// The document that a frame runs in (sub-workflows have their own).
struct Place {
  const Document* document = nullptr;
  Value about;  // $workflow
};

// Where a task runs. `path` is the execution path of the enclosing place and stands for the first `base`
// bytes of the pointers of the tasks in it.
struct Frame {
  std::string path;
  std::size_t base = 0;
  std::uint64_t seed = 0;
  SteadyTime deadline = kNoDeadline;
  std::stop_token stop;
  StateScope* state = nullptr;
  const Local* locals = nullptr;
  const Place* place = nullptr;
  std::int64_t span = -1;
};

std::int64_t unix_ms();

class RunState : public std::enable_shared_from_this<RunState> {
 public:
  RunState(boost::asio::any_io_executor strand, Journal* journal, RunOptions options, std::string id,
           std::uint64_t seed, RunDurability durability, std::shared_ptr<boost::asio::thread_pool> blocking);

  const boost::asio::any_io_executor strand;
  Journal* const journal;  // may be null
  const RunOptions options;
  const std::string id;
  const std::uint64_t seed;
  const RunDurability durability;
  const EvaluationLimits evaluation;
  WorkflowPtr workflow;
  bool replaying = false;
  std::uint64_t finished = 0, replayed = 0;
  Trace trace;
  Value usage = Value::object();

  // True every 256th call: time to let others run.
  bool yield_due() { return (++ticks_ & 255u) == 0; }
  double now_ms() const;

  // Events. From any thread. Returns the event's number.
  std::uint64_t emit(std::string_view type, std::string_view path, Value data);
  bool wants_events() const { return journal != nullptr || static_cast<bool>(options.on_event); }
  void start_events_after(std::uint64_t number) { next_event_ = number + 1; }

  // Journal. find: only while replaying, nullopt otherwise.
  Result<std::optional<TaskRecord>> find(const std::string& path);
  // Stores the record with its writes and all events so far. In mode sync it suspends until the disk has it.
  // In mode async what was committed is stored as one batch before the run next waits for anything; at once
  // when it has writes of its own, which others may read. In mode exit it is stored when the run ends.
  boost::asio::awaitable<Status> commit(std::string path, TaskRecord record, std::vector<StoreWrite> writes);
  // The same where the mode needs no waiting. REQUIRES: commits_inline().
  Status commit_inline(const std::string& path, const TaskRecord& record, std::vector<StoreWrite> writes);
  bool commits_inline() const { return durability != RunDurability::kSync || !journal; }
  // Stores the record with the next commit, whoever makes it. Nothing waits for it.
  void commit_later(const std::string& path, const TaskRecord& record);
  // In mode async, everything that is held back: before an effect that a resumed run must know of.
  Status commit_held();
  // Everything that is held back, in every mode. Blocks. After an error it is held still and goes with the
  // next commit.
  Status flush(Durability durability);

  // Trace. -1 when it is full.
  std::int64_t begin_span(std::int64_t parent, const std::string& path, const Task& task);
  TraceSpan* span(std::int64_t index) {
    return index < 0 ? nullptr : &trace.spans[static_cast<std::size_t>(index)];
  }
  // One more call, with what its handler says of it; or the stored sums of several.
  void count_call(StateScope& scope, const Value& said);
  void count(StateScope& scope, const Value& sums);

 private:
  void hold(std::vector<StoreWrite> batch);
  void flush_at_next_wait();
  std::vector<StoreWrite> take_pending(const std::string& path, const TaskRecord& record,
                                       std::vector<StoreWrite> writes);
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::shared_ptr<boost::asio::thread_pool> blocking_;
  std::uint32_t ticks_ = 0;
  std::mutex mutex_;  // next_event_, pending_
  std::uint64_t next_event_ = 1;
  std::vector<StoreWrite> pending_;  // events and records for the next commit, in order
  std::vector<StoreWrite> held_;     // modes async and exit: committed, not stored yet
  std::size_t held_bytes_ = 0;
  bool flush_posted_ = false;
};
using RunStatePtr = std::shared_ptr<RunState>;

}  // namespace consort::workflow
