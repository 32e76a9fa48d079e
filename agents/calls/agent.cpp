#include "agents/calls/agent.h"

#include "agents/calls/options.h"

namespace consort {
namespace {

constexpr std::string_view kSchema =
#include "agents/calls/agent.json.inc"
    ;

std::string text_member(const Value& object, std::string_view key) {
  const Value* v = object.find(key);
  return v != nullptr && v->is_string() ? v->as_string() : std::string();
}

}  // namespace

Value agent_schema() {
  return embedded_schema(kSchema);
}

Result<AgentSpec> find_agent(const Value* agents, std::string_view name) {
  const Value* entry = agents == nullptr ? nullptr : agents->find(name);
  if (entry == nullptr) {
    std::string known;
    if (agents != nullptr && agents->is_object())
      for (const auto& [key, agent] : agents->as_object()) known += (known.empty() ? "" : ", ") + key;
    return fail(ErrorKind::kInvalid, "there is no agent '" + std::string(name) + "'", "use/agents",
                known.empty() ? "the document has no use.agents" : "known: " + known);
  }
  AgentSpec agent;
  agent.name = std::string(name);
  agent.model = text_member(*entry, "model");
  if (agent.model.empty())
    return fail(ErrorKind::kInvalid, "agent '" + agent.name + "' names no model", "use/agents/" + agent.name);
  agent.instructions = text_member(*entry, "instructions");
  agent.plain_template = text_member(*entry, "template") == "plain";
  agent.generation = entry->get("generation");
  return agent;
}

const std::vector<std::string_view>& generation_keys() {
  static const std::vector<std::string_view> keys{
      "maxTokens",       "temperature",      "topK",      "topP", "minP", "repetitionPenalty",
      "presencePenalty", "frequencyPenalty", "logitBias", "stop", "seed", "ignoreEos"};
  return keys;
}

Value merged_options(const Value& base, const Value& over, const std::vector<std::string_view>& keys) {
  Value merged = base.is_object() ? base : Value::object();
  for (const std::string_view key : keys)
    if (const Value* v = over.find(key)) merged = merged.with(key, *v);
  return merged;
}

}  // namespace consort
