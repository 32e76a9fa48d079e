#include "scheduler/expression/expression.h"

#include <algorithm>

#include "scheduler/expression/program.h"

namespace consort {
namespace {

std::vector<std::string> free_names(const jq::ProgramTree& tree) {
  std::vector<std::string> names;
  for (const auto& entry : tree.free) names.push_back(entry.first);
  std::sort(names.begin(), names.end());
  return names;
}

Error too_large(const jq::ProgramTree& tree, std::uint64_t bytes) {
  return Error{ErrorKind::kBudget,
               "the expression's result is larger than " + std::to_string(bytes) + " bytes",
               jq::place(tree.text, tree.root->position),
               {}};
}

}  // namespace

Scope& Scope::set(std::string_view name, Value v) {
  for (auto& [known, value] : variables_) {
    if (known == name) {
      value = std::move(v);
      return *this;
    }
  }
  variables_.emplace_back(std::string(name), std::move(v));
  return *this;
}

const Value* Scope::find(std::string_view name) const {
  for (const auto& [known, value] : variables_) {
    if (known == name) return &value;
  }
  return nullptr;
}

Result<Expression> compile_inside(std::string_view text, std::size_t begin, bool inside_template,
                                  std::size_t& end) {
  CONSORT_TRY(tree, jq::parse_program(text, begin, inside_template, end));
  Expression made;
  auto program = std::make_shared<Expression::Program>();
  program->tree = std::move(tree);
  program->variables = free_names(program->tree);
  made.program_ = std::move(program);
  return made;
}

Result<Expression> Expression::compile(std::string_view program) {
  if (program.size() > kMaxExpressionBytes) {
    return fail(ErrorKind::kInvalid,
                "the expression is longer than " + std::to_string(kMaxExpressionBytes) + " bytes");
  }
  std::size_t end = 0;
  return compile_inside(program, 0, false, end);
}

const std::vector<std::string>& Expression::variables() const {
  return program_->variables;
}

Result<Value> Expression::evaluate(const Scope& scope, const EvaluationLimits& limits) const {
  const jq::ProgramTree& tree = program_->tree;
  jq::Evaluation evaluation(tree, scope, limits);
  Value result;
  if (tree.root->single) {
    if (!evaluation.one(*tree.root, scope.input, result)) return tl::unexpected<Error>(evaluation.error());
  } else {
    bool found = false;
    auto keep = [&](Value&& v) {
      result = std::move(v);
      found = true;
      return jq::Flow::kStop;
    };
    if (evaluation.run(scope.input, jq::Sink(keep)) == jq::Flow::kError) {
      return tl::unexpected<Error>(evaluation.error());
    }
    if (!found) {
      return fail(ErrorKind::kRuntime, "the expression has no result",
                  jq::place(tree.text, tree.root->position));
    }
  }
  if (result.approximate_bytes() > limits.value_bytes) {
    return tl::unexpected<Error>(too_large(tree, limits.value_bytes));
  }
  return result;
}

Result<Value::Array> Expression::evaluate_all(const Scope& scope, const EvaluationLimits& limits) const {
  const jq::ProgramTree& tree = program_->tree;
  jq::Evaluation evaluation(tree, scope, limits);
  Value::Array results;
  auto keep = [&](Value&& v) {
    if (!evaluation.charge_bytes(*tree.root, sizeof(Value))) return jq::Flow::kError;
    results.push_back(std::move(v));
    return jq::Flow::kMore;
  };
  if (evaluation.run(scope.input, jq::Sink(keep)) == jq::Flow::kError) {
    return tl::unexpected<Error>(evaluation.error());
  }
  for (const Value& v : results) {
    if (v.approximate_bytes() > limits.value_bytes) {
      return tl::unexpected<Error>(too_large(tree, limits.value_bytes));
    }
  }
  return results;
}

Result<bool> Expression::evaluate_condition(const Scope& scope, const EvaluationLimits& limits) const {
  CONSORT_TRY(v, evaluate(scope, limits));
  return jq::truthy(v);
}

}  // namespace consort
