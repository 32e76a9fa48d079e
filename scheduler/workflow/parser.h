// Parser: Value -> Document with all findings. Split over parse_document.cpp (top level), parse_policies.cpp
// (retries, timeouts, schemas), parse_tasks.cpp (blocks and what every task carries), parse_acts.cpp and
// parse_blocks.cpp (each task's own part). Private to this folder.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "scheduler/workflow/document.h"
#include "scheduler/workflow/reader.h"

namespace consort::workflow {

class Parser {
 public:
  Parser(const CallKinds& kinds, WorkflowSource* source, Findings& findings, Document& document)
      : kinds_(kinds), source_(source), findings_(findings), document_(document) {}
  void parse(const Value& document);

 private:
  // parse_document.cpp
  void parse_about(ObjectReader& top);
  void parse_use(ObjectReader& top);
  void parse_agents(const Value& agents, const std::string& pointer);
  void parse_state(ObjectReader& top);
  void parse_ends(ObjectReader& top);  // input, output

  // parse_policies.cpp
  RetryPtr parse_retry(const Value& value, const std::string& pointer);  // a name or a policy
  RetryPtr parse_retry_policy(const Value& value, const std::string& pointer);
  void parse_retry_limit(const Value& value, const std::string& pointer, RetryPolicy& policy);
  void parse_backoff(const Value& value, const std::string& pointer, RetryPolicy& policy);
  Timeout parse_timeout(const Value& value, const std::string& pointer);  // a name or {after, attempt}
  Timeout parse_timeout_object(const Value& value, const std::string& pointer);
  SchemaPtr parse_schema(const Value& value, const std::string& pointer);  // a name or {format, document}
  SchemaPtr parse_schema_object(const Value& value, const std::string& pointer);

  // parse_tasks.cpp
  Block parse_block(const Value& value, const std::string& pointer);
  void check_task_name(const std::string& name, const std::string& pointer);
  Task parse_task(const std::string& name, const Value& value, const std::string& pointer);
  void parse_task_data(ObjectReader& reader, Task& task);
  void parse_task_flow(ObjectReader& reader, Task& task);
  void parse_act(ObjectReader& reader, Task& task);
  Then parse_then(const Value& value, const std::string& pointer);
  void resolve_jumps(Block& block);
  void resolve_jump(const Block& block, std::size_t at, Then& then, std::uint64_t limit,
                    const std::string& pointer);

  // parse_acts.cpp
  void parse_call(ObjectReader& reader, Task& task);
  void check_with(const Value& with, const Value& options, const std::string& pointer);
  std::optional<Stream> parse_stream(const Value& value, const std::string& pointer);
  void parse_set(ObjectReader& reader, Task& task);
  void parse_raise(ObjectReader& reader, Task& task);
  void parse_wait(ObjectReader& reader, Task& task);
  void parse_run(ObjectReader& reader, Task& task);
  void parse_switch(ObjectReader& reader, Task& task);

  // parse_blocks.cpp
  void parse_do(ObjectReader& reader, Task& task);
  void parse_fork(ObjectReader& reader, Task& task);
  void parse_graph(ObjectReader& reader, Task& task);
  void parse_node(const std::string& name, const Value& value, const std::string& pointer, ForkTask& act);
  void connect_nodes(const Value& nodes, const std::string& pointer, ForkTask& act);
  void parse_for(ObjectReader& reader, Task& task);
  void parse_try(ObjectReader& reader, Task& task);
  void parse_catch(const Value& value, const std::string& pointer, TryTask& act);

  // Compiles a template with the names in scope.
  Formula compile(const Value& value, const std::string& pointer);
  // The same for a place that is always an expression; null in, nullopt out.
  std::optional<Formula> formula(const Value* value, const std::string& pointer);
  std::optional<Formula> condition(const Value* value, const std::string& pointer);
  bool local_name(const std::string& name, const std::string& pointer);
  void report(std::string pointer, std::string message) {
    add_finding(findings_, std::move(pointer), std::move(message));
  }

  const CallKinds& kinds_;
  WorkflowSource* source_;
  Findings& findings_;
  Document& document_;
  std::vector<std::string> names_{"input", "context", "workflow", "task"};  // variables in scope
  std::map<std::string, RetryPtr, std::less<>> retries_;
  std::map<std::string, Timeout, std::less<>> timeouts_;
  std::map<std::string, SchemaPtr, std::less<>> schemas_;
  std::map<std::string, SchemaPtr, std::less<>> options_;  // of call kinds
};

// The keys that an `export.as` gives, when the document shows them: an object, or an expression that begins
// as an object construction. `known` is false when they cannot be read off.
std::vector<std::string> static_export_keys(const Value& as, bool& known);

// Concurrent branches that export one key without a declared reducer.
void check_exports(const Document& document, Findings& findings);

// SHA-256 in hex.
std::string sha256_hex(std::string_view bytes);

// FNV-1a 64 with a finisher, for seeds: the same everywhere and for good.
std::uint64_t stable_hash(std::string_view bytes);
std::uint64_t mix_seed(std::uint64_t a, std::uint64_t b);  // SplitMix64 finisher over a ^ golden-ratio(b)

}  // namespace consort::workflow
