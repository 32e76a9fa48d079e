// TaskHandler: one `call:` kind of a workflow. agents/calls implements one per kind; main registers them with
// the runner. The runner owns retries, timeouts and the journal; a handler only acts.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "memory/base/status.h"
#include "memory/store/store_write.h"
#include "scheduler/bus/message.h"
#include "scheduler/value/value.h"

namespace consort {

// What a handler knows of the run it acts in. Valid during run().
struct TaskContext {
  std::string run_id;
  std::string task_pointer;  // JSON Pointer of the task in the document
  std::uint32_t attempt = 1;
  std::uint64_t seed = 0;  // of this task in this run: stable across resume and replay
  SteadyTime deadline = kNoDeadline;
  std::stop_token stop;
  const Value* agents = nullptr;          // use.agents of the document (null when none)
  std::function<void(Value event)> emit;  // a run event (token, value); may be empty
  std::function<void(StoreWrite)> write;  // joins the task's commit
};

struct TaskOutcome {
  Value output;
  Value usage;  // object: tokens, milliseconds, flop, bytes, per member where there are several; or null
};

class TaskHandler {
 public:
  virtual ~TaskHandler() = default;
  virtual std::string_view kind() const = 0;        // "generate"
  virtual const Value& options_schema() const = 0;  // JSON Schema of `with`, shown in the document's schema
  // `with` after its expressions were evaluated and before it is checked against options_schema(): what
  // stands for something else (a blob for its text) is put in here. Must not wait for anything.
  virtual Result<Value> arguments(Value with) const { return with; }
  // True: what run() changes outside the run goes with its own record, or not at all, so that doing it again
  // does no harm. In mode async the journal's "sent" is then written while the call is under way, not before.
  virtual bool repeatable() const { return false; }
  // `with` has been evaluated and validated against options_schema().
  virtual boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) = 0;
};

}  // namespace consort
