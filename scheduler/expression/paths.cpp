// Path expressions: where an expression looks, for del(...). A path is an array of keys: strings, numbers,
// and
// {"start", "end"} for slices.
#include <algorithm>
#include <cmath>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"
#include "scheduler/expression/evaluation_inline.h"

namespace consort::jq {
namespace {

Value slice_key(const Value& from, const Value& to) {
  return Value::object({{"start", from}, {"end", to}});
}

bool is_slice(const Value& key) {
  return key.is_object();
}

std::string describe_result(const Value& v) {
  const std::string whole = describe(v);  // "type (text)"
  const std::size_t open = whole.find('(');
  return whole.substr(open + 1, whole.size() - open - 2);
}

}  // namespace

bool Evaluation::step_into(const Node& node, const Located& from, Value key, Located& to) {
  const bool found = is_slice(key)
                         ? slice_value(*this, node, from.value, key.get("start"), key.get("end"), to.value)
                         : index_value(*this, node, from.value, key, to.value);
  if (!found || !charge(node, 1 + from.path.size())) return false;
  to.path = from.path;
  to.path.append({std::move(key)});
  return admit(node, to.path);
}

Flow Evaluation::locate(const Node& node, const Located& input, PathSink out) {
  if (!charge(node, 1)) return Flow::kError;
  const Deeper deeper(*this, node);
  if (!deeper.allowed()) return Flow::kError;
  switch (node.op) {
    case Op::kIdentity:
      return out(Located(input));
    case Op::kIndex:
    case Op::kSlice:
      return locate_key(node, input, out);
    case Op::kIterate:
      return locate_children(node, input, out);
    case Op::kPipe: {
      auto next = [&](Located&& between) -> Flow { return locate(*node.operands[1], between, out); };
      return locate(*node.operands[0], input, PathSink(next));
    }
    case Op::kComma: {
      const Flow flow = locate(*node.operands[0], input, out);
      return flow == Flow::kMore ? locate(*node.operands[1], input, out) : flow;
    }
    case Op::kIf: {
      auto choose = [&](Value&& v) -> Flow { return locate(*node.operands[truthy(v) ? 1 : 2], input, out); };
      return eval(*node.operands[0], input.value, Sink(choose));
    }
    case Op::kBind: {
      auto bind = [&](Value&& v) -> Flow {
        slots_[static_cast<std::size_t>(node.slot)] = std::move(v);
        return locate(*node.operands[1], input, out);
      };
      return eval(*node.operands[0], input.value, Sink(bind));
    }
    case Op::kEmpty:
      return Flow::kMore;
    case Op::kAlternative:
      return locate_alternative(node, input, out);
    case Op::kTry:
      return locate_try(node, input, out);
    case Op::kReduce:
      return locate_reduce(node, input, out);
    case Op::kFirst:
      return locate_first(node, input, out);
    default:
      break;
  }
  // Anything else has a value but no place; `error` among them raises its own error.
  auto refuse = [&](Value&& v) -> Flow {
    raise(node, "Invalid path expression with result " + describe_result(v));
    return Flow::kError;
  };
  return eval(node, input.value, Sink(refuse));
}

Flow Evaluation::locate_key(const Node& node, const Located& input, PathSink out) {
  const bool slice = node.op == Op::kSlice;
  const Operands keys(node.operands.begin(), node.operands.end() - 1);
  const Node& target = *node.operands.back();
  Value values[2];
  auto then = [&]() -> Flow {
    const Value key = slice ? slice_key(values[0], values[1]) : values[0];
    auto step = [&](Located&& from) -> Flow {
      Located to;
      return step_into(node, from, key, to) ? out(std::move(to)) : Flow::kError;
    };
    return locate(target, input, PathSink(step));
  };
  return product(keys, 0, input.value, values, then);
}

Flow Evaluation::locate_children(const Node& node, const Located& input, PathSink out) {
  auto each = [&](Located&& from) -> Flow {
    const Value& v = from.value;
    if (!v.is_array() && !v.is_object()) {
      raise(node, "Cannot iterate over " + describe(v));
      return Flow::kError;
    }
    for (std::size_t i = 0; i < v.size(); ++i) {
      Located to;
      Value key = v.is_array() ? Value(static_cast<std::int64_t>(i)) : Value(v.as_object()[i].first);
      if (!step_into(node, from, std::move(key), to)) return Flow::kError;
      if (const Flow flow = out(std::move(to)); flow != Flow::kMore) return flow;
    }
    return Flow::kMore;
  };
  return locate(*node.operands[0], input, PathSink(each));
}

Flow Evaluation::locate_alternative(const Node& node, const Located& input, PathSink out) {
  bool found = false;
  auto keep = [&](Located&& at) -> Flow {
    if (!truthy(at.value)) return Flow::kMore;
    found = true;
    return out(std::move(at));
  };
  const Flow flow = locate(*node.operands[0], input, PathSink(keep));
  return found || flow != Flow::kMore ? flow : locate(*node.operands[1], input, out);
}

Flow Evaluation::locate_try(const Node& node, const Located& input, PathSink out) {
  bool outside = false;
  auto pass = [&](Located&& at) -> Flow {
    const Flow flow = out(std::move(at));
    outside = outside || flow == Flow::kError;
    return flow;
  };
  const Flow flow = locate(*node.operands[0], input, PathSink(pass));
  if (flow != Flow::kError || outside) return flow;
  Value message;
  if (!handle_error(message)) return Flow::kError;
  if (node.operands.size() < 2) return Flow::kMore;
  return locate(*node.operands[1], Located{Value::array(), message}, out);
}

Flow Evaluation::locate_first(const Node& node, const Located& input, PathSink out) {
  Located first;
  bool found = false;
  auto keep = [&](Located&& at) -> Flow {
    first = std::move(at);
    found = true;
    return Flow::kStop;
  };
  if (locate(*node.operands[0], input, PathSink(keep)) == Flow::kError) return Flow::kError;
  return found ? out(std::move(first)) : Flow::kMore;
}

// The state of a reduce is a place: `reduce ("a", "b") as $k (.; .[$k])`.
Flow Evaluation::locate_reduce(const Node& node, const Located& input, PathSink out) {
  auto from = [&](Located&& initial) -> Flow {
    Located state = std::move(initial);
    auto item = [&](Value&& v) -> Flow {
      slots_[static_cast<std::size_t>(node.slot)] = std::move(v);
      Located last{Value::array(), Value()};
      auto keep = [&](Located&& at) -> Flow {
        last = std::move(at);
        return Flow::kMore;
      };
      const Flow flow = locate(*node.operands[2], state, PathSink(keep));
      state = std::move(last);
      return flow;
    };
    if (eval(*node.operands[0], input.value, Sink(item)) == Flow::kError) return Flow::kError;
    return out(std::move(state));
  };
  return locate(*node.operands[1], input, PathSink(from));
}

bool Evaluation::del_one(const Node& node, const Value& input, Value& out) {
  std::vector<Value> paths;
  auto collect = [&](Located&& at) -> Flow {
    if (!charge_bytes(node, 64 + at.path.approximate_bytes())) return Flow::kError;
    paths.push_back(std::move(at.path));
    return Flow::kMore;
  };
  if (locate(*node.operands[0], Located{Value::array(), input}, PathSink(collect)) == Flow::kError)
    return false;
  if (!charge_sort(node, Value::array(paths))) return false;
  std::sort(paths.begin(), paths.end(),
            [](const Value& a, const Value& b) { return Value::compare(a, b) < 0; });
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return delete_paths(node, input, paths.data(), paths.data() + paths.size(), 0, out);
}

// Deletes paths [first, last), sorted, that agree in their first `level` keys, from the value at that place.
bool Evaluation::delete_paths(const Node& node, Value target, const Value* first, const Value* last,
                              std::size_t level, Value& out) {
  if (first != last && first->size() == level) {
    out = Value();  // the place itself goes
    return true;
  }
  std::vector<Value> here;  // keys that go from this very value
  while (first != last) {
    const Value& key = first->as_array()[level];
    const Value* end = first;
    while (end != last && end->as_array()[level] == key) ++end;
    if (first->size() == level + 1) {
      here.push_back(key);
    } else {
      Value child, changed;
      const bool found = is_slice(key)
                             ? slice_value(*this, node, target, key.get("start"), key.get("end"), child)
                             : index_value(*this, node, target, key, child);
      if (!found) return false;
      if (!child.is_null()) {
        if (!delete_paths(node, child, first, end, level + 1, changed)) return false;
        if (!replace_child(node, std::move(target), key, std::move(changed), target)) return false;
      }
    }
    first = end;
  }
  return delete_keys(node, std::move(target), here, out);
}

bool Evaluation::replace_child(const Node& node, Value target, const Value& key, Value child, Value& out) {
  if (!charge(node, 1 + target.size() / 16)) return false;
  if (target.is_object()) {
    out = target.with(key.as_string(), std::move(child));
    return true;
  }
  Value::Array items = std::move(target).take_array();
  if (is_slice(key)) {
    std::size_t first = 0, last = 0;
    slice_bounds(key.get("start"), key.get("end"), items.size(), first, last);
    const auto begin = items.begin();
    items.erase(begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last));
    const Value::Array& more = child.as_array();
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(first), more.begin(), more.end());
  } else {
    auto at = static_cast<std::ptrdiff_t>(key.as_number());
    if (at < 0) at += static_cast<std::ptrdiff_t>(items.size());
    items[static_cast<std::size_t>(at)] = std::move(child);  // it was found there, so it is inside
  }
  out = Value::array(std::move(items));
  return admit(node, out);
}

bool Evaluation::delete_keys(const Node& node, Value target, const std::vector<Value>& keys, Value& out) {
  if (keys.empty() || target.is_null()) return out = std::move(target), true;
  if (!charge(node, keys.size() + target.size())) return false;
  if (target.is_object()) {
    Value::Object kept;
    for (const Value& key : keys) {
      if (!key.is_string()) return raise(node, "Cannot delete field at object index of object");
    }
    for (auto& member : std::move(target).take_object()) {
      const Value key(member.first);
      const bool goes = std::binary_search(keys.begin(), keys.end(), key, [](const Value& a, const Value& b) {
        return Value::compare(a, b) < 0;
      });
      if (!goes) kept.push_back(std::move(member));
    }
    out = Value::object(std::move(kept));
    return admit(node, out);
  }
  if (!target.is_array()) return raise(node, "Cannot delete from " + describe(target));
  Value::Array items = std::move(target).take_array();
  std::vector<bool> goes(items.size(), false);
  for (const Value& key : keys) {
    std::size_t first = 0, last = 0;
    if (is_slice(key)) {
      slice_bounds(key.get("start"), key.get("end"), items.size(), first, last);
    } else if (key.is_number()) {
      double at = key.as_number();
      if (at < 0) at += static_cast<double>(items.size());
      if (!(at >= 0 && at < static_cast<double>(items.size()) && at == std::floor(at))) continue;
      first = static_cast<std::size_t>(at);
      last = first + 1;
    } else {
      return raise(node, "Cannot delete field at array index of array");
    }
    std::fill(goes.begin() + static_cast<std::ptrdiff_t>(first),
              goes.begin() + static_cast<std::ptrdiff_t>(last), true);
  }
  Value::Array kept;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!goes[i]) kept.push_back(std::move(items[i]));
  }
  out = Value::array(std::move(kept));
  return admit(node, out);
}

}  // namespace consort::jq
