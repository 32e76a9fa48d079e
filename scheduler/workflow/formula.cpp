#include "scheduler/workflow/formula.h"

#include <algorithm>

namespace consort::workflow {
namespace {

std::string_view kind_of(const Error& error) {
  return error.kind == ErrorKind::kUnsupported ? "unsupported" : "invalid";
}

Value task_value(const Bindings& bindings) {
  return Value::object({{"name", bindings.task_name},
                        {"reference", bindings.task_pointer},
                        {"attempt", static_cast<std::int64_t>(bindings.attempt)}});
}

}  // namespace

Formula Formula::compile(const Value& value, Mode mode, const std::vector<std::string>& names,
                         const std::string& pointer, std::vector<Finding>& findings) {
  Formula formula;
  formula.source_ = value;
  std::vector<TemplateFinding> found;
  Result<Template> compiled = mode == Mode::kProgram && value.is_string()
                                  ? Template::compile_expression(value)
                                  : Template::compile(value, &found);
  if (!compiled) {
    if (found.empty()) found.push_back({"", compiled.error()});
    for (const TemplateFinding& one : found)
      add_finding(findings, pointer + one.pointer, error_text(one.error), std::string(kind_of(one.error)));
    return formula;
  }
  for (const std::string& name : compiled->variables()) {
    if (name.starts_with("__") || std::find(names.begin(), names.end(), name) != names.end()) continue;
    const bool secrets = name == "secrets";
    add_finding(findings, pointer,
                secrets ? "'$secrets' is not executed by this build" : "no variable '$" + name + "' here",
                secrets ? "unsupported" : "invalid");
  }
  formula.constant_ = compiled->is_constant();
  if (formula.constant_) {
    // The literal "$${" becomes "${" once, here.
    if (Result<Value> plain = compiled->evaluate(consort::Scope{}); plain)
      formula.source_ = std::move(*plain);
  } else {
    formula.compiled_ = std::make_shared<const Template>(std::move(*compiled));
  }
  return formula;
}

consort::Scope Formula::scope(const Value& dot, const Bindings& bindings) const {
  consort::Scope scope(dot);
  const auto value_of = [&](const std::string& name) -> Value {
    for (const Local* local = bindings.locals; local; local = local->outer)
      if (local->name == name) return local->value;
    const Value* found = name == "input"      ? bindings.input
                         : name == "context"  ? bindings.context
                         : name == "workflow" ? bindings.workflow
                         : name == "output"   ? bindings.output
                                              : nullptr;
    if (found) return *found;
    return name == "task" ? task_value(bindings) : Value();
  };
  for (const std::string& name : compiled_->variables()) scope.set(name, value_of(name));
  return scope;
}

Result<Value> Formula::evaluate(const Value& dot, const Bindings& bindings,
                                const EvaluationLimits& limits) const {
  if (!compiled_) return source_;
  return compiled_->evaluate(scope(dot, bindings), limits);
}

Result<bool> Formula::holds(const Value& dot, const Bindings& bindings,
                            const EvaluationLimits& limits) const {
  if (!compiled_) return !(source_.is_null() || (source_.is_bool() && !source_.as_bool()));
  return compiled_->evaluate_condition(scope(dot, bindings), limits);
}

SchemaPtr compile_schema(const Value& schema, const std::string& pointer, std::vector<Finding>& findings) {
  Result<Schema> compiled = Schema::compile(schema);
  if (compiled) return std::make_shared<const Schema>(std::move(*compiled));
  add_finding(findings, pointer, error_text(compiled.error()), std::string(kind_of(compiled.error())));
  return nullptr;
}

void check_schema(const Schema& schema, const Value& value, const std::string& pointer,
                  std::vector<Finding>& findings) {
  for (const SchemaFinding& finding : schema.validate(value))
    add_finding(findings, pointer + finding.instance, finding.message);
}

}  // namespace consort::workflow
