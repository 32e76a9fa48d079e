// The coroutines that execute a document. All run on the run's strand, take what they need by value (GCC 12
// miscompiles capturing lambdas in co_await) and return problems, never exceptions. Private to this folder.
//
//   run_block -> run_task (if, input, retry, output, export, journal) -> run_act -> one function for each
//   kind
#pragma once

#include <boost/asio/awaitable.hpp>

#include "scheduler/workflow/run_state.h"

namespace consort::workflow {

template <typename T>
using Running = boost::asio::awaitable<Outcome<T>>;

// What a block of tasks came to. `end`: the workflow is to end here.
struct BlockResult {
  Value output;
  bool end = false;
};

// What a task came to, and where to go.
struct StepResult {
  Value output;
  Then then;
  std::uint64_t jump_limit = 0;
};

// What the act of a task came to, before output.as.
struct ActResult {
  Value output;
  Value usage;
  std::vector<StoreWrite> writes;
  std::optional<Then> then;  // switch
  std::uint64_t jump_limit = 0;
  bool end = false;
  std::int64_t winner = -1;  // fork with compete
};

// A task under way: its frame (path of the task itself), its inputs and what is known so far.
struct Active {
  const Task* task = nullptr;
  Frame frame;  // path: of the task; base: size of its pointer; deadline: its own
  Value input;  // $input, after input.from
  std::uint32_t attempt = 1;
  std::int64_t due_ms = 0;   // wait: from the journal
  std::int64_t winner = -1;  // fork: from the journal
  bool sent = false;         // a call: the journal says so
  SteadyTime attempt_deadline = kNoDeadline;
  double start_ms = 0;

  Bindings bindings(const Value* output = nullptr) const;
  Problem problem(std::string_view type, std::string detail) const;
  Problem problem(const Error& error) const;             // of a handler or the store
  Problem expression_problem(const Error& error) const;  // of a formula
};

Running<BlockResult> run_block(RunState& run, const Block& block, Frame frame, Value input);
Running<StepResult> run_task(RunState& run, const Task& task, Frame frame, Value input);
Running<ActResult> run_act(RunState& run, Active& active);
// The whole of a document: input.from, tasks, output.as, schemas.
Running<Value> run_document(RunState& run, const Document& document, Frame frame, Value input);

Outcome<ActResult> act_set(RunState& run, Active& active, const SetTask& act);
Outcome<ActResult> act_switch(RunState& run, Active& active, const SwitchTask& act);
Outcome<ActResult> act_raise(RunState& run, Active& active, const RaiseTask& act);
Running<ActResult> act_call(RunState& run, Active& active, const CallTask& act);
Running<ActResult> act_fork(RunState& run, Active& active, const ForkTask& act);
Running<ActResult> act_for(RunState& run, Active& active, const ForTask& act);
Running<ActResult> act_for_concurrent(RunState& run, Active& active, const ForTask& act, Value items);
Running<ActResult> act_try(RunState& run, Active& active, const TryTask& act);
Running<ActResult> act_wait(RunState& run, Active& active, const WaitTask& act);
Running<ActResult> act_run(RunState& run, Active& active, const RunTask& act);

// Errors `cancelled` or `timeout` when the frame may not go on.
std::optional<Problem> halted(const Frame& frame, const std::string& pointer);
// Sleeps until `until`; false when the frame was stopped or its deadline came first.
boost::asio::awaitable<bool> sleep_until(RunState& run, SteadyTime until, SteadyTime deadline,
                                         std::stop_token stop);

// Retries (retry.cpp). How long to wait before try `attempt` + 1, or nothing when there is to be none.
std::optional<Duration> retry_delay(const RunState& run, const RetryPolicy& policy, const Active& active,
                                    const Problem& problem, std::uint32_t attempt, SteadyTime began);
bool catches(const ErrorFilter& filter, const Problem& problem);

// Failures that were taken on (failures.cpp). Where try `attempt` of a task runs, and where its failure is
// stored; 0: where the failure of a tolerated item or branch is.
std::string attempt_path(const std::string& path, std::uint32_t attempt);
// The stored failed tries of a task: the first that is still to be made, the problem of the last, and whether
// it was given up after that (`known`: the journal says so; older ones do not).
struct Tries {
  std::uint32_t next = 1;
  std::optional<Problem> last;
  bool known = false, given_up = false;
};
// Counts their exports and usage in the frame's state.
Outcome<Tries> stored_tries(RunState& run, Active& active);
// Stores the failure of try active.attempt, whose tasks ran in `scope`; `delay`: until the next try.
boost::asio::awaitable<Status> commit_try(RunState& run, const Active& active, const Problem& problem,
                                          const StateScope& scope, std::optional<Duration> delay);
// Whether a failed item or branch may be tolerated at all: not a stop of the run nor the task's own deadline.
bool tolerable(const Active& active, const Problem& problem);
// The stored failure of an item or branch, with its exports and usage in `scope`.
Outcome<std::optional<Problem>> stored_failure(RunState& run, const Active& active, StateScope& scope,
                                               const std::string& branch);
boost::asio::awaitable<Status> commit_tolerated(RunState& run, const Active& active, std::string branch,
                                                const Problem& problem, const StateScope& scope);

}  // namespace consort::workflow
