// Runner: runs workflows. Boost.Asio coroutines above the lanes: every run has a strand of its own, so its
// tasks need no locks; handlers are awaited on that strand. Owned by main; outlives its runs.
//
// Deterministic: results of a fork stand in declared order, reducers apply in declared order, random numbers
// come from the run's seed and the task's place, never from time or order of arrival.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "memory/base/status.h"
#include "scheduler/value/value.h"
#include "scheduler/workflow/call_kinds.h"
#include "scheduler/workflow/journal.h"
#include "scheduler/workflow/problem.h"
#include "scheduler/workflow/trace.h"
#include "scheduler/workflow/workflow.h"

namespace consort {

struct RunLimits {
  std::size_t value_bytes = 64u << 20;  // an output above it is a `payload` error, never retried
  std::size_t for_items = 10'000'000;   // items of one `for`
  std::uint32_t concurrency = 256;      // branches of one fork or for that run side by side
};

struct RunOptions {
  std::string run_id;                       // empty: a new one is made
  std::optional<std::uint64_t> seed;        // empty: from the system's randomness (it is recorded)
  std::stop_token stop;                     // Ctrl-C: the run ends as `interrupted` and can be resumed
  std::optional<RunDurability> durability;  // overrides the document's
  // Each event as it happens, on the run's strand or on a handler's thread, one at a time. Must be short.
  std::function<void(const RunEvent&)> on_event;
  // Asked when the run has ended: {id: digest of its weights} of the models that answered. May be empty.
  std::function<Value()> models;
  RunLimits limits;
  bool trace = true;
};

struct RunReport {
  std::string run_id;
  std::string status;              // completed | failed | interrupted
  Value output;                    // completed
  std::string output_digest;       // completed: value_digest(output); the same in every replay
  std::optional<Problem> problem;  // failed, interrupted
  Value models;                    // {id: digest of its weights}, as RunOptions::models says; or null
  Value usage;                     // sums over all calls: {calls, tokens, milliseconds, flop, bytes, ...}
  std::uint64_t seed = 0;
  std::uint64_t tasks = 0;     // finished in this process
  std::uint64_t replayed = 0;  // taken from the journal
  Trace trace;
};
// {run_id, status, output, output_digest, seed, usage, steps} or {run_id, status, error, seed, usage, steps}:
// `consort run --json`.
Value report_to_value(const RunReport& report);

class Runner {
 public:
  // `journal` may be null: nothing is kept, nothing can be resumed, handlers' store writes are errors.
  // `kinds` is shared with the documents that were parsed with it.
  Runner(boost::asio::any_io_executor executor, std::shared_ptr<const CallKinds> kinds, Journal* journal);
  ~Runner();

  // Runs to the end. The Result fails only when the run could not begin (kInvalid: input against the schema,
  // run id taken or malformed; kIo: journal); what happens inside is in the report.
  boost::asio::awaitable<Result<RunReport>> run(WorkflowPtr workflow, Value input, RunOptions options);
  // Goes on with a stored run. Its input and seed are the stored ones. A completed run gives its stored
  // output again. Errors: kNotFound; kInvalid (another document than the pinned one; cancelled; running here
  // now).
  boost::asio::awaitable<Result<RunReport>> resume(WorkflowPtr workflow, RunOptions options);

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace consort
