// Acts whose branches run side by side: fork, and for with maxConcurrency. Results and exports are taken in
// declared order, whatever the order of arrival; a task returns only when all its branches have ended.
#include <algorithm>
#include <functional>
#include <map>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "scheduler/workflow/parser.h"
#include "scheduler/workflow/run_tasks.h"

namespace consort::workflow {
namespace {

// One branch or iteration.
struct Slot {
  std::string path;  // of its own
  StateScope state;
  Local each, at;
  std::optional<Outcome<BlockResult>> result;
};

struct Join {
  RunStatePtr run;
  const Active* active = nullptr;  // of the task, which waits for all its branches
  SignalPtr signal;
  std::stop_source stop;  // of the branches
  std::size_t running = 0;
  std::vector<std::unique_ptr<Slot>> slots;  // null until the branch begins
  std::size_t successes = 0, failures = 0;
  std::size_t most_failures = 0;  // one more stops the rest
  bool first_wins = false;
  std::int64_t winner = -1;
};
using JoinPtr = std::shared_ptr<Join>;

// Whether this failure, the next of the join, leaves the others to go on.
bool tolerated(const Join& join, const Problem& problem) {
  if (join.stop.stop_requested() || !tolerable(*join.active, problem)) return false;
  return join.failures < (join.first_wins ? join.slots.size() - 1 : join.most_failures);
}

// Nothing can be stored or read any more: whatever was tolerated, the join fails.
void fail_join(Join& join) {
  join.stop.request_stop();
  join.failures = join.slots.size() + 1;
}

void count_result(Join& join, std::size_t index, bool success) {
  if (success) {
    ++join.successes;
    if (join.first_wins && join.winner < 0) {
      join.winner = static_cast<std::int64_t>(index);
      join.stop.request_stop();
    }
  } else if (++join.failures > join.most_failures && !join.first_wins) {
    join.stop.request_stop();
  }
}

void finish_branch(Join& join, std::size_t index, Outcome<BlockResult> result) {
  Slot& slot = *join.slots[index];
  slot.state.context = Value();
  slot.result = std::move(result);
  --join.running;
  join.signal->wake();
}

boost::asio::awaitable<void> branch_main(JoinPtr join, const Block* block, Frame frame, Value input,
                                         std::size_t index) {
  Outcome<BlockResult> result;
  const std::string pointer = block->pointer;
  try {
    Outcome<BlockResult> done = co_await run_block(*join->run, *block, std::move(frame), std::move(input));
    result = std::move(done);
  } catch (const std::bad_alloc&) {
    result = tl::unexpected(make_problem("memory", "out of memory", pointer));
  } catch (const std::exception& error) {
    result = tl::unexpected(make_problem("runtime", error.what(), pointer));
  }
  const bool keep = !result && tolerated(*join, result.error());
  count_result(*join, index, result.has_value());  // before anything is waited for: branches end one by one
  if (keep) {
    const Slot& slot = *join->slots[index];
    Status stored =
        co_await commit_tolerated(*join->run, *join->active, slot.path, result.error(), slot.state);
    if (!stored) {
      fail_join(*join);
      result = tl::unexpected(join->active->problem(stored.error()));
    }
  }
  finish_branch(*join, index, std::move(result));
}

using Launch = std::function<void(std::size_t)>;

boost::asio::awaitable<void> run_branches(JoinPtr join, std::size_t count, std::size_t width, Launch launch,
                                          std::stop_token outer) {
  std::stop_callback on_stop(outer, [join] {
    join->stop.request_stop();
    join->signal->wake_from_anywhere();
  });
  std::size_t next = 0;
  while (true) {
    while (next < count && join->running < width && !join->stop.stop_requested()) launch(next++);
    if (join->running == 0 && (next == count || join->stop.stop_requested())) break;
    co_await join->signal->wait(kNoDeadline);
  }
}

JoinPtr make_join(RunState& run, const Active& active, std::size_t count) {
  auto join = std::make_shared<Join>();
  join->active = &active;
  join->run = run.shared_from_this();
  join->signal = std::make_shared<Signal>(run.strand);
  join->slots.resize(count);
  return join;
}

// Begins a branch, unless the journal says that its failure had been tolerated.
void spawn(const JoinPtr& join, const Block& block, Frame frame, Value input, std::size_t index) {
  Slot& slot = *join->slots[index];
  Outcome<std::optional<Problem>> before = stored_failure(*join->run, *join->active, slot.state, slot.path);
  if (!before || *before) {
    count_result(*join, index, false);
    if (!before) fail_join(*join);
    slot.result = tl::unexpected(before ? std::move(**before) : std::move(before.error()));
    return;
  }
  ++join->running;
  frame.stop = join->stop.get_token();
  frame.state = &slot.state;
  boost::asio::awaitable<void> branch = branch_main(join, &block, std::move(frame), std::move(input), index);
  boost::asio::co_spawn(join->run->strand, std::move(branch), boost::asio::detached);
}

// The problem of all branches: the first declared one that is not just the consequence of another's.
Problem first_problem(const Join& join, const Active& active) {
  const Problem* cancelled = nullptr;
  for (const auto& slot : join.slots) {
    if (!slot || !slot->result || *slot->result) continue;
    const Problem& problem = slot->result->error();
    if (problem.kind != ErrorKind::kCancelled) return problem;
    if (!cancelled) cancelled = &problem;
  }
  return cancelled ? *cancelled : active.problem("cancelled", "the run was stopped");
}

void add_usages(const Join& join, Active& active) {
  for (const auto& slot : join.slots)
    if (slot) active.frame.state->usage = add_usage(active.frame.state->usage, slot->state.usage);
}

// Applies the exports of the branches in declared order; also those of tolerated ones: what had finished in
// them stays finished.
std::optional<Problem> apply_changes(Join& join, Active& active) {
  std::map<std::string, std::size_t> undeclared;
  for (auto& slot : join.slots) {
    if (!slot || !slot->result) continue;
    for (const std::string& key : slot->state.undeclared)
      if (++undeclared[key] > 1)
        return active.problem(
            "validation", "more than one branch exported '" + key + "': declare state." + key + ".reducer");
    if (slot->state.change.size() == 0) continue;
    if (Status applied = active.frame.state->apply(slot->state.change); !applied)
      return active.problem("validation", applied.error().what);
  }
  return std::nullopt;
}

std::string branch_path(const Active& active, const Block& branch) {
  const std::string& pointer = branch.tasks.front().pointer;
  return active.frame.path + pointer.substr(active.frame.base);
}

// Which branch had won before the process died: the earliest one whose task is stored as finished.
Outcome<std::int64_t> stored_winner(RunState& run, const Active& active, const ForkTask& act) {
  if (active.winner >= 0 || !run.replaying) return active.winner;
  std::int64_t winner = -1;
  std::uint64_t order = 0;
  for (std::size_t i = 0; i < act.branches.size(); ++i) {
    Result<std::optional<TaskRecord>> record = run.find(branch_path(active, act.branches[i]));
    if (!record) return tl::unexpected(active.problem(record.error()));
    if (!*record || (*record)->state != "finished") continue;
    if (winner < 0 || (*record)->order < order) {
      winner = static_cast<std::int64_t>(i);
      order = (*record)->order;
    }
  }
  return winner;
}

std::size_t width_of(const RunState& run, std::size_t wanted) {
  const std::size_t most = run.options.limits.concurrency;
  return wanted == 0 ? most : std::min(wanted, most);
}

Outcome<ActResult> competed(Join& join, Active& active) {
  if (join.winner < 0) return tl::unexpected(first_problem(join, active));
  Slot& slot = *join.slots[static_cast<std::size_t>(join.winner)];
  ActResult result;
  result.winner = join.winner;
  result.output = (*slot.result)->output;
  result.end = (*slot.result)->end;
  if (Status applied = active.frame.state->apply(slot.state.change); !applied)
    return tl::unexpected(active.problem("validation", applied.error().what));
  return result;
}

// All results as an array in declared order; failed ones that are tolerated as {"error": problem}.
Outcome<ActResult> collected(Join& join, Active& active) {
  if (join.failures > join.most_failures || join.failures + join.successes < join.slots.size())
    return tl::unexpected(first_problem(join, active));
  if (std::optional<Problem> problem = apply_changes(join, active)) return tl::unexpected(*problem);
  ActResult result;
  Value::Array outputs;
  outputs.reserve(join.slots.size());
  for (auto& slot : join.slots) {
    if (*slot->result) {
      outputs.push_back(std::move((*slot->result)->output));
      result.end = result.end || (*slot->result)->end;
    } else {
      outputs.push_back(Value::object({{"error", problem_to_value(slot->result->error())}}));
    }
    slot.reset();
  }
  result.output = Value::array(std::move(outputs));
  return result;
}

// ---- graph -----------------------------------------------------------------------------------------------

bool ready(const Join& join, const ForkTask& act, std::size_t node) {
  for (const std::uint32_t before : act.nodes[node].behind) {
    const auto& slot = join.slots[before];
    if (!slot || !slot->result || !*slot->result) return false;
  }
  return true;
}

// A node's input: the outputs of what it needs, by name; what needs nothing sees the graph's input.
Value node_input(const Join& join, const ForkTask& act, std::size_t index) {
  if (act.nodes[index].needs.empty()) return join.active->input;
  Value::Object members;
  for (const std::uint32_t need : act.nodes[index].needs)
    members.emplace_back(act.names[need], (*join.slots[need]->result)->output);
  return Value::object(std::move(members));
}

// Begins a node. It sees the exports of everything before it, in declared order, and adds its own.
void begin_node(const JoinPtr& join, const ForkTask& act, std::size_t index) {
  join->slots[index] = std::make_unique<Slot>();
  Slot& slot = *join->slots[index];
  slot.path = branch_path(*join->active, act.branches[index]);
  StateScope seen = join->active->frame.state->branch();
  seen.collects = false;
  for (const std::uint32_t before : act.nodes[index].behind) {
    Status applied = seen.apply(join->slots[before]->state.change);
    if (applied) continue;
    slot.result = tl::unexpected(join->active->problem("validation", applied.error().what));
    return fail_join(*join);
  }
  slot.state = seen.branch();
  spawn(join, act.branches[index], join->active->frame, node_input(*join, act, index), index);
}

boost::asio::awaitable<void> run_nodes(JoinPtr join, const ForkTask* act, std::size_t width,
                                       std::stop_token outer) {
  std::stop_callback on_stop(outer, [join] {
    join->stop.request_stop();
    join->signal->wake_from_anywhere();
  });
  while (true) {
    bool begun = false;  // a node may be done as soon as it was begun
    for (std::size_t i = 0; i < act->nodes.size(); ++i) {
      if (join->slots[i] || join->running >= width || join->stop.stop_requested() || !ready(*join, *act, i))
        continue;
      begin_node(join, *act, i);
      begun = true;
    }
    if (begun) continue;
    if (join->running == 0) break;  // all have ended, or one has failed: the document has no cycles
    co_await join->signal->wait(kNoDeadline);
  }
}

Running<ActResult> act_graph(RunState& run, Active& active, const ForkTask& act) {
  JoinPtr join = make_join(run, active, act.nodes.size());
  const std::stop_token outer = active.frame.stop;
  const std::size_t width = width_of(run, act.max_concurrency);
  co_await run_nodes(join, &act, width, outer);
  add_usages(*join, active);
  Outcome<ActResult> result = collected(*join, active);
  if (!result) co_return result;
  Value::Object outputs;
  for (std::size_t i = 0; i < act.names.size(); ++i)
    outputs.emplace_back(act.names[i], result->output.as_array()[i]);
  result->output = Value::object(std::move(outputs));
  co_return result;
}

}  // namespace

Running<ActResult> act_fork(RunState& run, Active& active, const ForkTask& act) {
  if (!act.nodes.empty()) co_return co_await act_graph(run, active, act);
  const std::size_t count = act.branches.size();
  JoinPtr join = make_join(run, active, count);
  join->first_wins = act.compete;
  if (act.quorum) join->most_failures = count - *act.quorum;
  std::int64_t won = -1;
  if (act.compete) {
    Outcome<std::int64_t> stored = stored_winner(run, active, act);
    if (!stored) co_return tl::unexpected(std::move(stored.error()));
    won = *stored;
  }
  const Active* self = &active;
  const ForkTask* fork = &act;
  Launch launch = [join, self, fork, won](std::size_t i) {
    if (won >= 0 && static_cast<std::int64_t>(i) != won) return;
    join->slots[i] = std::make_unique<Slot>();
    join->slots[i]->path = branch_path(*self, fork->branches[i]);
    join->slots[i]->state = self->frame.state->branch();
    spawn(join, fork->branches[i], self->frame, self->input, i);
  };
  const std::stop_token outer = active.frame.stop;
  const std::size_t width = width_of(run, act.max_concurrency);
  co_await run_branches(join, count, width, std::move(launch), outer);
  add_usages(*join, active);
  if (act.compete) co_return competed(*join, active);
  Outcome<ActResult> result = collected(*join, active);
  if (!result && act.quorum && result.error().kind != ErrorKind::kCancelled) {
    Problem problem = active.problem(
        "quorum", std::to_string(join->failures) + " of " + std::to_string(count) + " branches failed, " +
                      std::to_string(*act.quorum) + " must succeed; the first: " + result.error().detail +
                      " (" + result.error().instance + ")");
    co_return tl::unexpected(std::move(problem));
  }
  co_return result;
}

Running<ActResult> act_for_concurrent(RunState& run, Active& active, const ForTask& act, Value items) {
  const std::size_t count = items.size();
  if (act.limit > 0 && count > act.limit)
    co_return tl::unexpected(active.problem("runtime", std::to_string(count) + " items, the limit is " +
                                                           std::to_string(act.limit) + " iterations"));
  JoinPtr join = make_join(run, active, count);
  join->most_failures = act.tolerated_failures;
  const Active* self = &active;
  const ForTask* loop = &act;
  Launch launch = [join, self, loop, items](std::size_t i) {
    join->slots[i] = std::make_unique<Slot>();
    Slot& slot = *join->slots[i];
    slot.state = self->frame.state->branch();
    slot.each = Local{self->frame.locals, loop->each, items.as_array()[i]};
    slot.at = Local{&slot.each, loop->at, Value(static_cast<std::uint64_t>(i))};
    Frame frame = self->frame;
    slot.path = frame.path + "/@" + std::to_string(i);
    frame.path = slot.path;
    frame.seed = mix_seed(frame.seed, i + 1);
    frame.locals = &slot.at;
    spawn(join, loop->block, std::move(frame), self->input, i);
  };
  const std::stop_token outer = active.frame.stop;
  const std::size_t width = width_of(run, act.max_concurrency);
  co_await run_branches(join, count, width, std::move(launch), outer);
  add_usages(*join, active);
  co_return collected(*join, active);
}

}  // namespace consort::workflow
