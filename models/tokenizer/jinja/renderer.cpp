#include "models/tokenizer/jinja/renderer.h"

namespace consort::jinja {
namespace {

constexpr int kMaxNesting = 32;

Value loop_value(std::size_t index, const List& items) {
  const auto i = static_cast<std::int64_t>(index), n = static_cast<std::int64_t>(items.size());
  Dict loop{{"index", i + 1},  {"index0", i},        {"revindex", n - i}, {"revindex0", n - i - 1},
            {"first", i == 0}, {"last", i + 1 == n}, {"length", n},       {"depth", std::int64_t{1}}};
  if (i > 0) loop.emplace_back("previtem", items[index - 1]);
  if (i + 1 < n) loop.emplace_back("nextitem", items[index + 1]);
  return make_dict(std::move(loop));
}

// Whether `v` may be kept in the namespace `home`: it must not hold `home` itself (printing it would never
// end) and must stay shallow.
bool can_keep(const Value& v, const Dict* home, int depth = 0) {
  WorkBudget::charge(32);
  if (depth > kMaxNesting || (home != nullptr && v.dict() == home)) return false;
  if (const List* list = v.list())
    for (const Value& item : *list)
      if (!can_keep(item, home, depth + 1)) return false;
  if (const Dict* dict = v.dict())
    for (const auto& [key, item] : *dict)
      if (!can_keep(item, home, depth + 1)) return false;
  return true;
}

}  // namespace

Renderer::Renderer(Dict globals) : scopes_(1) {
  for (auto& [name, value] : globals) scopes_.front().emplace(name, std::move(value));
}

Text Renderer::render(const Body& body) {
  const WorkBudget budget(kMaxWorkBytes);
  Text out;
  run(body, out);
  return out;
}

void Renderer::step() {
  if (++steps_ > kMaxSteps) throw RenderLimit("the template runs too long");
}

void Renderer::write(Text& out, const Text& text) {
  if (out.text.size() + text.text.size() > kMaxOutputBytes) throw RenderLimit("the template writes too much");
  out.append(text);
}

Value Renderer::lookup(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
    if (const auto found = scope->find(name); found != scope->end()) {
      if (const auto* text = found->second.as<Text>()) WorkBudget::charge(text->text.size());
      return found->second;
    }
  return Undefined{name};
}

Renderer::Flow Renderer::run(const Body& body, Text& out) {
  for (const Node& node : body)
    if (const Flow flow = run(node, out); flow != Flow::kNext) return flow;
  return Flow::kNext;
}

Renderer::Flow Renderer::run(const Node& node, Text& out) {
  step();
  const Deeper deeper(depth_);
  switch (node.kind) {
    case NodeKind::kText:
      write(out, Text(node.text));
      break;
    case NodeKind::kOutput:
      write(out, to_text(evaluate(*node.expr)));
      break;
    case NodeKind::kIf:
      for (const auto& [condition, body] : node.branches)
        if (condition == nullptr || truthy(evaluate(*condition))) return run(body, out);
      break;
    case NodeKind::kFor:
      return run_for(node, out);
    case NodeKind::kSet:
      assign(node, evaluate(*node.expr));
      break;
    case NodeKind::kSetBlock: {
      Text text;
      run(node.body, text);
      assign(node, std::move(text));
      break;
    }
    case NodeKind::kMacro:
      macros_[node.text] = &node;
      break;
    case NodeKind::kBreak:
      return Flow::kBreak;
    case NodeKind::kContinue:
      return Flow::kContinue;
    case NodeKind::kBlock:
      return run(node.body, out);
  }
  return Flow::kNext;
}

void Renderer::assign(const Node& node, Value value) {
  if (!can_keep(value, nullptr)) throw RenderLimit("lists and dicts are nested too deeply");
  if (node.attribute.empty()) {
    scopes_.back()[node.text] = std::move(value);
    return;
  }
  Value object = lookup(node.text);
  Dict* dict = object.dict();
  if (dict == nullptr) throw RenderError("'" + node.text + "' is no namespace");
  if (!can_keep(value, dict)) throw RenderError("'" + node.text + "' would hold itself or too deep a value");
  for (auto& [name, old] : *dict) {
    if (name == node.attribute) {
      old = std::move(value);
      return;
    }
  }
  dict->emplace_back(node.attribute, std::move(value));
}

Renderer::Flow Renderer::run_for(const Node& node, Text& out) {
  List items = items_of(evaluate(*node.expr));
  const auto bind = [&](const Value& item) {
    Scope& scope = scopes_.back();
    if (node.targets.size() == 1) {
      scope[node.targets.front()] = item;
      return;
    }
    const List* parts = item.list();
    if (parts == nullptr || parts->size() != node.targets.size())
      throw RenderError("a loop over several names needs lists of that length");
    for (std::size_t i = 0; i < parts->size(); ++i) scope[node.targets[i]] = (*parts)[i];
  };
  scopes_.emplace_back();
  if (node.filter != nullptr) {
    List kept;
    for (const Value& item : items) {
      step();
      bind(item);
      if (truthy(evaluate(*node.filter))) kept.push_back(item);
    }
    items = std::move(kept);
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    step();
    scopes_.back().clear();
    WorkBudget::charge(256);  // the loop's own variables
    scopes_.back()["loop"] = loop_value(i, items);
    bind(items[i]);
    if (run(node.body, out) == Flow::kBreak) break;
  }
  scopes_.pop_back();
  return items.empty() ? run(node.otherwise, out) : Flow::kNext;
}

Arguments Renderer::evaluate_arguments(const Expr& e) {
  Arguments arguments;
  for (const Argument& a : e.arguments) arguments.emplace_back(a.name, evaluate(*a.value));
  return arguments;
}

Value Renderer::call_macro(const Node& macro, const Arguments& arguments) {
  Scope scope;
  std::size_t position = 0;
  for (std::size_t i = 0; i < macro.targets.size(); ++i)
    scope[macro.targets[i]] =
        macro.defaults[i] ? evaluate(*macro.defaults[i]) : Value(Undefined{macro.targets[i]});
  for (const auto& [name, value] : arguments) {
    if (name.empty() && position >= macro.targets.size())
      throw RenderError("the macro '" + macro.text + "' takes fewer arguments");
    scope[name.empty() ? macro.targets[position++] : name] = value;
  }
  // A macro sees its own names and the globals, not its caller's loops.
  std::vector<Scope> outer = std::move(scopes_);
  scopes_.clear();
  for (const auto& [name, value] : outer.front())
    WorkBudget::charge(sizeof(Value) + (value.as<Text>() ? value.as<Text>()->text.size() : 0));
  scopes_.push_back(outer.front());
  scopes_.push_back(std::move(scope));
  Text out;
  run(macro.body, out);
  scopes_ = std::move(outer);
  return out;
}

Value Renderer::call(const Expr& e) {
  const Arguments arguments = evaluate_arguments(e);
  if (const auto macro = macros_.find(e.name); macro != macros_.end())
    return call_macro(*macro->second, arguments);
  if (!known_function(e.name)) throw RenderError("the macro '" + e.name + "' is called before it is defined");
  return call_function(e.name, arguments);
}

Value Renderer::evaluate(const Expr& e) {
  step();
  const Deeper deeper(depth_);
  switch (e.kind) {
    case ExprKind::kLiteral:
      return e.literal;
    case ExprKind::kName:
      return lookup(e.name);
    case ExprKind::kList: {
      List items;
      for (const ExprPtr& item : e.items) items.push_back(evaluate(*item));
      return make_list(std::move(items));
    }
    case ExprKind::kDict: {
      Dict members;
      for (const auto& [key, value] : e.members) {
        Text name = to_text(evaluate(*key));
        // A key has no mask: text from outside would lose its mark there.
        if (name.outside()) throw RenderError("a message's text cannot be the key of a dict");
        members.emplace_back(std::move(name.text), evaluate(*value));
      }
      return make_dict(std::move(members));
    }
    case ExprKind::kAttribute:
      return attribute_of(evaluate(*e.object), e.name);
    case ExprKind::kIndex:
      return item_of(evaluate(*e.object), evaluate(*e.right));
    case ExprKind::kSlice: {
      const auto part = [&](std::size_t i) { return e.items[i] ? evaluate(*e.items[i]) : Value(None{}); };
      return slice_of(evaluate(*e.object), part(0), part(1), part(2));
    }
    case ExprKind::kCall:
      return call(e);
    case ExprKind::kMethod:
      return call_method(e.name, evaluate(*e.object), evaluate_arguments(e));
    case ExprKind::kFilter:
      return apply_filter(e.name, evaluate(*e.object), evaluate_arguments(e));
    case ExprKind::kTest:
      return apply_test(e.name, evaluate(*e.object), evaluate_arguments(e)) != e.negated;
    case ExprKind::kNot:
      return !truthy(evaluate(*e.object));
    case ExprKind::kNegate:
      return apply_binary("-", std::int64_t{0}, evaluate(*e.object));
    case ExprKind::kBinary:
      return apply_binary(e.name, evaluate(*e.object), evaluate(*e.right));
    case ExprKind::kAnd: {
      Value left = evaluate(*e.object);
      return truthy(left) ? evaluate(*e.right) : left;
    }
    case ExprKind::kOr: {
      Value left = evaluate(*e.object);
      return truthy(left) ? left : evaluate(*e.right);
    }
    case ExprKind::kConditional:
      if (truthy(evaluate(*e.condition))) return evaluate(*e.object);
      return e.right ? evaluate(*e.right) : Value(Undefined{});
  }
  return Undefined{};
}

}  // namespace consort::jinja
