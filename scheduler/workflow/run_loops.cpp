// Acts that hold tasks one after the other: do, for (in sequence), try, run.workflow; and a whole document.
#include "scheduler/workflow/parser.h"
#include "scheduler/workflow/run_tasks.h"

namespace consort::workflow {
namespace {

// Where the tasks inside a task run: below its path.
Frame inner_frame(const Active& active) {
  return active.frame;
}

// The list of a `for`, or null when there is none.
Outcome<Value> items_of(RunState& run, const Active& active, const ForTask& act) {
  if (!act.in) return Value();
  Result<Value> items = act.in->evaluate(active.input, active.bindings(), run.evaluation);
  if (!items) return tl::unexpected(active.expression_problem(items.error()));
  if (!items->is_array())
    return tl::unexpected(active.problem(
        "validation", "for.in must give an array, gives " + std::string(type_name(items->type()))));
  if (items->size() > run.options.limits.for_items)
    return tl::unexpected(active.problem("payload", "for.in gives " + std::to_string(items->size()) +
                                                        " items, at most " +
                                                        std::to_string(run.options.limits.for_items)));
  return *items;
}

// Whether iteration `index` is to happen.
Outcome<bool> goes_on(RunState& run, const Active& active, const ForTask& act, const Value& dot,
                      const Local& at, std::uint64_t index) {
  if (act.while_) {
    Bindings bindings = active.bindings();
    bindings.locals = &at;
    Result<bool> holds = act.while_->holds(dot, bindings, run.evaluation);
    if (!holds) return tl::unexpected(active.expression_problem(holds.error()));
    if (!*holds) return false;
  }
  if (act.limit > 0 && index >= act.limit)
    return tl::unexpected(
        active.problem("runtime", "not done after " + std::to_string(act.limit) + " iterations, its limit"));
  return true;
}

// Whether the catch takes this problem. A stop of the run and the deadline of an outer task are not its to
// take.
Outcome<bool> is_caught(RunState& run, const Active& active, const TryTask& act, const Problem& problem) {
  if (problem.kind == ErrorKind::kCancelled && active.frame.stop.stop_requested()) return false;
  if (halted(active.frame, active.task->pointer)) return false;
  if (!catches(act.filter, problem)) return false;
  const Local error{active.frame.locals, act.as, problem_to_value(problem)};
  Bindings bindings = active.bindings();
  bindings.locals = &error;
  for (const auto* condition : {&act.when, &act.except_when}) {
    if (!*condition) continue;
    Result<bool> holds = (*condition)->holds(active.input, bindings, run.evaluation);
    if (!holds) return tl::unexpected(active.expression_problem(holds.error()));
    if (*holds != (condition == &act.when)) return false;
  }
  return true;
}

}  // namespace

Running<ActResult> run_act(RunState& run, Active& active) {
  const auto& act = active.task->act;
  if (const auto* set = std::get_if<SetTask>(&act)) co_return act_set(run, active, *set);
  if (const auto* choice = std::get_if<SwitchTask>(&act)) co_return act_switch(run, active, *choice);
  if (const auto* raise = std::get_if<RaiseTask>(&act)) co_return act_raise(run, active, *raise);
  if (const auto* call = std::get_if<CallTask>(&act)) co_return co_await act_call(run, active, *call);
  if (const auto* fork = std::get_if<ForkTask>(&act)) co_return co_await act_fork(run, active, *fork);
  if (const auto* loop = std::get_if<ForTask>(&act)) co_return co_await act_for(run, active, *loop);
  if (const auto* attempt = std::get_if<TryTask>(&act)) co_return co_await act_try(run, active, *attempt);
  if (const auto* wait = std::get_if<WaitTask>(&act)) co_return co_await act_wait(run, active, *wait);
  if (const auto* sub = std::get_if<RunTask>(&act)) co_return co_await act_run(run, active, *sub);
  const auto* inner = std::get_if<DoTask>(&act);
  Frame frame = inner_frame(active);
  Value input = active.input;
  Outcome<BlockResult> block = co_await run_block(run, inner->block, std::move(frame), std::move(input));
  if (!block) co_return tl::unexpected(std::move(block.error()));
  ActResult result;
  result.output = std::move(block->output);
  result.end = block->end;
  co_return result;
}

namespace {

// What one turn of a loop came to.
struct Turn {
  BlockResult block;
  std::optional<Problem> tolerated;
};

// Turn number `at` of a loop that takes them one after the other. A loop that tolerates failures runs each
// turn in a scope of its own: what a failed one had exported must be known apart.
Running<Turn> run_turn(RunState& run, const Active& active, const ForTask& act, const Local& at, Value input,
                       bool may_fail) {
  Frame frame = inner_frame(active);
  const std::string path = frame.path + "/@" + std::to_string(at.value.as_integer());
  frame.path = path;
  frame.seed = mix_seed(frame.seed, static_cast<std::uint64_t>(at.value.as_integer()) + 1);
  frame.locals = &at;
  const bool apart = act.tolerated_failures > 0;
  StateScope scope;
  Turn turn;
  if (apart) {
    scope = active.frame.state->branch();
    frame.state = &scope;
    Outcome<std::optional<Problem>> before = stored_failure(run, active, scope, path);
    if (!before) co_return tl::unexpected(std::move(before.error()));
    turn.tolerated = std::move(*before);
  }
  std::optional<Problem> fatal;
  if (!turn.tolerated) {
    Outcome<BlockResult> block = co_await run_block(run, act.block, std::move(frame), std::move(input));
    if (block) {
      turn.block = std::move(*block);
    } else if (may_fail && tolerable(active, block.error())) {
      turn.tolerated = std::move(block.error());
      Status stored = co_await commit_tolerated(run, active, path, *turn.tolerated, scope);
      if (!stored) fatal = active.problem(stored.error());
    } else {
      fatal = std::move(block.error());
    }
  }
  if (apart)
    if (Status joined = active.frame.state->join(scope); !joined && !fatal)
      fatal = active.problem("validation", joined.error().what);
  if (fatal) co_return tl::unexpected(std::move(*fatal));
  co_return turn;
}

}  // namespace

Running<ActResult> act_for(RunState& run, Active& active, const ForTask& act) {
  Outcome<Value> items = items_of(run, active, act);
  if (!items) co_return tl::unexpected(std::move(items.error()));
  if (act.max_concurrency > 1) {
    Value list = std::move(*items);
    co_return co_await act_for_concurrent(run, active, act, std::move(list));
  }
  const bool listed = items->is_array();
  Value::Array outputs;
  Value last = active.input;
  std::uint64_t failures = 0;
  ActResult result;
  for (std::uint64_t i = 0; !listed || i < items->size(); ++i) {
    const Local each{active.frame.locals, act.each, listed ? items->as_array()[i] : Value()};
    const Local at{&each, act.at, Value(i)};
    Outcome<bool> more = goes_on(run, active, act, listed ? active.input : last, at, i);
    if (!more) co_return tl::unexpected(std::move(more.error()));
    if (!*more) break;
    Value input = listed ? active.input : last;
    Outcome<Turn> turn =
        co_await run_turn(run, active, act, at, std::move(input), failures < act.tolerated_failures);
    if (!turn) co_return tl::unexpected(std::move(turn.error()));
    if (turn->tolerated) {
      ++failures;
      if (listed) outputs.push_back(Value::object({{"error", problem_to_value(*turn->tolerated)}}));
      continue;
    }
    if (listed)
      outputs.push_back(std::move(turn->block.output));
    else
      last = std::move(turn->block.output);
    result.end = turn->block.end;
    if (result.end) break;
  }
  result.output = listed ? Value::array(std::move(outputs)) : std::move(last);
  co_return result;
}

namespace {

// Try active.attempt of a `try`: its tasks, in `scope`, under the deadline of one try.
Running<BlockResult> run_try(RunState& run, const Active& active, const TryTask& act, StateScope& scope) {
  Frame frame = inner_frame(active);
  if (active.attempt > 1) frame.path = attempt_path(frame.path, active.attempt);
  if (act.retry && act.retry->attempt_duration)
    frame.deadline =
        std::min(frame.deadline, std::chrono::steady_clock::now() + *act.retry->attempt_duration);
  frame.state = &scope;
  Value input = active.input;
  co_return co_await run_block(run, act.block, std::move(frame), std::move(input));
}

// What follows a failed try: true: another one, its delay is over; false: the tries are used up. A problem
// that is not the catch's to take is passed on.
Running<bool> after_failure(RunState& run, const Active& active, const TryTask& act, const Problem& problem,
                            const StateScope& scope, SteadyTime began) {
  Outcome<bool> caught = is_caught(run, active, act, problem);
  if (!caught) co_return tl::unexpected(std::move(caught.error()));
  if (!*caught) co_return tl::unexpected(problem);
  std::optional<Duration> delay;
  if (act.retry) delay = retry_delay(run, *act.retry, active, problem, active.attempt, began);
  Status stored = co_await commit_try(run, active, problem, scope, delay);
  if (!stored) co_return tl::unexpected(active.problem(stored.error()));
  if (!delay) co_return false;
  const SteadyTime until = std::chrono::steady_clock::now() + *delay;
  bool slept = co_await sleep_until(run, until, active.frame.deadline, active.frame.stop);
  if (!slept) co_return tl::unexpected(problem);
  co_return true;
}

Running<ActResult> run_handler(RunState& run, const Active& active, const TryTask& act, Problem problem) {
  ActResult result;
  if (!act.handler) {
    if (act.retry) co_return tl::unexpected(std::move(problem));  // tries used up and nobody to take over
    result.output = active.input;
    co_return result;
  }
  const Local error{active.frame.locals, act.as, problem_to_value(problem)};
  Frame frame = inner_frame(active);
  frame.locals = &error;
  Value input = active.input;
  Outcome<BlockResult> block = co_await run_block(run, *act.handler, std::move(frame), std::move(input));
  if (!block) co_return tl::unexpected(std::move(block.error()));
  result.output = std::move(block->output);
  result.end = block->end;
  co_return result;
}

}  // namespace

Running<ActResult> act_try(RunState& run, Active& active, const TryTask& act) {
  const SteadyTime began = std::chrono::steady_clock::now();
  Outcome<Tries> tries = stored_tries(run, active);
  if (!tries) co_return tl::unexpected(std::move(tries.error()));
  std::optional<Problem> problem = std::move(tries->last);
  active.attempt = tries->next;
  bool again = !problem || (tries->known ? !tries->given_up
                                         : act.retry && retry_delay(run, *act.retry, active, *problem,
                                                                    active.attempt - 1, began));
  while (again) {
    StateScope scope = active.frame.state->branch();
    Outcome<BlockResult> block = co_await run_try(run, active, act, scope);
    if (Status joined = active.frame.state->join(scope); !joined)
      co_return tl::unexpected(active.problem("validation", joined.error().what));
    if (block) {
      ActResult result;
      result.output = std::move(block->output);
      result.end = block->end;
      co_return result;
    }
    problem = std::move(block.error());
    Outcome<bool> more = co_await after_failure(run, active, act, *problem, scope, began);
    if (!more) co_return tl::unexpected(std::move(more.error()));
    again = *more;
    if (again) ++active.attempt;
  }
  co_return co_await run_handler(run, active, act, std::move(*problem));
}

Running<ActResult> act_run(RunState& run, Active& active, const RunTask& act) {
  Value input = active.input;
  if (act.input) {
    Result<Value> given = act.input->evaluate(active.input, active.bindings(), run.evaluation);
    if (!given) co_return tl::unexpected(active.expression_problem(given.error()));
    input = std::move(*given);
  }
  const Document& document = act.workflow->document();
  Frame frame = inner_frame(active);
  frame.path += "/run/workflow";
  frame.base = 0;
  frame.locals = nullptr;
  Outcome<Value> output = co_await run_document(run, document, std::move(frame), std::move(input));
  if (!output) {
    Problem problem = std::move(output.error());
    problem.detail += " (in workflow " + document.space + "/" + document.name + " at " +
                      (problem.instance.empty() ? std::string("its top") : problem.instance) + ")";
    problem.instance = active.task->pointer;
    co_return tl::unexpected(std::move(problem));
  }
  ActResult result;
  result.output = std::move(*output);
  co_return result;
}

Running<Value> run_document(RunState& run, const Document& document, Frame frame, Value input) {
  const auto failure = [](std::string_view type, std::string detail, std::string where) {
    return tl::unexpected(make_problem(type, std::move(detail), std::move(where)));
  };
  if (document.input_schema)
    if (Status valid = document.input_schema->check(input); !valid)
      co_return failure("validation", "input: " + error_text(valid.error()), "/input/schema");
  StateScope* const outer = frame.state;
  StateScope state;
  state.reducers = &document.reducers;
  Place place{&document, Value::object({{"id", run.id}, {"input", input}, {"document", document.about}})};
  frame.state = &state;
  frame.place = &place;
  if (document.timeout.after)
    frame.deadline = std::min(frame.deadline, std::chrono::steady_clock::now() + *document.timeout.after);
  Bindings bindings;
  bindings.input = &input;
  bindings.context = &state.context;
  bindings.workflow = &place.about;
  Value first = input;
  if (document.input_from) {
    Result<Value> seen = document.input_from->evaluate(input, bindings, run.evaluation);
    if (!seen) co_return failure("expression", error_text(seen.error()), "/input/from");
    first = std::move(*seen);
  }
  Outcome<BlockResult> block = co_await run_block(run, document.block, std::move(frame), std::move(first));
  if (outer) outer->usage = add_usage(outer->usage, state.usage);
  if (!block) co_return tl::unexpected(std::move(block.error()));
  Value output = std::move(block->output);
  if (document.output_as) {
    bindings.output = &output;
    Result<Value> shaped = document.output_as->evaluate(output, bindings, run.evaluation);
    if (!shaped) co_return failure("expression", error_text(shaped.error()), "/output/as");
    output = std::move(*shaped);
  }
  if (document.output_schema)
    if (Status valid = document.output_schema->check(output); !valid)
      co_return failure("validation", "output: " + error_text(valid.error()), "/output/schema");
  co_return output;
}

}  // namespace consort::workflow
