// Operations that decide themselves what runs, and in which order outputs arise.
#include <cmath>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"
#include "scheduler/expression/evaluation_inline.h"

namespace consort::jq {

Flow Evaluation::eval(const Node& node, const Value& input, Sink out) {
  if (node.single) {
    Value v;
    if (!one(node, input, v)) return Flow::kError;
    return out(std::move(v));
  }
  if (!charge(node, 1)) return Flow::kError;
  const Deeper deeper(*this, node);
  if (!deeper.allowed()) return Flow::kError;
  switch (node.op) {
    case Op::kPipe:
      return eval_pipe(node, input, out);
    case Op::kComma: {
      const Flow flow = eval(*node.operands[0], input, out);
      return flow == Flow::kMore ? eval(*node.operands[1], input, out) : flow;
    }
    case Op::kIterate:
      return eval_iterate(node, input, out);
    case Op::kAnd:
    case Op::kOr:
      return eval_logic(node, input, out);
    case Op::kAlternative:
      return eval_alternative(node, input, out);
    case Op::kIf:
      return eval_if(node, input, out);
    case Op::kTry:
      return eval_try(node, input, out);
    case Op::kReduce:
      return eval_reduce(node, input, out);
    case Op::kBind:
      return eval_bind(node, input, out);
    case Op::kEmpty:
      return Flow::kMore;
    case Op::kFirst:
      return eval_first(node, input, out);
    case Op::kNth:
      return eval_nth(node, input, out);
    case Op::kRange:
      return eval_range(node, input, out);
    default:
      return eval_strict(node, input, out);
  }
}

Flow Evaluation::eval_pipe(const Node& node, const Value& input, Sink out) {
  const Node& right = *node.operands[1];
  auto next = [&](Value&& v) -> Flow { return eval(right, v, out); };
  return eval(*node.operands[0], input, Sink(next));
}

Flow Evaluation::eval_iterate(const Node& node, const Value& input, Sink out) {
  auto each = [&](Value&& target) -> Flow {
    if (!target.is_array() && !target.is_object()) {
      const bool null = target.is_null();
      raise(node, null ? std::string("Cannot iterate over null (null)")
                       : "Cannot iterate over " + describe(target));
      return Flow::kError;
    }
    const auto give = [&](const Value& item) -> Flow {
      if (!charge(node, 1)) return Flow::kError;
      return out(Value(item));
    };
    if (target.is_array()) {
      for (const Value& item : target.as_array()) {
        if (const Flow flow = give(item); flow != Flow::kMore) return flow;
      }
    } else {
      for (const auto& member : target.as_object()) {
        if (const Flow flow = give(member.second); flow != Flow::kMore) return flow;
      }
    }
    return Flow::kMore;
  };
  return eval(*node.operands[0], input, Sink(each));
}

Flow Evaluation::eval_logic(const Node& node, const Value& input, Sink out) {
  const bool conjunction = node.op == Op::kAnd;
  auto right = [&](Value&& v) -> Flow { return out(Value(truthy(v))); };
  auto left = [&](Value&& v) -> Flow {
    if (truthy(v) != conjunction) return out(Value(!conjunction));
    return eval(*node.operands[1], input, Sink(right));
  };
  return eval(*node.operands[0], input, Sink(left));
}

// The outputs of the left side that are neither null nor false; when there is none, the right side.
Flow Evaluation::eval_alternative(const Node& node, const Value& input, Sink out) {
  bool found = false;
  auto keep = [&](Value&& v) -> Flow {
    if (!truthy(v)) return Flow::kMore;
    found = true;
    return out(std::move(v));
  };
  const Flow flow = eval(*node.operands[0], input, Sink(keep));
  return found || flow != Flow::kMore ? flow : eval(*node.operands[1], input, out);
}

Flow Evaluation::eval_if(const Node& node, const Value& input, Sink out) {
  auto choose = [&](Value&& v) -> Flow { return eval(*node.operands[truthy(v) ? 1 : 2], input, out); };
  return eval(*node.operands[0], input, Sink(choose));
}

bool Evaluation::handle_error(Value& message) {
  if (fatal_) return false;
  message = std::move(raised_);
  raised_ = Value();
  return true;
}

// Only errors of the body are caught, not those of what its outputs are fed to (jq 1.7).
Flow Evaluation::eval_try(const Node& node, const Value& input, Sink out) {
  bool outside = false;
  auto pass = [&](Value&& v) -> Flow {
    const Flow flow = out(std::move(v));
    outside = outside || flow == Flow::kError;
    return flow;
  };
  const Flow flow = eval(*node.operands[0], input, Sink(pass));
  if (flow != Flow::kError || outside) return flow;
  Value message;
  if (!handle_error(message)) return Flow::kError;
  return node.operands.size() < 2 ? Flow::kMore : eval(*node.operands[1], message, out);
}

Flow Evaluation::eval_bind(const Node& node, const Value& input, Sink out) {
  auto bind = [&](Value&& v) -> Flow {
    slots_[static_cast<std::size_t>(node.slot)] = std::move(v);
    return eval(*node.operands[1], input, out);
  };
  return eval(*node.operands[0], input, Sink(bind));
}

Flow Evaluation::eval_reduce(const Node& node, const Value& input, Sink out) {
  auto from = [&](Value&& state) -> Flow {
    Value result;
    if (!reduce_from(node, input, std::move(state), result)) return Flow::kError;
    return out(std::move(result));
  };
  return eval(*node.operands[1], input, Sink(from));
}

// The state after the update's last output; null when it has none (jq 1.6).
bool Evaluation::reduce_from(const Node& node, const Value& input, Value state, Value& out) {
  const Node& update = *node.operands[2];
  // `. + x` as the whole update grows the state in place instead of copying it every time.
  const bool grows = update.op == Op::kAdd && update.single && update.operands[1]->op == Op::kIdentity;
  auto item = [&](Value&& v) -> Flow {
    slots_[static_cast<std::size_t>(node.slot)] = std::move(v);
    if (grows) {
      Value more;
      if (!one(*update.operands[0], state, more)) return Flow::kError;
      if (state.is_array() && more.is_array()) {
        if (!charge(update, 1 + more.size()) || !charge_bytes(update, 16 * more.size())) return Flow::kError;
        state.append(more.as_array());
        return admit_grown(update, state) ? Flow::kMore : Flow::kError;
      }
      Value sum;
      if (!arithmetic(*this, update, Op::kAdd, state, more, sum)) return Flow::kError;
      state = std::move(sum);
      return Flow::kMore;
    }
    Value last;
    auto keep = [&](Value&& next) -> Flow {
      last = std::move(next);
      return Flow::kMore;
    };
    const Flow flow = eval(update, state, Sink(keep));
    state = std::move(last);
    return flow;
  };
  if (eval(*node.operands[0], input, Sink(item)) == Flow::kError) return false;
  out = std::move(state);
  return true;
}

bool Evaluation::admit_grown(const Node& node, const Value& grown) {
  if (grown.depth() <= static_cast<std::uint32_t>(kMaxJsonDepth) &&
      grown.approximate_bytes() <= limits_.bytes) {
    return true;
  }
  return admit(node, grown);
}

Flow Evaluation::eval_first(const Node& node, const Value& input, Sink out) {
  Value first;
  bool found = false;
  auto keep = [&](Value&& v) -> Flow {
    first = std::move(v);
    found = true;
    return Flow::kStop;
  };
  const Flow flow = eval(*node.operands[0], input, Sink(keep));
  if (flow == Flow::kError) return flow;
  return found ? out(std::move(first)) : Flow::kMore;
}

bool Evaluation::last_one(const Node& node, const Value& input, Value& out) {
  Value last;
  auto keep = [&](Value&& v) -> Flow {
    last = std::move(v);
    return Flow::kMore;
  };
  if (eval(*node.operands[0], input, Sink(keep)) == Flow::kError) return false;
  out = std::move(last);
  return true;
}

// nth(n; body): the output number n, or the last when there are fewer (jq 1.6); null when there is none.
Flow Evaluation::eval_nth(const Node& node, const Value& input, Sink out) {
  auto with_number = [&](Value&& n) -> Flow {
    Value found;
    if (!nth_from(node, input, n, found)) return Flow::kError;
    return out(std::move(found));
  };
  return eval(*node.operands[0], input, Sink(with_number));
}

bool Evaluation::nth_from(const Node& node, const Value& input, const Value& n, Value& out) {
  if (!n.is_number()) return raise(node, describe(n) + " is not a place to take an output from");
  if (n.as_number() < 0) return raise(node, "nth doesn't support negative indices");
  double left = n.as_number();
  Value last;
  auto keep = [&](Value&& v) -> Flow {
    last = std::move(v);
    if (left <= 0) return Flow::kStop;
    left -= 1;
    return Flow::kMore;
  };
  if (eval(*node.operands[1], input, Sink(keep)) == Flow::kError) return false;
  out = std::move(last);
  return true;
}

Flow Evaluation::eval_range(const Node& node, const Value& input, Sink out) {
  Value bounds[3];
  auto then = [&]() -> Flow { return range_values(node, bounds, out); };
  return product(node.operands, 0, input, bounds, then);
}

Flow Evaluation::range_values(const Node& node, const Value* bounds, Sink out) {
  for (int i = 0; i < 3; ++i) {
    if (!bounds[i].is_number()) {
      raise(node, "Range bounds must be numeric");
      return Flow::kError;
    }
  }
  const Value &from = bounds[0], &upto = bounds[1], &by = bounds[2];
  if (by.as_number() == 0) return Flow::kMore;  // nothing, as in jq
  const bool up = by.as_number() > 0;
  Value at = from;
  while (up ? Value::compare(at, upto) < 0 : Value::compare(at, upto) > 0) {
    if (!charge(node, 1)) return Flow::kError;
    if (const Flow flow = out(Value(at)); flow != Flow::kMore) return flow;
    Value next;
    if (!arithmetic(*this, node, Op::kAdd, at, by, next)) return Flow::kError;
    if (Value::compare(at, next) == 0) break;  // the step is lost in rounding
    at = std::move(next);
  }
  return Flow::kMore;
}

bool Evaluation::array_one(const Node& node, const Value& input, Value& out) {
  Value::Array items;
  if (!node.operands.empty()) {
    auto collect = [&](Value&& v) -> Flow {
      if (!charge_bytes(node, sizeof(Value))) return Flow::kError;
      items.push_back(std::move(v));
      return Flow::kMore;
    };
    if (eval(*node.operands[0], input, Sink(collect)) == Flow::kError) return false;
  }
  out = Value::array(std::move(items));
  return admit(node, out);
}

bool Evaluation::any_one(const Node& node, const Value& input, Value& out) {
  const bool wanted = node.op == Op::kAny;
  bool found = false;
  auto look = [&](Value&& v) -> Flow {
    found = truthy(v) == wanted;
    return found ? Flow::kStop : Flow::kMore;
  };
  if (eval(*node.operands[0], input, Sink(look)) == Flow::kError) return false;
  out = Value(found == wanted);
  return true;
}

}  // namespace consort::jq
