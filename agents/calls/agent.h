// An agent of `use.agents` as calls see it: whom to ask, how, and with what instructions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "models/tokenizer/chat_template.h"
#include "scheduler/value/value.h"

namespace consort {

struct AgentSpec {
  std::string name, model, instructions;
  bool plain_template = false;  // template: plain; for models without a chat template
  Value generation;             // object: the generation options of `call: generate`, or null
};

// The JSON Schema of one entry of `use.agents`.
Value agent_schema();
// `agents` is use.agents of the document, or null. Errors: kInvalid when there is no such agent, naming those
// that there are.
Result<AgentSpec> find_agent(const Value* agents, std::string_view name);
// `over` laid over `base`: members of `over` named in `keys` replace those of `base`. Either may be null.
Value merged_options(const Value& base, const Value& over, const std::vector<std::string_view>& keys);
// The names of generation options: maxTokens, temperature, ...
const std::vector<std::string_view>& generation_keys();

}  // namespace consort
