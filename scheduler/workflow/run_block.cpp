// A block of tasks, and what every task has: if, input, timeout, retry, output, export, journal, trace.
#include <algorithm>
#include <map>

#include <boost/asio/post.hpp>

#include "scheduler/workflow/parser.h"
#include "scheduler/workflow/run_tasks.h"

namespace consort::workflow {
namespace {

SteadyTime earlier(SteadyTime deadline, const std::optional<Duration>& after) {
  if (!after) return deadline;
  return std::min(deadline, std::chrono::steady_clock::now() + *after);
}

bool replays_output(const Task& task) {
  return std::holds_alternative<SetTask>(task.act) || std::holds_alternative<CallTask>(task.act) ||
         std::holds_alternative<WaitTask>(task.act);
}

Active activate(RunState& run, const Task& task, Frame frame, Value input) {
  Active active;
  active.task = &task;
  frame.path += std::string_view(task.pointer).substr(frame.base);
  frame.base = task.pointer.size();
  frame.seed = mix_seed(frame.seed, task.seed_part);
  frame.deadline = earlier(frame.deadline, task.timeout.after);
  active.frame = std::move(frame);
  active.input = std::move(input);
  active.start_ms = run.now_ms();
  return active;
}

std::uint64_t report_step(RunState& run, const Active& active, std::string_view status) {
  if (!run.wants_events()) return 0;
  return run.emit("task", active.frame.path,
                  Value::object({{"name", active.task->name},
                                 {"kind", active.task->kind},
                                 {"status", status},
                                 {"attempt", static_cast<std::int64_t>(active.attempt)}}));
}

// if and input.from. False: skipped.
Outcome<bool> prepare(RunState& run, Active& active) {
  const Task& task = *active.task;
  if (task.if_) {
    Result<bool> go = task.if_->holds(active.input, active.bindings(), run.evaluation);
    if (!go) return tl::unexpected(active.expression_problem(go.error()));
    if (!*go) return false;
  }
  if (task.input_schema)
    if (Status valid = task.input_schema->check(active.input); !valid)
      return tl::unexpected(active.problem("validation", "input: " + error_text(valid.error())));
  if (task.input_from) {
    Result<Value> seen = task.input_from->evaluate(active.input, active.bindings(), run.evaluation);
    if (!seen) return tl::unexpected(active.expression_problem(seen.error()));
    active.input = std::move(*seen);
  }
  return true;
}

// output.as, output.schema, limits and export.as. Changes the state of the branch last, when all is well.
Status apply_all(Active& active, const Value& exports) {
  return exports.is_null() ? Status() : active.frame.state->apply(exports);
}

Outcome<Value> shape_output(RunState& run, Active& active, const Value& raw, Value& exports) {
  const Task& task = *active.task;
  Value output = raw;
  if (task.output_as) {
    Result<Value> shaped = task.output_as->evaluate(raw, active.bindings(&raw), run.evaluation);
    if (!shaped) return tl::unexpected(active.expression_problem(shaped.error()));
    output = std::move(*shaped);
  }
  if (task.output_schema)
    if (Status valid = task.output_schema->check(output); !valid)
      return tl::unexpected(active.problem("validation", "output: " + error_text(valid.error())));
  const bool made_here = task.output_as || std::holds_alternative<CallTask>(task.act) ||
                         std::holds_alternative<SetTask>(task.act);
  if (made_here && output.approximate_bytes() > run.options.limits.value_bytes)
    return tl::unexpected(active.problem(
        "payload", "the output is larger than " + std::to_string(run.options.limits.value_bytes) + " bytes"));
  if (!task.export_as) return output;
  Result<Value> exported = task.export_as->evaluate(output, active.bindings(&output), run.evaluation);
  if (!exported) return tl::unexpected(active.expression_problem(exported.error()));
  if (!exported->is_object())
    return tl::unexpected(active.problem(
        "validation", "export.as must give an object, gives " + std::string(type_name(exported->type()))));
  if (task.export_schema)
    if (Status valid = task.export_schema->check(*exported); !valid)
      return tl::unexpected(active.problem("validation", "export: " + error_text(valid.error())));
  exports = std::move(*exported);
  return output;
}

TaskRecord finished_record(RunState& run, const Active& active, const ActResult& result, const Value& output,
                           const Value& exports) {
  TaskRecord record;
  record.state = "finished";
  record.kind = active.task->kind;
  record.attempt = active.attempt;
  record.milliseconds = run.now_ms() - active.start_ms;
  record.winner = result.winner;
  record.usage = result.usage;
  if (replays_output(*active.task)) {
    record.output = output;
    record.exports = exports;
  }
  Value::Object data{{"name", active.task->name},
                     {"kind", active.task->kind},
                     {"status", "finished"},
                     {"attempt", static_cast<std::int64_t>(active.attempt)},
                     {"milliseconds", record.milliseconds}};
  record.order = run.emit("task", active.frame.path, Value::object(std::move(data)));
  return record;
}

void end_span(RunState& run, const Active& active, std::string_view status, const Value* output,
              const Value* usage) {
  TraceSpan* span = run.span(active.frame.span);
  if (!span) return;
  span->status = status;
  span->end_ms = run.now_ms();
  span->attempt = active.attempt;
  if (usage) span->usage = *usage;
  if (output && replays_output(*active.task) && output->approximate_bytes() <= Trace::kMaxOutputBytes)
    span->output = *output;
}

// A call that was sent is no longer under way: nobody who resumes needs to wonder what became of it.
void store_end(RunState& run, const Active& active, const Problem& problem, std::uint64_t order) {
  TaskRecord record;
  record.state = problem.kind == ErrorKind::kCancelled ? "cancelled" : "failed";
  record.kind = active.task->kind;
  record.attempt = active.attempt;
  record.milliseconds = run.now_ms() - active.start_ms;
  record.problem = problem_to_value(problem).with("kind", error_kind_name(problem.kind));
  record.order = order;
  run.commit_later(active.frame.path, record);
}

// The problem as this task reports it: its own timeout is its own, whoever noticed.
Problem failed(RunState& run, const Active& active, Problem problem, SteadyTime outer_deadline) {
  if (problem.instance.empty()) problem.instance = active.task->pointer;
  const bool own =
      active.frame.deadline < outer_deadline && std::chrono::steady_clock::now() >= active.frame.deadline;
  if (own && problem_type_name(problem.type) == "timeout" && problem.instance != active.task->pointer) {
    problem.detail = "not done within its timeout (" + problem.instance + " was under way)";
    problem.instance = active.task->pointer;
  }
  const bool cancelled = problem.kind == ErrorKind::kCancelled;
  if (cancelled && !run.options.stop.stop_requested()) problem.detail = "stopped: another branch decided";
  if (TraceSpan* span = run.span(active.frame.span)) {
    span->status = cancelled ? "cancelled" : "failed";
    span->end_ms = run.now_ms();
    span->attempt = active.attempt;
    span->error = problem.detail;
  }
  std::uint64_t order = 0;
  if (cancelled)
    order = report_step(run, active, "cancelled");
  else if (run.wants_events())
    order = run.emit("error", active.frame.path, problem_to_value(problem));
  if (active.sent) store_end(run, active, problem, order);
  return problem;
}

// The record's output again, with its exports applied.
Outcome<StepResult> replay(RunState& run, Active& active, const TaskRecord& record) {
  active.attempt = record.attempt;
  active.frame.span = run.begin_span(active.frame.span, active.frame.path, *active.task);
  ++run.replayed;
  if (record.kind.starts_with("call:")) run.count_call(*active.frame.state, record.usage);
  if (Status applied = apply_all(active, record.exports); !applied)
    return tl::unexpected(active.problem("validation", applied.error().what));
  end_span(run, active, "replayed", &record.output, &record.usage);
  return StepResult{record.output, active.task->then, active.task->limit};
}

// One try of the task's act, in the scope and under the deadline of its own.
Running<ActResult> try_act(RunState& run, Active& active, StateScope& scope) {
  const std::string path = active.frame.path;
  const SteadyTime deadline = active.frame.deadline;
  StateScope* state = active.frame.state;
  active.attempt_deadline = earlier(deadline, active.task->timeout.attempt);
  if (const RetryPolicy* policy = active.task->retry.get())
    active.attempt_deadline = earlier(active.attempt_deadline, policy->attempt_duration);
  active.frame.deadline = active.attempt_deadline;
  active.frame.state = &scope;
  if (active.attempt > 1 && !replays_output(*active.task))
    active.frame.path = attempt_path(path, active.attempt);
  Outcome<ActResult> result = co_await run_act(run, active);
  active.frame.deadline = deadline;
  active.frame.path = path;
  active.frame.state = state;
  co_return result;
}

Running<ActResult> run_attempts(RunState& run, Active& active) {
  const RetryPolicy* policy = active.task->retry.get();
  if (!policy) co_return co_await try_act(run, active, *active.frame.state);
  const SteadyTime began = std::chrono::steady_clock::now();
  Outcome<Tries> tries = stored_tries(run, active);
  if (!tries) co_return tl::unexpected(std::move(tries.error()));
  active.attempt = tries->next;
  if (tries->last && !tries->known &&
      !retry_delay(run, *policy, active, *tries->last, tries->next - 1, began))
    co_return tl::unexpected(std::move(*tries->last));
  while (true) {
    StateScope scope = active.frame.state->branch();
    Outcome<ActResult> result = co_await try_act(run, active, scope);
    if (Status joined = active.frame.state->join(scope); !joined)
      co_return tl::unexpected(active.problem("validation", joined.error().what));
    if (result) co_return result;
    std::optional<Duration> delay = retry_delay(run, *policy, active, result.error(), active.attempt, began);
    if (!delay) co_return result;
    Status stored = co_await commit_try(run, active, result.error(), scope, delay);
    if (!stored) co_return tl::unexpected(active.problem(stored.error()));
    const SteadyTime until = std::chrono::steady_clock::now() + *delay;
    bool slept = co_await sleep_until(run, until, active.frame.deadline, active.frame.stop);
    if (!slept) co_return result;
    ++active.attempt;
  }
}

// The output as siblings see it; the exports are in the state, the usage in the run's sums.
Outcome<Value> settle(RunState& run, Active& active, const ActResult& result, Value& exports) {
  Outcome<Value> output = shape_output(run, active, result.output, exports);
  if (!output) return output;
  if (Status applied = apply_all(active, exports); !applied)
    return tl::unexpected(active.problem("validation", applied.error().what));
  if (std::holds_alternative<CallTask>(active.task->act)) run.count_call(*active.frame.state, result.usage);
  return output;
}

boost::asio::awaitable<Status> commit_finished(RunState& run, const Active& active, ActResult& result,
                                               const Value& output, const Value& exports) {
  TaskRecord finished = finished_record(run, active, result, output, exports);
  if (run.commits_inline())
    co_return run.commit_inline(active.frame.path, finished, std::move(result.writes));
  std::string path = active.frame.path;
  Status committed = co_await run.commit(std::move(path), std::move(finished), std::move(result.writes));
  co_return committed;
}

}  // namespace

Running<StepResult> run_task(RunState& run, const Task& task, Frame frame, Value input) {
  if (run.yield_due()) co_await boost::asio::post(run.strand, boost::asio::use_awaitable);
  const SteadyTime outer = frame.deadline;
  const std::int64_t parent = frame.span;
  Active active = activate(run, task, std::move(frame), std::move(input));
  if (std::optional<Problem> problem = halted(active.frame, task.pointer)) co_return tl::unexpected(*problem);
  Result<std::optional<TaskRecord>> record = run.find(active.frame.path);
  if (!record) co_return tl::unexpected(active.problem(record.error()));
  if (*record) {
    if ((*record)->state == "finished" && replays_output(task)) co_return replay(run, active, **record);
    active.due_ms = (*record)->due_ms;
    active.winner = (*record)->winner;
    if ((*record)->state == "sent" && std::holds_alternative<CallTask>(task.act))
      report_step(run, active, "unknown");
  }
  const bool stored = *record && (*record)->state == "finished";
  Outcome<bool> go = prepare(run, active);
  active.frame.span = run.begin_span(parent, active.frame.path, task);
  if (!go) co_return tl::unexpected(failed(run, active, std::move(go.error()), outer));
  if (!*go) {
    end_span(run, active, "skipped", nullptr, nullptr);
    report_step(run, active, "skipped");
    co_return StepResult{active.input, Then{}, 0};
  }
  Outcome<ActResult> result = ActResult{};
  if (const auto* act = std::get_if<SetTask>(&task.act); act && !task.retry)
    result = act_set(run, active, *act);
  else
    result = co_await run_attempts(run, active);
  if (!result) co_return tl::unexpected(failed(run, active, std::move(result.error()), outer));
  Value exports;
  Outcome<Value> output = settle(run, active, *result, exports);
  if (!output) co_return tl::unexpected(failed(run, active, std::move(output.error()), outer));
  if (!stored && (run.wants_events() || !result->writes.empty())) {
    Status committed = co_await commit_finished(run, active, *result, *output, exports);
    if (!committed) {
      Problem problem = active.problem(committed.error());
      co_return tl::unexpected(failed(run, active, std::move(problem), outer));
    }
  }
  ++(stored ? run.replayed : run.finished);
  end_span(run, active, "finished", &*output, &result->usage);
  StepResult step{std::move(*output), result->then.value_or(task.then),
                  result->then ? result->jump_limit : task.limit};
  if (result->end) step.then.where = Then::Where::kEnd;
  co_return step;
}

Running<BlockResult> run_block(RunState& run, const Block& block, Frame frame, Value input) {
  BlockResult result{std::move(input), false};
  std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> jumps;  // (from, to) -> times
  const std::string path = frame.path;
  const std::uint64_t seed = frame.seed;
  std::uint64_t round = 0;  // jumps back so far; makes the paths of tasks that run again new
  std::size_t at = 0;
  while (at < block.tasks.size()) {
    Frame inner = frame;
    if (round > 0) {
      inner.path = path + "/#" + std::to_string(round);
      inner.seed = mix_seed(seed, 0x726f756e64ull + round);
    }
    Value current = result.output;
    Outcome<StepResult> step = co_await run_task(run, block.tasks[at], std::move(inner), std::move(current));
    if (!step) co_return tl::unexpected(std::move(step.error()));
    result.output = std::move(step->output);
    const Then& then = step->then;
    if (then.where == Then::Where::kExit) break;
    if (then.where == Then::Where::kEnd) {
      result.end = true;
      break;
    }
    if (then.where == Then::Where::kContinue) {
      ++at;
      continue;
    }
    if (then.backward) {
      ++round;
      if (++jumps[{at, then.index}] > step->jump_limit)
        co_return tl::unexpected(make_problem(
            "runtime",
            "went back to '" + then.name + "' " + std::to_string(step->jump_limit) + " times, its limit",
            block.tasks[at].pointer));
    }
    at = then.index;
  }
  co_return result;
}

}  // namespace consort::workflow
