// Names to functions. What jq defines by its own language is expanded here, so that paths (del) and the order
// of outputs come out as in jq without a second definition.
#include "scheduler/expression/builtins.h"
#include "scheduler/expression/parser_state.h"

namespace consort::jq {
namespace {

// Functions that are not strict, with the arities they have.
struct Special {
  std::string_view name;
  int arity;
};
constexpr Special kSpecials[] = {
    {"empty", 0},   {"error", 0},    {"values", 0},    {"map", 1},          {"select", 1}, {"any", 0},
    {"any", 1},     {"any", 2},      {"all", 0},       {"all", 1},          {"all", 2},    {"first", 0},
    {"first", 1},   {"last", 0},     {"last", 1},      {"nth", 1},          {"nth", 2},    {"range", 1},
    {"range", 2},   {"range", 3},    {"del", 1},       {"with_entries", 1}, {"min_by", 1}, {"max_by", 1},
    {"sort_by", 1}, {"group_by", 1}, {"unique_by", 1}, {"flatten", 0},      {"test", 1}};

bool is_special(std::string_view name, std::size_t arity) {
  for (const Special& special : kSpecials) {
    if (special.name == name && special.arity == static_cast<int>(arity)) return true;
  }
  return false;
}

bool name_exists(std::string_view name, std::string& arities) {
  for (int arity = 0; arity <= 3; ++arity) {
    if (!is_special(name, static_cast<std::size_t>(arity)) && !find_builtin(name, arity)) continue;
    arities += (arities.empty() ? "" : " or ") + std::to_string(arity);
  }
  return !arities.empty();
}

}  // namespace

const Node* Parser::call(const Token& name) {
  std::vector<const Node*> arguments;
  if (take("(")) {
    do {
      const Node* argument = pipe();
      if (!argument) return nullptr;
      arguments.push_back(argument);
    } while (take(";"));
    if (!expect(")")) return nullptr;
  }
  if (failed_) return nullptr;
  if (is_special(name.text, arguments.size())) return special_call(name, arguments);
  return strict_call(name, std::move(arguments));
}

const Node* Parser::unknown_call(const Token& name, std::size_t arity) {
  const std::string shown = std::string(name.text) + "/" + std::to_string(arity);
  std::string arities;
  if (name_exists(name.text, arities)) {
    return refuse(
        "'" + std::string(name.text) + "' takes " + arities + " argument(s), not " + std::to_string(arity),
        name.position);
  }
  return refuse("'" + shown + "' is not a function of the expression language", name.position,
                ErrorKind::kUnsupported);
}

const Node* Parser::strict_call(const Token& name, std::vector<const Node*> arguments) {
  const Builtin* builtin = find_builtin(name.text, static_cast<int>(arguments.size()));
  if (!builtin) return unknown_call(name, arguments.size());
  std::shared_ptr<const Regex> regex;
  if (name.text == "test") {
    // A constant pattern is compiled, and found faulty, at load.
    const Value &pattern = arguments[0]->literal, &flags = arguments[1]->literal;
    const bool constant = arguments[0]->op == Op::kLiteral && arguments[1]->op == Op::kLiteral;
    if (constant && pattern.is_string() && (flags.is_string() || flags.is_null())) {
      auto compiled = compile_test_pattern(pattern.as_string(), flags.is_null() ? "" : flags.as_string());
      if (!compiled) return refuse(compiled.error().what, arguments[0]->position, compiled.error().kind);
      regex = std::make_shared<const Regex>(std::move(*compiled));
    }
  }
  Node* node = make(Op::kCall, name.position, std::move(arguments));
  if (!node) return nullptr;
  node->function = builtin->function;
  node->regex = std::move(regex);
  return node;
}

// sort_by(f) and its relatives: jq's own definition, `_sort_by_impl(map([f]))`.
const Node* Parser::keyed_call(const Token& name, const Node* key) {
  const std::uint32_t at = name.position;
  const Node* keys =
      make(Op::kArray, at, {make(Op::kPipe, at, {each(at, identity(at)), make(Op::kArray, at, {key})})});
  if (!keys) return nullptr;
  return strict_call(name, {keys});
}

const Node* Parser::special_call(const Token& name, const std::vector<const Node*>& a) {
  const std::uint32_t at = name.position;
  const std::string_view word = name.text;
  const auto piped_each = [&](const Node* f) { return make(Op::kPipe, at, {each(at, identity(at)), f}); };
  if (word == "empty") return make(Op::kEmpty, at);
  if (word == "error") return strict_call(name, {identity(at)});
  if (word == "values") {
    const Node* present = make(Op::kNotEqual, at, {literal(at, nullptr), identity(at)});
    return make(Op::kIf, at, {present, identity(at), make(Op::kEmpty, at)});
  }
  if (word == "select") return make(Op::kIf, at, {a[0], identity(at), make(Op::kEmpty, at)});
  if (word == "map") return make(Op::kArray, at, {piped_each(a[0])});
  if (word == "any" || word == "all") {
    const Node* body = a.empty()       ? each(at, identity(at))
                       : a.size() == 1 ? piped_each(a[0])
                                       : make(Op::kPipe, at, {a[0], a[1]});
    return make(word == "any" ? Op::kAny : Op::kAll, at, {body});
  }
  if (word == "first")
    return a.empty() ? index(at, identity(at), literal(at, 0)) : make(Op::kFirst, at, {a[0]});
  if (word == "last")
    return a.empty() ? index(at, identity(at), literal(at, -1)) : make(Op::kLast, at, {a[0]});
  if (word == "nth") return a.size() == 1 ? index(at, identity(at), a[0]) : make(Op::kNth, at, {a[0], a[1]});
  if (word == "range") {
    const Node* from = a.size() == 1 ? literal(at, 0) : a[0];
    const Node* upto = a.size() == 1 ? a[0] : a[1];
    return make(Op::kRange, at, {from, upto, a.size() == 3 ? a[2] : literal(at, 1)});
  }
  if (word == "del") return make(Op::kDel, at, {a[0]});
  if (word == "with_entries") {
    Token to = name, from = name;
    to.text = "to_entries";
    from.text = "from_entries";
    const Node* mapped = make(Op::kArray, at, {piped_each(a[0])});
    const Node* back = make(Op::kPipe, at, {mapped, strict_call(from, {})});
    return make(Op::kPipe, at, {strict_call(to, {}), back});
  }
  if (word == "flatten") return strict_call(name, {literal(at, 1e9)});
  if (word == "test") return strict_call(name, {a[0], literal(at, nullptr)});
  return keyed_call(name, a[0]);
}

}  // namespace consort::jq
