// Failures that somebody took on himself: a failed try that is tried again or caught, an item or branch that
// is tolerated. Each is stored with the exports and the usage of what had finished before it, so that a
// resumed run neither tries again what was given up nor loses what it had achieved.
#include "scheduler/workflow/run_tasks.h"

namespace consort::workflow {
namespace {

constexpr std::int64_t kGivenUp = -1;  // TaskRecord::due_ms of a failed try after which there is none

// Exports and usage of a stored failure, and a line in the trace where its tasks would stand.
Status take_again(RunState& run, const Active& active, StateScope& scope, const std::string& path,
                  const TaskRecord& record) {
  run.count(scope, record.usage);
  ++run.replayed;
  const std::int64_t index = run.begin_span(active.frame.span, path, *active.task);
  if (TraceSpan* span = run.span(index)) {
    span->status = "replayed";
    span->attempt = record.attempt;
    span->error = problem_from_value(record.problem).detail;
  }
  return record.exports.is_null() ? Status() : scope.apply(record.exports);
}

// Whether a failure is stored at a path.
Outcome<bool> read_failure(RunState& run, const Active& active, const std::string& path, TaskRecord& into) {
  Result<std::optional<TaskRecord>> record = run.find(path);
  if (!record) return tl::unexpected(active.problem(record.error()));
  if (!*record || (*record)->state != "failed") return false;
  into = std::move(**record);
  return true;
}

TaskRecord record_of(RunState& run, const Active& active, const Problem& problem, const StateScope& scope) {
  TaskRecord record;
  record.state = "failed";
  record.kind = active.task->kind;
  record.milliseconds = run.now_ms() - active.start_ms;
  record.problem = problem_to_value(problem).with("kind", error_kind_name(problem.kind));
  if (scope.change.size() > 0) record.exports = scope.change;
  if (scope.usage.size() > 0) record.usage = scope.usage;
  return record;
}

}  // namespace

std::string attempt_path(const std::string& path, std::uint32_t attempt) {
  return path + "/!" + std::to_string(attempt);
}

Outcome<Tries> stored_tries(RunState& run, Active& active) {
  Tries tries;
  while (run.replaying) {
    const std::string path = attempt_path(active.frame.path, tries.next);
    TaskRecord record;
    Outcome<bool> found = read_failure(run, active, path, record);
    if (!found) return tl::unexpected(std::move(found.error()));
    if (!*found) break;
    if (Status taken = take_again(run, active, *active.frame.state, path, record); !taken)
      return tl::unexpected(active.problem("validation", taken.error().what));
    tries.last = problem_from_value(record.problem);
    tries.given_up = record.due_ms == kGivenUp;
    tries.known = record.due_ms != 0;
    ++tries.next;
  }
  return tries;
}

boost::asio::awaitable<Status> commit_try(RunState& run, const Active& active, const Problem& problem,
                                          const StateScope& scope, std::optional<Duration> delay) {
  TaskRecord record = record_of(run, active, problem, scope);
  record.attempt = active.attempt;
  record.due_ms = delay ? unix_ms() + delay->count() : kGivenUp;
  record.order = run.wants_events() ? run.emit("error", active.frame.path, record.problem) : 0;
  if (active.sent) {  // a call: its own record says so too
    TaskRecord call = record;
    call.due_ms = 0;
    run.commit_later(active.frame.path, call);
  }
  std::string path = attempt_path(active.frame.path, active.attempt);
  Status status = co_await run.commit(std::move(path), std::move(record), {});
  co_return status;
}

bool tolerable(const Active& active, const Problem& problem) {
  return problem.kind != ErrorKind::kCancelled && !halted(active.frame, active.task->pointer);
}

Outcome<std::optional<Problem>> stored_failure(RunState& run, const Active& active, StateScope& scope,
                                               const std::string& branch) {
  if (!run.replaying) return std::optional<Problem>();
  const std::string path = attempt_path(branch, 0);
  TaskRecord record;
  Outcome<bool> found = read_failure(run, active, path, record);
  if (!found) return tl::unexpected(std::move(found.error()));
  if (!*found) return std::optional<Problem>();
  if (Status taken = take_again(run, active, scope, branch, record); !taken)
    return tl::unexpected(active.problem("validation", taken.error().what));
  return std::optional<Problem>(problem_from_value(record.problem));
}

boost::asio::awaitable<Status> commit_tolerated(RunState& run, const Active& active, std::string branch,
                                                const Problem& problem, const StateScope& scope) {
  if (!run.wants_events()) co_return Status();
  TaskRecord record = record_of(run, active, problem, scope);
  record.order = run.emit("task", branch,
                          Value::object({{"name", active.task->name},
                                         {"kind", active.task->kind},
                                         {"status", "tolerated"},
                                         {"error", problem_to_value(problem)}}));
  std::string path = attempt_path(branch, 0);
  Status status = co_await run.commit(std::move(path), std::move(record), {});
  co_return status;
}

}  // namespace consort::workflow
