#include "scheduler/workflow/reducer.h"

#include <array>

namespace consort::workflow {
namespace {

constexpr std::array<std::string_view, 5> kNames{"replace", "append", "merge", "sum", "max"};

Value append(const Value* old, const Value& next) {
  Value::Array items;
  const auto add = [&items](const Value& value) {
    if (value.is_array())
      items.insert(items.end(), value.as_array().begin(), value.as_array().end());
    else
      items.push_back(value);
  };
  if (old) add(*old);
  add(next);
  return Value::array(std::move(items));
}

Value merge(const Value& old, const Value& next) {
  Value::Object members = old.as_object();
  for (const auto& [key, value] : next.as_object()) {
    bool found = false;
    for (auto& member : members) {
      if (member.first != key) continue;
      member.second = member.second.is_object() && value.is_object() ? merge(member.second, value) : value;
      found = true;
      break;
    }
    if (!found) members.emplace_back(key, value);
  }
  return Value::object(std::move(members));
}

Value sum(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) {
    std::int64_t total = 0;
    if (!__builtin_add_overflow(a.as_integer(), b.as_integer(), &total)) return Value(total);
  }
  return Value(a.as_number() + b.as_number());
}

}  // namespace

std::optional<Reducer> reducer_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Reducer>(i);
  return std::nullopt;
}

std::string_view reducer_name(Reducer reducer) {
  return kNames[static_cast<std::size_t>(reducer)];
}

Result<Value> reduce(Reducer reducer, const Value* old, const Value& next) {
  const bool empty = !old || old->is_null();
  switch (reducer) {
    case Reducer::kReplace:
      return next;
    case Reducer::kAppend:
      return append(empty ? nullptr : old, next);
    case Reducer::kMerge:
      if (!next.is_object() || (!empty && !old->is_object()))
        return fail(ErrorKind::kInvalid, "reducer merge takes objects");
      return empty ? next : merge(*old, next);
    case Reducer::kSum:
      if (!next.is_number() || (!empty && !old->is_number()))
        return fail(ErrorKind::kInvalid, "reducer sum takes numbers");
      return empty ? next : sum(*old, next);
    case Reducer::kMax:
      if (empty) return next;
      return Value::compare(*old, next) < 0 ? next : *old;
  }
  return next;
}

Result<Value> apply_exports(const Reducers& reducers, const Value& state, const Value& exports) {
  Value next = state.is_object() ? state : Value::object();
  for (const auto& [key, value] : exports.as_object()) {
    auto declared = reducers.find(key);
    const Reducer reducer = declared == reducers.end() ? Reducer::kReplace : declared->second;
    Result<Value> reduced = reduce(reducer, next.find(key), value);
    if (!reduced) return fail(ErrorKind::kInvalid, "state key '" + key + "': " + reduced.error().what);
    next = next.with(key, std::move(*reduced));
  }
  return next;
}

}  // namespace consort::workflow
