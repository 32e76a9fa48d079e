#include <string>
#include <string_view>
#include <vector>

#include "scheduler/workflow/workflow.h"

namespace consort {
namespace {

constexpr std::string_view kBase =
#include "scheduler/workflow/schema.json.inc"
    ;

// Options are checked after their expressions were evaluated; in a document any of them may still be a text
// with ${...} in it.
Value or_expression(const Value& schema);

Value with_expressions(const Value& schema) {
  if (!schema.is_object()) return schema;
  Value out = schema;
  if (const Value* properties = schema.find("properties")) {
    Value::Object members;
    for (const auto& [key, property] : properties->as_object())
      members.emplace_back(key, or_expression(property));
    out = out.with("properties", Value::object(std::move(members)));
  }
  for (std::string_view key : {"items", "additionalProperties"})
    if (const Value* inner = schema.find(key); inner != nullptr && inner->is_object())
      out = out.with(key, or_expression(*inner));
  return out;
}

Value or_expression(const Value& schema) {
  const Value text = Value::object({{"$ref", "#/$defs/text"}});
  return Value::object({{"anyOf", Value::array({with_expressions(schema), text})}});
}

using Path = std::vector<std::string>;

Value set_at(const Value& object, const Path& path, std::size_t at, Value v) {
  if (at + 1 == path.size()) return object.with(path[at], std::move(v));
  return object.with(path[at], set_at(object.get(path[at]), path, at + 1, std::move(v)));
}

}  // namespace

Value workflow_schema(const CallKinds& kinds) {
  auto base = parse_json(kBase, "scheduler/workflow/schema.json");
  // The page is part of the program; a test reads it.
  Value schema = base ? *base : Value::object();
  Value::Array names, rules;
  for (const auto& [kind, handler] : kinds.all()) {
    const std::string definition = "call-" + kind;
    names.emplace_back(kind);
    schema = set_at(schema, Path{"$defs", definition}, 0, with_expressions(handler->options_schema()));
    const Value is_kind =
        Value::object({{"required", Value::array({"call"})},
                       {"properties", Value::object({{"call", Value::object({{"const", kind}})}})}});
    const Value options = Value::object(
        {{"properties", Value::object({{"with", Value::object({{"$ref", "#/$defs/" + definition}})}})}});
    rules.push_back(Value::object({{"if", is_kind}, {"then", options}}));
  }
  schema = set_at(schema, Path{"$defs", "agent"}, 0, kinds.agent_schema());
  schema = set_at(schema, Path{"$defs", "task", "properties", "call"}, 0,
                  Value::object({{"description", "which act"}, {"enum", Value::array(std::move(names))}}));
  return set_at(schema, Path{"$defs", "task", "allOf"}, 0, Value::array(std::move(rules)));
}

}  // namespace consort
