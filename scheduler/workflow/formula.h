// Formula: a place of a workflow document that may hold ${...}, compiled, with the names it may use checked.
// Bindings: the variables that the runner offers when one is evaluated.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/expression/expression.h"
#include "scheduler/schema/schema.h"
#include "scheduler/workflow/reader.h"

namespace consort::workflow {

// A variable of an enclosing `for` or `catch`; a chain from the innermost outwards. `outer` lives longer.
struct Local {
  const Local* outer = nullptr;
  std::string_view name;
  Value value;
};

// All pointers may be null (then the variable is null) and live until evaluate() returns.
struct Bindings {
  const Value* input = nullptr;
  const Value* context = nullptr;
  const Value* workflow = nullptr;
  const Value* output = nullptr;
  std::string_view task_name, task_pointer;  // of $task
  std::uint32_t attempt = 1;
  const Local* locals = nullptr;
};

class Formula {
 public:
  // kTemplate: strings are text with ${...} in it. kProgram: a string without ${ is a program, as the DSL has
  // it for places that are always expressions.
  enum class Mode : std::uint8_t { kTemplate, kProgram };

  // Reports every finding; the result is usable (and null) even then.
  static Formula compile(const Value& value, Mode mode, const std::vector<std::string>& names,
                         const std::string& pointer, std::vector<Finding>& findings);

  bool is_constant() const { return constant_; }
  const Value& source() const { return source_; }

  // Errors: kRuntime or kBudget from the expression, with its position.
  Result<Value> evaluate(const Value& dot, const Bindings& bindings, const EvaluationLimits& limits) const;
  Result<bool> holds(const Value& dot, const Bindings& bindings, const EvaluationLimits& limits) const;

 private:
  consort::Scope scope(const Value& dot, const Bindings& bindings) const;
  Value source_;
  bool constant_ = true;
  std::shared_ptr<const Template> compiled_;
};

using SchemaPtr = std::shared_ptr<const Schema>;

// Null after a finding.
SchemaPtr compile_schema(const Value& schema, const std::string& pointer, std::vector<Finding>& findings);
// Reports what of `value`, which stands at `pointer` of the document, breaks the schema.
void check_schema(const Schema& schema, const Value& value, const std::string& pointer,
                  std::vector<Finding>& findings);

}  // namespace consort::workflow
