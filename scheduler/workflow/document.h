// Document: the typed form of a workflow document. Built once by parsing (parse_*.cpp), read by the runner,
// by the graph and by nobody else. Immutable after parsing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "scheduler/workflow/duration.h"
#include "scheduler/workflow/formula.h"
#include "scheduler/workflow/journal.h"
#include "scheduler/workflow/reducer.h"
#include "scheduler/workflow/workflow.h"

namespace consort::workflow {

struct Task;

// Tasks one after the other. `pointer` is that of the array.
struct Block {
  std::string pointer;
  std::vector<Task> tasks;
};

struct Timeout {
  std::optional<Duration> after;    // the whole task: queue, retries, children
  std::optional<Duration> attempt;  // one try of it
};

// `count` includes the first try.
struct RetryPolicy {
  enum class Backoff : std::uint8_t { kConstant, kLinear, kExponential };
  std::optional<Formula> when, except_when;
  Duration delay{0}, jitter_from{0}, jitter_to{0};
  Backoff backoff = Backoff::kConstant;
  std::uint32_t count = 3;
  std::optional<Duration> attempt_duration, duration;
};
using RetryPtr = std::shared_ptr<const RetryPolicy>;

struct Then {
  enum class Where : std::uint8_t { kContinue, kExit, kEnd, kTask };
  Where where = Where::kContinue;
  std::string name;       // kTask
  std::size_t index = 0;  // kTask: in the same block
  bool backward = false;
};

// What runs when tokens or results are wanted as events.
struct Stream {
  enum class As : std::uint8_t { kToken, kValue, kEvent };
  As as = As::kToken;
  std::string channel;
};

struct CallTask {
  std::string kind;
  std::shared_ptr<TaskHandler> handler;
  SchemaPtr options;  // of `with`
  Formula with;
  std::optional<Stream> stream;
};
struct DoTask {
  Block block;
};
// Also the task `graph`: branches that wait for others.
struct ForkTask {
  std::vector<Block> branches;  // one task each
  std::vector<std::string> names;
  bool compete = false;
  std::optional<std::uint32_t> quorum;
  std::uint32_t max_concurrency = 0;  // 0 = all
  struct Node {
    std::vector<std::uint32_t> needs;   // branches whose outputs are its input, in the order of the document
    std::vector<std::uint32_t> behind;  // all branches that must have finished before it, ascending
  };
  std::vector<Node> nodes;  // of a graph, one for each branch; empty for a fork
};
struct ForTask {
  std::string each = "item", at = "index";
  std::optional<Formula> in, while_;
  std::uint64_t limit = 0;  // of iterations; 0 = none (then `in` is there)
  std::uint32_t max_concurrency = 1;
  std::uint64_t tolerated_failures = 0;
  Block block;
};
struct SwitchCase {
  std::string name, pointer;
  std::optional<Formula> when;
  Then then;
  std::uint64_t limit = 0;
};
struct SwitchTask {
  std::vector<SwitchCase> cases;
};
// Which errors a catch takes; absent members match everything.
struct ErrorFilter {
  std::optional<std::string> type, title, instance, detail;
  std::optional<std::int64_t> status;
};
struct TryTask {
  Block block;
  ErrorFilter filter;
  std::string as = "error";
  std::optional<Formula> when, except_when;
  RetryPtr retry;
  std::optional<Block> handler;  // catch.do
};
struct SetTask {
  Formula values;
};
struct RaiseTask {
  Formula error;
};
struct WaitTask {
  Duration duration{0};
};
struct RunTask {
  WorkflowPtr workflow;
  std::optional<Formula> input;
};

struct Task {
  std::string name, pointer, kind;  // kind: "set", "call:embed", "fork", ...
  std::optional<Formula> if_, input_from, output_as, export_as;
  SchemaPtr input_schema, output_schema, export_schema;
  std::string export_pointer;
  std::vector<std::string> export_keys;  // as far as they can be read off the document
  bool export_keys_known = true;
  Timeout timeout;
  RetryPtr retry;
  Then then;
  std::uint64_t limit = 0;      // of backward jumps by `then`
  std::uint64_t seed_part = 0;  // hash of the pointer
  std::variant<SetTask, CallTask, DoTask, ForkTask, ForTask, SwitchTask, TryTask, RaiseTask, WaitTask,
               RunTask>
      act;
};

struct Document {
  std::string dsl, space, name, version, hash;
  Value source, agents, about;  // about: what $workflow.document shows
  SchemaPtr input_schema, output_schema;
  std::optional<Formula> input_from, output_as;
  Timeout timeout;
  RunDurability durability = RunDurability::kAsync;
  Reducers reducers;
  Block block;
};

}  // namespace consort::workflow
