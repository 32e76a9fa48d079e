// Expression and Template: the `${ ... }` of a workflow, in jq syntax, compiled once and evaluated many times
// by a bounded interpreter of our own (what it accepts, and where it differs from jq 1.6, stands in README.md
// here).
//
// Compiled objects are immutable, cheap to copy (one reference count) and may be evaluated by any number of
// threads at once. An evaluation has no clock, no environment, no recursion of the user's: it ends by its
// step budget at the latest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

// What an expression sees. `input` is `.`; variables are named without '$' ("input", "context", "item").
class Scope {
 public:
  Scope() = default;
  explicit Scope(Value dot) : input(std::move(dot)) {}
  Value input;
  Scope& set(std::string_view name, Value v);  // replaces
  const Value* find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, Value>> variables_;
};

// What one evaluation may use. Exceeding one is kBudget.
struct EvaluationLimits {
  std::uint64_t steps = 5'000'000;          // operations; about 20-100 ns each
  std::uint64_t bytes = 64ull << 20;        // built in total, garbage included
  std::uint64_t value_bytes = 16ull << 20;  // of one result (Value::approximate_bytes)
};

inline constexpr std::size_t kMaxExpressionBytes = 64 << 10;

// One jq program. Load errors are kInvalid (names outside the language: kUnsupported) with
// where = "line L, column C of '...'" inside the program's text.
class Expression {
 public:
  static Result<Expression> compile(std::string_view program);

  // The first output. No output at all (`empty`) is an error, as is what jq would raise: kRuntime with jq's
  // message in `what` and the position of the operation in `where`.
  Result<Value> evaluate(const Scope& scope, const EvaluationLimits& limits = {}) const;
  // All outputs, in order.
  Result<Value::Array> evaluate_all(const Scope& scope, const EvaluationLimits& limits = {}) const;
  // The first output for an `if`: null and false are false, everything else true.
  Result<bool> evaluate_condition(const Scope& scope, const EvaluationLimits& limits = {}) const;

  const std::vector<std::string>& variables() const;  // free names, without '$', sorted

 private:
  friend Result<Expression> compile_inside(std::string_view, std::size_t, bool, std::size_t&);
  struct Program;
  std::shared_ptr<const Program> program_;
};

// A finding of compile_template: where in the template, and what.
struct TemplateFinding {
  std::string pointer;  // JSON Pointer inside the template
  Error error;
};

// A JSON value whose strings may hold `${ ... }`. A string that is exactly one `${ }` (nothing around it)
// becomes the expression's result with its type; inside longer text results are inserted as text: strings
// bare, everything else as compact JSON. Keys of objects are literal. A literal "${" is written ${ "${" }.
class Template {
 public:
  static constexpr std::size_t kMaxExpressions = 4096;

  // Every finding of the whole tree is added to `findings` when it is given; the error is the first of them.
  static Result<Template> compile(const Value& with_expressions,
                                  std::vector<TemplateFinding>* findings = nullptr);
  // The DSL also allows a bare program in places that are always expressions (`if`, `while`, `in`,
  // `output.as`):
  // "${ .x }" and ".x" mean the same there. A value that is not a string is a template as above.
  static Result<Template> compile_expression(const Value& text_or_value);

  // The template with every expression replaced. Error positions carry the JSON Pointer of the string.
  Result<Value> evaluate(const Scope& scope, const EvaluationLimits& limits = {}) const;
  Result<bool> evaluate_condition(const Scope& scope, const EvaluationLimits& limits = {}) const;

  bool is_constant() const;                           // no expression in it
  const std::vector<std::string>& variables() const;  // of all expressions, sorted

 private:
  friend struct TemplateCompiler;
  struct Part;
  std::shared_ptr<const Part> root_;
};

}  // namespace consort
