// CallKinds: the `call:` kinds that documents may name, by name. main fills one (agents/calls has the list)
// and hands it to the parser and to the runner. Immutable after that; any thread may read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/workflow/task_handler.h"

namespace consort {

class CallKinds {
 public:
  CallKinds();
  // Errors: kInvalid when the kind is already there.
  Status add(std::shared_ptr<TaskHandler> handler);
  TaskHandler* find(std::string_view kind) const;  // nullptr when unknown
  std::shared_ptr<TaskHandler> share(std::string_view kind) const;
  // JSON Schema of one entry of `use.agents`: {model, instructions, generation} unless agents/calls says
  // more. Words of the language that it leaves out (ensemble, memory, tools) are findings of kind
  // unsupported.
  void set_agent_schema(Value schema) { agent_schema_ = std::move(schema); }
  const Value& agent_schema() const { return agent_schema_; }
  std::string names() const;  // "chat, embed, generate", for messages
  const std::map<std::string, std::shared_ptr<TaskHandler>, std::less<>>& all() const { return kinds_; }

 private:
  std::map<std::string, std::shared_ptr<TaskHandler>, std::less<>> kinds_;
  Value agent_schema_;
};

}  // namespace consort
