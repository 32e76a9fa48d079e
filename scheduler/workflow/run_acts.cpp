// Acts that are one step: set, switch, raise, wait; bindings and problems of a task under way.
#include "scheduler/workflow/run_tasks.h"

namespace consort::workflow {

Bindings Active::bindings(const Value* output) const {
  Bindings bindings;
  bindings.input = &input;
  bindings.context = &frame.state->context;
  bindings.workflow = &frame.place->about;
  bindings.output = output;
  bindings.task_name = task->name;
  bindings.task_pointer = task->pointer;
  bindings.attempt = attempt;
  bindings.locals = frame.locals;
  return bindings;
}

Problem Active::problem(std::string_view type, std::string detail) const {
  return make_problem(type, std::move(detail), task->pointer);
}

Problem Active::problem(const Error& error) const {
  return problem_of(error, task->pointer);
}

Problem Active::expression_problem(const Error& error) const {
  return make_problem(error.kind == ErrorKind::kBudget ? "budget" : "expression", error_text(error),
                      task->pointer);
}

std::optional<Problem> halted(const Frame& frame, const std::string& pointer) {
  if (frame.stop.stop_requested()) return make_problem("cancelled", "the run was stopped", pointer);
  if (frame.deadline != kNoDeadline && std::chrono::steady_clock::now() >= frame.deadline)
    return make_problem("timeout", "the deadline has passed", pointer);
  return std::nullopt;
}

boost::asio::awaitable<bool> sleep_until(RunState& run, SteadyTime until, SteadyTime deadline,
                                         std::stop_token stop) {
  auto signal = std::make_shared<Signal>(run.strand);
  std::stop_callback on_stop(stop, [signal] { signal->wake_from_anywhere(); });
  const SteadyTime end = std::min(until, deadline);
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < end) co_await signal->wait(end);
  co_return !stop.stop_requested() && until <= deadline;
}

Outcome<ActResult> act_set(RunState& run, Active& active, const SetTask& act) {
  Result<Value> values = act.values.evaluate(active.input, active.bindings(), run.evaluation);
  if (!values) return tl::unexpected(active.expression_problem(values.error()));
  if (!values->is_object())
    return tl::unexpected(active.problem(
        "validation", "set must give an object, gives " + std::string(type_name(values->type()))));
  ActResult result;
  result.output = std::move(*values);
  return result;
}

Outcome<ActResult> act_switch(RunState& run, Active& active, const SwitchTask& act) {
  const SwitchCase* chosen = nullptr;
  for (const SwitchCase& one : act.cases) {
    if (!one.when) {
      if (!chosen) chosen = &one;  // taken when no other case holds
      continue;
    }
    Result<bool> holds = one.when->holds(active.input, active.bindings(), run.evaluation);
    if (!holds) return tl::unexpected(active.expression_problem(holds.error()));
    if (!*holds) continue;
    chosen = &one;
    break;
  }
  ActResult result;
  result.output = active.input;
  if (chosen) {
    result.then = chosen->then;
    result.jump_limit = chosen->limit ? chosen->limit : active.task->limit;
  }
  return result;
}

Outcome<ActResult> act_raise(RunState& run, Active& active, const RaiseTask& act) {
  Result<Value> error = act.error.evaluate(active.input, active.bindings(), run.evaluation);
  if (!error) return tl::unexpected(active.expression_problem(error.error()));
  const Value type = error->get("type");
  if (!type.is_string())
    return tl::unexpected(active.problem("validation", "raise.error must be an object with a text 'type'"));
  const std::string name(problem_type_name(type.as_string()));
  Problem problem = make_problem(name, "", active.task->pointer);
  // A type that is none of ours stays as it is; one without any colon is a name in our own space.
  const bool foreign = problem_type_name(problem.type) != name;
  if (foreign) {
    problem.type = name.find(':') == std::string::npos ? std::string(kProblemTypePrefix) + name : name;
    problem.title = name;
  }
  problem.kind = ErrorKind::kRuntime;
  const auto text = [&error](std::string_view key, std::string& into) {
    const Value* found = error->find(key);
    if (found) into = found->is_string() ? found->as_string() : write_json(*found);
  };
  text("title", problem.title);
  text("detail", problem.detail);
  text("instance", problem.instance);
  Value status = error->get("status");
  if (status.is_string())
    if (Result<Value> number = parse_json(status.as_string()); number) status = *number;
  if (status.is_number() && status.as_number() >= 100 && status.as_number() <= 599)
    problem.status = static_cast<int>(status.as_number());
  else if (!status.is_null())
    return tl::unexpected(active.problem("validation", "the status of an error is a number from 100 to 599"));
  return tl::unexpected(std::move(problem));
}

Running<ActResult> act_wait(RunState& run, Active& active, const WaitTask& act) {
  const std::int64_t due = active.due_ms > 0 ? active.due_ms : unix_ms() + act.duration.count();
  if (run.journal && active.due_ms == 0 && act.duration.count() >= 1000) {
    // A long wait is not begun again when the run goes on after a crash.
    TaskRecord record;
    record.state = "sent";
    record.kind = active.task->kind;
    record.due_ms = due;
    record.order = run.emit(
        "task", active.frame.path,
        Value::object(
            {{"name", active.task->name}, {"kind", "wait"}, {"status", "waiting"}, {"due_ms", due}}));
    std::string path = active.frame.path;
    Status stored = co_await run.commit(std::move(path), std::move(record), {});
    if (!stored) co_return tl::unexpected(active.problem(stored.error()));
  }
  const SteadyTime until =
      std::chrono::steady_clock::now() + Duration(std::max<std::int64_t>(0, due - unix_ms()));
  bool slept = co_await sleep_until(run, until, active.frame.deadline, active.frame.stop);
  if (!slept) {
    std::optional<Problem> problem = halted(active.frame, active.task->pointer);
    co_return tl::unexpected(problem ? *problem
                                     : active.problem("timeout", "the deadline comes before the end"));
  }
  ActResult result;
  result.output = active.input;
  co_return result;
}

}  // namespace consort::workflow
