#include "scheduler/workflow/run_state.h"

#include <algorithm>
#include <utility>

#include "scheduler/workflow/journal_records.h"

namespace consort::workflow {
namespace {

constexpr std::size_t kHeldBytes = 4u << 20;  // mode exit stores earlier when more than this is held back

EvaluationLimits evaluation_limits(const RunLimits& limits) {
  EvaluationLimits evaluation;
  evaluation.value_bytes = limits.value_bytes;
  evaluation.bytes = std::max<std::uint64_t>(evaluation.bytes, 2 * limits.value_bytes);
  return evaluation;
}

Value add(const Value& a, const Value& b) {
  if (a.is_null()) return b;
  if (a.is_integer() && b.is_integer()) return Value(a.as_integer() + b.as_integer());
  return Value(a.as_number() + b.as_number());
}

struct CommitWait {
  bool done = false;
  Status status;
};

}  // namespace

std::int64_t unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Status StateScope::apply(const Value& exports) {
  CONSORT_TRY(next, apply_exports(*reducers, context, exports));
  if (collects) {
    CONSORT_TRY(combined, apply_exports(*reducers, change, exports));
    change = std::move(combined);
    for (const auto& [key, value] : exports.as_object())
      if (reducers->find(key) == reducers->end() &&
          std::find(undeclared.begin(), undeclared.end(), key) == undeclared.end())
        undeclared.push_back(key);
  }
  context = std::move(next);
  return {};
}

Status StateScope::join(const StateScope& branch) {
  usage = add_usage(usage, branch.usage);
  return branch.change.size() == 0 ? Status() : apply(branch.change);
}

Value add_usage(const Value& a, const Value& b) {
  Value sums = a;
  if (b.is_object())
    for (const auto& [key, value] : b.as_object())
      if (value.is_number()) sums = sums.with(key, add(sums.get(key), value));
  return sums;
}

RunState::RunState(boost::asio::any_io_executor strand_in, Journal* journal_in, RunOptions options_in,
                   std::string id_in, std::uint64_t seed_in, RunDurability durability_in,
                   std::shared_ptr<boost::asio::thread_pool> blocking)
    : strand(std::move(strand_in)),
      journal(journal_in),
      options(std::move(options_in)),
      id(std::move(id_in)),
      seed(seed_in),
      durability(durability_in),
      evaluation(evaluation_limits(options.limits)),
      blocking_(std::move(blocking)) {
  trace.run_id = id;
  trace.started_ms = unix_ms();
}

double RunState::now_ms() const {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began_).count();
}

std::uint64_t RunState::emit(std::string_view type, std::string_view path, Value data) {
  std::lock_guard lock(mutex_);
  const std::uint64_t number = next_event_++;
  if (!wants_events()) return number;
  RunEvent event{number, std::string(type), std::string(path), unix_ms(), std::move(data)};
  if (journal)
    pending_.push_back(
        StoreWrite{std::string(kEventsFamily), event_key(id, number), encode_event(event), false});
  if (options.on_event) options.on_event(event);
  return number;
}

Result<std::optional<TaskRecord>> RunState::find(const std::string& path) {
  if (!replaying || !journal) return std::optional<TaskRecord>();
  CONSORT_TRY(bytes, journal->store().get(kJournalFamily, task_key(id, path)));
  if (!bytes) return std::optional<TaskRecord>();
  CONSORT_TRY(record, decode_task(*bytes));
  return std::optional<TaskRecord>(std::move(record));
}

std::vector<StoreWrite> RunState::take_pending(const std::string& path, const TaskRecord& record,
                                               std::vector<StoreWrite> writes) {
  {
    std::lock_guard lock(mutex_);
    writes.insert(writes.end(), std::make_move_iterator(pending_.begin()),
                  std::make_move_iterator(pending_.end()));
    pending_.clear();
  }
  writes.push_back(StoreWrite{std::string(kJournalFamily), task_key(id, path), encode_task(record), false});
  return writes;
}

Status RunState::commit_inline(const std::string& path, const TaskRecord& record,
                               std::vector<StoreWrite> writes) {
  if (!journal) {
    if (writes.empty()) return {};
    return fail(ErrorKind::kUnavailable, "this process has no store to write to");
  }
  const std::size_t before = held_.size(), own = writes.size();
  hold(take_pending(path, record, std::move(writes)));
  const std::size_t after = held_.size();
  if (own == 0 && held_bytes_ <= kHeldBytes) {
    if (durability == RunDurability::kAsync) flush_at_next_wait();
    return {};
  }
  Status stored = flush(Durability::kAsync);
  if (!stored) {  // what others have committed stays held; this task did not end well
    const auto at = held_.begin() + static_cast<std::ptrdiff_t>(before);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(after) - 1);
    held_.erase(at, at + static_cast<std::ptrdiff_t>(own));
  }
  return stored;
}

void RunState::hold(std::vector<StoreWrite> batch) {
  for (StoreWrite& write : batch) {
    held_bytes_ += write.key.size() + write.value.size() + 32;
    held_.push_back(std::move(write));
  }
}

// The strand comes to it when the coroutine that runs now gives way, and then lets those go first that this
// one has started: a request leaves, and while its answer is made the batch is stored.
void RunState::flush_at_next_wait() {
  if (std::exchange(flush_posted_, true)) return;
  boost::asio::post(strand, [run = shared_from_this()] {
    boost::asio::post(run->strand, [run] {
      run->flush_posted_ = false;
      static_cast<void>(run->commit_held());  // what was not stored is tried again with the next commit
    });
  });
}

Status RunState::commit_held() {
  if (durability != RunDurability::kAsync || held_.empty()) return {};
  return flush(Durability::kAsync);
}

boost::asio::awaitable<Status> RunState::commit(std::string path, TaskRecord record,
                                                std::vector<StoreWrite> writes) {
  if (commits_inline()) co_return commit_inline(path, record, std::move(writes));
  auto batch = std::make_shared<std::vector<StoreWrite>>(take_pending(path, record, std::move(writes)));
  auto wait = std::make_shared<CommitWait>();
  auto signal = std::make_shared<Signal>(strand);
  Store* store = &journal->store();
  // One thread, first come first stored: batches reach the disk in the order of their events.
  boost::asio::post(*blocking_, [batch, wait, signal, store, executor = strand] {
    Status status = store->commit(*batch, Durability::kSync);
    boost::asio::post(executor, [wait, signal, status] {
      wait->done = true;
      wait->status = status;
      signal->wake();
    });
  });
  while (!wait->done) co_await signal->wait(kNoDeadline);
  co_return wait->status;
}

Status RunState::flush(Durability how) {
  if (!journal) return {};
  {
    std::lock_guard lock(mutex_);
    held_.insert(held_.end(), std::make_move_iterator(pending_.begin()),
                 std::make_move_iterator(pending_.end()));
    pending_.clear();
  }
  if (held_.empty()) return {};
  CONSORT_CHECK_OK(journal->store().commit(held_, how));
  held_.clear();
  held_bytes_ = 0;
  return {};
}

std::int64_t RunState::begin_span(std::int64_t parent, const std::string& path, const Task& task) {
  if (!options.trace) return -1;
  if (trace.spans.size() >= Trace::kMaxSpans) {
    ++trace.dropped;
    return -1;
  }
  TraceSpan span;
  span.parent = parent;
  span.path = path;
  span.task = task.pointer;
  span.name = task.name;
  span.kind = task.kind;
  span.status = "running";
  span.start_ms = span.end_ms = now_ms();
  trace.spans.push_back(std::move(span));
  return static_cast<std::int64_t>(trace.spans.size()) - 1;
}

void RunState::commit_later(const std::string& path, const TaskRecord& record) {
  if (!journal) return;
  std::lock_guard lock(mutex_);
  pending_.push_back(StoreWrite{std::string(kJournalFamily), task_key(id, path), encode_task(record), false});
}

void RunState::count_call(StateScope& scope, const Value& said) {
  Value::Object sums{{"calls", 1}};
  if (said.is_object())
    for (const auto& [key, value] : said.as_object())
      if (value.is_number() && key != "calls") sums.emplace_back(key, value);
  count(scope, Value::object(std::move(sums)));
}

void RunState::count(StateScope& scope, const Value& sums) {
  usage = add_usage(usage, sums);
  scope.usage = add_usage(scope.usage, sums);
}

}  // namespace consort::workflow
