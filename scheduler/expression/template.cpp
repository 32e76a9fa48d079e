// Templates: a JSON value with `${ ... }` in its strings, compiled to a tree that shares what is constant.
#include <algorithm>

#include "scheduler/expression/program.h"
#include "scheduler/value/pointer.h"

namespace consort {

struct Template::Part {
  enum class Kind { kConstant, kWhole, kText, kArray, kObject } kind = Kind::kConstant;
  Value constant;
  std::string pointer;                  // of the string in the template
  std::vector<Expression> expressions;  // kWhole: one; kText: in order
  std::vector<std::string> pieces;      // kText: one more than expressions
  std::vector<std::string> keys;        // kObject
  std::vector<std::shared_ptr<const Part>> children;
  std::vector<std::string> variables;  // of the root only: all names, sorted
};

namespace {

struct Build {
  std::vector<TemplateFinding>* findings = nullptr;
  std::vector<TemplateFinding> first;  // the first finding, when the caller wants none
  std::vector<std::string> variables;
  std::size_t expressions = 0;

  void find(const std::string& pointer, Error error) {
    error.where = (pointer.empty() ? "" : pointer + ", ") + error.where;
    if (first.empty()) first.push_back({pointer, error});
    if (findings) findings->push_back({pointer, std::move(error)});
  }
  void add(const Expression& expression) {
    variables.insert(variables.end(), expression.variables().begin(), expression.variables().end());
  }
};

Error located(Error error, const std::string& pointer) {
  if (!pointer.empty()) error.where = pointer + ", " + error.where;
  return error;
}

}  // namespace

// The compiler of one tree; a struct of its own so that it may name Part.
struct TemplateCompiler {
  using Part = Template::Part;
  using Kind = Part::Kind;
  Build build;

  std::shared_ptr<Part> compile(const Value& v, const std::string& pointer) {
    if (v.is_string()) return string(v, pointer);
    auto part = std::make_shared<Part>();
    part->constant = v;
    bool constant = true;
    if (v.is_array()) {
      for (std::size_t i = 0; i < v.size(); ++i) {
        part->children.push_back(compile(v.as_array()[i], pointer_join(pointer, i)));
        constant = constant && part->children.back()->kind == Kind::kConstant;
      }
      if (!constant) part->kind = Kind::kArray;
    } else if (v.is_object()) {
      for (const auto& [key, item] : v.as_object()) {
        part->keys.push_back(key);
        part->children.push_back(compile(item, pointer_join(pointer, key)));
        constant = constant && part->children.back()->kind == Kind::kConstant;
      }
      if (!constant) part->kind = Kind::kObject;
    }
    if (constant) {
      part->children.clear();
      part->keys.clear();
    }
    return part;
  }

  std::shared_ptr<Part> string(const Value& v, const std::string& pointer) {
    auto part = std::make_shared<Part>();
    part->constant = v;
    part->pointer = pointer;
    const std::string& text = v.as_string();
    std::size_t at = 0;
    part->pieces.emplace_back();
    while (true) {
      const std::size_t open = text.find("${", at);
      part->pieces.back() += text.substr(at, open == std::string::npos ? open : open - at);
      if (open == std::string::npos) break;
      std::size_t end = 0;
      auto expression = one(text, open + 2, end);
      if (!expression) {
        build.find(pointer, std::move(expression.error()));
        return part;
      }
      build.add(*expression);
      part->expressions.push_back(std::move(*expression));
      part->pieces.emplace_back();
      at = end;
    }
    if (part->expressions.empty()) {
      part->pieces.clear();
      return part;
    }
    const bool whole = part->expressions.size() == 1 && part->pieces[0].empty() && part->pieces[1].empty();
    part->kind = whole ? Kind::kWhole : Kind::kText;
    return part;
  }

  Result<Expression> one(const std::string& text, std::size_t begin, std::size_t& end) {
    if (++build.expressions > Template::kMaxExpressions) {
      return fail(ErrorKind::kInvalid,
                  "more than " + std::to_string(Template::kMaxExpressions) + " expressions");
    }
    if (text.size() > kMaxExpressionBytes) {
      return fail(ErrorKind::kInvalid,
                  "a text with expressions is longer than " + std::to_string(kMaxExpressionBytes) + " bytes");
    }
    return compile_inside(text, begin, true, end);
  }

  // The parts of a document are evaluated as one: every expression has the limits to itself, the result as a
  // whole has limits.value_bytes.
  static Result<Value> evaluate(const Part& part, const Scope& scope, const EvaluationLimits& limits) {
    switch (part.kind) {
      case Kind::kConstant:
        return part.constant;
      case Kind::kWhole: {
        auto v = part.expressions[0].evaluate(scope, limits);
        if (!v) return tl::unexpected<Error>(located(std::move(v.error()), part.pointer));
        return v;
      }
      case Kind::kText:
        return text(part, scope, limits);
      case Kind::kArray: {
        Value::Array items;
        items.reserve(part.children.size());
        for (const auto& child : part.children) {
          CONSORT_TRY(v, evaluate(*child, scope, limits));
          items.push_back(std::move(v));
        }
        return admitted(Value::array(std::move(items)), part, limits);
      }
      case Kind::kObject: {
        Value::Object members;
        members.reserve(part.children.size());
        for (std::size_t i = 0; i < part.children.size(); ++i) {
          CONSORT_TRY(v, evaluate(*part.children[i], scope, limits));
          members.emplace_back(part.keys[i], std::move(v));
        }
        return admitted(Value::object(std::move(members)), part, limits);
      }
    }
    return part.constant;
  }

  static Result<Value> admitted(Value v, const Part& part, const EvaluationLimits& limits) {
    if (v.approximate_bytes() > limits.value_bytes) {
      return fail(ErrorKind::kBudget,
                  "the value is larger than " + std::to_string(limits.value_bytes) + " bytes", part.pointer);
    }
    if (v.depth() > static_cast<std::uint32_t>(kMaxJsonDepth)) {
      return fail(ErrorKind::kBudget, "the value is nested deeper than " + std::to_string(kMaxJsonDepth),
                  part.pointer);
    }
    return v;
  }

  static Result<Value> text(const Part& part, const Scope& scope, const EvaluationLimits& limits) {
    std::string made = part.pieces[0];
    for (std::size_t i = 0; i < part.expressions.size(); ++i) {
      auto v = part.expressions[i].evaluate(scope, limits);
      if (!v) return tl::unexpected<Error>(located(std::move(v.error()), part.pointer));
      if (v->is_string()) {
        made += v->as_string();
      } else {
        jq::append_jq_json(made, *v);
      }
      made += part.pieces[i + 1];
      if (made.size() > limits.value_bytes) {
        return fail(ErrorKind::kBudget,
                    "the text is longer than " + std::to_string(limits.value_bytes) + " bytes", part.pointer);
      }
    }
    return Value(std::move(made));
  }
};

Result<Template> Template::compile(const Value& with_expressions, std::vector<TemplateFinding>* findings) {
  TemplateCompiler compiler;
  compiler.build.findings = findings;
  auto root = compiler.compile(with_expressions, "");
  if (!compiler.build.first.empty()) return tl::unexpected<Error>(compiler.build.first[0].error);
  auto& names = compiler.build.variables;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  root->variables = std::move(names);
  Template made;
  made.root_ = std::move(root);
  return made;
}

Result<Template> Template::compile_expression(const Value& text_or_value) {
  if (!text_or_value.is_string() || text_or_value.as_string().find("${") != std::string::npos) {
    return compile(text_or_value);
  }
  CONSORT_TRY(expression, Expression::compile(text_or_value.as_string()));
  auto part = std::make_shared<Part>();
  part->kind = Part::Kind::kWhole;
  part->variables = expression.variables();
  part->expressions.push_back(std::move(expression));
  Template made;
  made.root_ = std::move(part);
  return made;
}

Result<Value> Template::evaluate(const Scope& scope, const EvaluationLimits& limits) const {
  return root_ ? TemplateCompiler::evaluate(*root_, scope, limits) : Value();
}

Result<bool> Template::evaluate_condition(const Scope& scope, const EvaluationLimits& limits) const {
  CONSORT_TRY(v, evaluate(scope, limits));
  return jq::truthy(v);
}

bool Template::is_constant() const {
  return !root_ || root_->kind == Part::Kind::kConstant;
}

const std::vector<std::string>& Template::variables() const {
  static const std::vector<std::string> kNone;
  return root_ ? root_->variables : kNone;
}

}  // namespace consort
