// Strict operations and everything with exactly one output.
#include <algorithm>
#include <bit>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"
#include "scheduler/expression/evaluation_inline.h"

namespace consort::jq {
namespace {

// Binary operators have their operands as {right, left}.
constexpr std::size_t kRight = 0, kLeft = 1;
constexpr std::size_t kInlineOperands = 4;

}  // namespace

bool truthy(const Value& v) {
  return !(v.is_null() || (v.is_bool() && !v.as_bool()));
}

Evaluation::Evaluation(const ProgramTree& program, const Scope& scope, const EvaluationLimits& limits)
    : program_(program), limits_(limits), slots_(static_cast<std::size_t>(program.slots)) {
  for (const auto& [name, slot] : program.free) {
    if (const Value* v = scope.find(name)) slots_[static_cast<std::size_t>(slot)] = *v;
  }
}

Error Evaluation::error() const {
  std::string what;
  if (raised_.is_string()) {
    what = raised_.as_string();
  } else {
    what = std::string(type_name(raised_.type())) + " (not a string): ";
    append_jq_json(what, raised_);
    if (what.size() > 500) what = what.substr(0, utf8_floor(what, 500)) + "...";
  }
  return Error{kind_, std::move(what), place(program_.text, raised_at_), {}};
}

bool Evaluation::raise(const Node& node, Value message) {
  raised_ = std::move(message);
  raised_at_ = node.position;
  fatal_ = false;
  kind_ = ErrorKind::kRuntime;
  return false;
}

bool Evaluation::raise_fatal(const Node& node, ErrorKind kind, std::string what) {
  raised_ = Value(std::move(what));
  raised_at_ = node.position;
  fatal_ = true;
  kind_ = kind;
  return false;
}

bool Evaluation::out_of_steps(const Node& node) {
  return raise_fatal(node, ErrorKind::kBudget,
                     "the expression used up its budget of " + std::to_string(limits_.steps) + " steps");
}

bool Evaluation::out_of_bytes(const Node& node) {
  return raise_fatal(node, ErrorKind::kBudget,
                     "the expression used up its budget of " + std::to_string(limits_.bytes) + " bytes");
}

bool Evaluation::admit(const Node& node, const Value& built) {
  if (built.depth() > static_cast<std::uint32_t>(kMaxJsonDepth)) {
    return raise_fatal(node, ErrorKind::kBudget,
                       "a value nested deeper than " + std::to_string(kMaxJsonDepth) + " arose");
  }
  // Trees that share parts may be far larger written down than in memory; so the tree's own size counts too.
  if (built.approximate_bytes() > limits_.bytes) return out_of_bytes(node);
  return charge_bytes(node, 64 + 16 * built.size());
}

bool Evaluation::charge_sort(const Node& node, const Value& v) {
  const std::uint64_t rounds = std::bit_width(v.size() + 1);
  return charge(node, rounds * (v.size() + v.approximate_bytes() / 256)) && charge_bytes(node, 32 * v.size());
}

bool Evaluation::one(const Node& node, const Value& input, Value& out) {
  if (!charge(node, 1)) return false;
  switch (node.op) {
    case Op::kIdentity:
      out = input;
      return true;
    case Op::kLiteral:
      out = node.literal;
      return true;
    case Op::kVariable:
      out = slots_[static_cast<std::size_t>(node.slot)];
      return true;
    default:
      break;
  }
  const Deeper deeper(*this, node);
  if (!deeper.allowed()) return false;
  if (node.op == Op::kIndex) return field_one(node, input, out);
  if (node.op < Op::kPipe) return strict_one(node, input, out);
  return lazy_one(node, input, out);
}

// `.name` and its kind without copying the value it looks into.
bool Evaluation::field_one(const Node& node, const Value& input, Value& out) {
  const Node &key = *node.operands[0], &target = *node.operands[1];
  Value key_made, target_made;
  const Value* k = &key.literal;
  if (key.op != Op::kLiteral) {
    if (!one(key, input, key_made)) return false;
    k = &key_made;
  }
  const Value* t = &input;
  if (target.op == Op::kVariable) {
    t = &slots_[static_cast<std::size_t>(target.slot)];
  } else if (target.op != Op::kIdentity) {
    if (!one(target, input, target_made)) return false;
    t = &target_made;
  }
  if (t->is_object() && k->is_string()) {
    const Value* found = t->find(k->as_string());
    Value result = found ? *found : Value();  // before target_made may go
    out = std::move(result);
    return true;
  }
  return index_value(*this, node, *t, *k, out);
}

bool Evaluation::strict_one(const Node& node, const Value& input, Value& out) {
  const Operands& operands = node.operands;
  if (operands.size() <= kInlineOperands) {
    Value values[kInlineOperands];
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (!one(*operands[i], input, values[i])) return false;
    }
    return strict(node, input, values, out);
  }
  std::vector<Value> values(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!one(*operands[i], input, values[i])) return false;
  }
  return strict(node, input, values.data(), out);
}

Flow Evaluation::eval_strict(const Node& node, const Value& input, Sink out) {
  std::vector<Value> values(node.operands.size());
  auto then = [&]() -> Flow {
    Value v;
    if (!strict(node, input, values.data(), v)) return Flow::kError;
    return out(std::move(v));
  };
  return product(node.operands, 0, input, values.data(), then);
}

bool Evaluation::strict(const Node& node, const Value& input, const Value* operands, Value& out) {
  switch (node.op) {
    case Op::kIndex:
      return index_value(*this, node, operands[1], operands[0], out);
    case Op::kSlice:
      return slice_value(*this, node, operands[2], operands[0], operands[1], out);
    case Op::kNegate:
      if (!operands[0].is_number()) return raise(node, describe(operands[0]) + " cannot be negated");
      return arithmetic(*this, node, Op::kSubtract, Value(0), operands[0], out);
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      return arithmetic(*this, node, node.op, operands[kLeft], operands[kRight], out);
    case Op::kEqual:
    case Op::kNotEqual:
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
      return compare(node, operands[kLeft], operands[kRight], out);
    case Op::kText:
      return text(node, operands, out);
    case Op::kFormat: {
      std::string made;
      if (!apply_format(*this, node, node.format, operands[0], made)) return false;
      out = Value(std::move(made));
      return true;
    }
    case Op::kObject:
      return object(node, operands, out);
    case Op::kCall:
      return node.function(*this, node, input, operands, out);
    default:
      return raise_fatal(node, ErrorKind::kRuntime, "internal: not a strict operation");
  }
}

bool Evaluation::compare(const Node& node, const Value& left, const Value& right, Value& out) {
  if (!charge(node, std::min(left.approximate_bytes(), right.approximate_bytes()) / 64)) return false;
  if (node.op == Op::kEqual || node.op == Op::kNotEqual) {
    out = Value((left == right) == (node.op == Op::kEqual));
    return true;
  }
  const int order = Value::compare(left, right);
  switch (node.op) {
    case Op::kLess:
      out = Value(order < 0);
      break;
    case Op::kLessEqual:
      out = Value(order <= 0);
      break;
    case Op::kGreater:
      out = Value(order > 0);
      break;
    default:
      out = Value(order >= 0);
      break;
  }
  return true;
}

bool Evaluation::text(const Node& node, const Value* operands, Value& out) {
  const std::size_t parts = node.operands.size();
  std::string made = node.pieces[0];
  for (std::size_t i = 0; i < parts; ++i) {
    if (!apply_format(*this, node, node.format, operands[parts - 1 - i], made)) return false;
    made += node.pieces[i + 1];
  }
  if (!charge_bytes(node, made.size())) return false;
  out = Value(std::move(made));
  return true;
}

bool Evaluation::object(const Node& node, const Value* operands, Value& out) {
  Value::Object members;
  members.reserve(node.operands.size() / 2);
  for (std::size_t i = 0; i + 1 < node.operands.size(); i += 2) {
    if (!operands[i].is_string())
      return raise(node, "Cannot use " + describe(operands[i]) + " as object key");
    members.emplace_back(operands[i].as_string(), operands[i + 1]);
  }
  out = Value::object(std::move(members));
  return admit(node, out);
}

bool Evaluation::lazy_one(const Node& node, const Value& input, Value& out) {
  const Operands& operands = node.operands;
  switch (node.op) {
    case Op::kPipe: {
      Value between;
      return one(*operands[0], input, between) && one(*operands[1], between, out);
    }
    case Op::kAnd:
    case Op::kOr: {
      Value v;
      if (!one(*operands[0], input, v)) return false;
      if (truthy(v) == (node.op == Op::kAnd)) {
        if (!one(*operands[1], input, v)) return false;
        out = Value(truthy(v));
      } else {
        out = Value(node.op == Op::kOr);
      }
      return true;
    }
    case Op::kAlternative: {
      Value v;
      if (!one(*operands[0], input, v)) return false;
      if (!truthy(v)) return one(*operands[1], input, out);
      out = std::move(v);
      return true;
    }
    case Op::kIf: {
      Value v;
      if (!one(*operands[0], input, v)) return false;
      return one(*operands[truthy(v) ? 1 : 2], input, out);
    }
    case Op::kBind: {
      Value v;
      if (!one(*operands[0], input, v)) return false;
      slots_[static_cast<std::size_t>(node.slot)] = std::move(v);
      return one(*operands[1], input, out);
    }
    case Op::kArray:
      return array_one(node, input, out);
    case Op::kAny:
    case Op::kAll:
      return any_one(node, input, out);
    case Op::kLast:
      return last_one(node, input, out);
    case Op::kDel:
      return del_one(node, input, out);
    case Op::kReduce: {
      Value state;
      return one(*operands[1], input, state) && reduce_from(node, input, std::move(state), out);
    }
    default:
      return raise_fatal(node, ErrorKind::kRuntime, "internal: not an operation with one output");
  }
}

}  // namespace consort::jq
