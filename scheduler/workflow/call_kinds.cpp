#include "scheduler/workflow/call_kinds.h"

namespace consort {

CallKinds::CallKinds() {
  const Value text = Value::object({{"type", "string"}});
  agent_schema_ =
      Value::object({{"type", "object"},
                     {"required", Value::array({"model"})},
                     {"additionalProperties", false},
                     {"properties", Value::object({{"model", text},
                                                   {"instructions", text},
                                                   {"generation", Value::object({{"type", "object"}})}})}});
}

Status CallKinds::add(std::shared_ptr<TaskHandler> handler) {
  std::string kind(handler->kind());
  if (!kinds_.emplace(kind, std::move(handler)).second)
    return fail(ErrorKind::kInvalid, "call kind '" + kind + "' is registered twice");
  return {};
}

TaskHandler* CallKinds::find(std::string_view kind) const {
  auto found = kinds_.find(kind);
  return found == kinds_.end() ? nullptr : found->second.get();
}

std::shared_ptr<TaskHandler> CallKinds::share(std::string_view kind) const {
  auto found = kinds_.find(kind);
  return found == kinds_.end() ? nullptr : found->second;
}

std::string CallKinds::names() const {
  std::string names;
  for (const auto& [kind, handler] : kinds_) names += (names.empty() ? "" : ", ") + kind;
  return names;
}

}  // namespace consort
