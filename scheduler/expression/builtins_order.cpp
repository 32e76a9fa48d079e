// Functions that rest on the order of values: sort, group, unique, min, max and their `_by` forms, whose
// argument is the array of keys that the parser built with map([f]).
#include <algorithm>
#include <numeric>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"

namespace consort::jq {
namespace {

bool want_array(Evaluation& e, const Node& node, const Value& in, std::string_view what) {
  if (in.is_array()) return true;
  return e.raise(node, describe(in) + " cannot be " + std::string(what) + ", as it is not an array");
}

using Order = std::vector<std::size_t>;

// Item numbers in the order of their keys; equal keys stay as they stood.
Order ordered(const Value::Array& keys) {
  Order order(keys.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return Value::compare(keys[a], keys[b]) < 0; });
  return order;
}

bool sorted(Evaluation& e, const Node& node, const Value& in, const Value& keys, Value& out) {
  if (!want_array(e, node, in, "sorted") || !e.charge_sort(node, keys)) return false;
  Value::Array made;
  for (const std::size_t i : ordered(keys.as_array())) made.push_back(in.as_array()[i]);
  out = Value::array(std::move(made));
  return e.admit(node, out);
}

bool grouped(Evaluation& e, const Node& node, const Value& in, const Value& keys, bool first_only,
             Value& out) {
  if (!want_array(e, node, in, "grouped") || !e.charge_sort(node, keys)) return false;
  const auto& items = in.as_array();
  const auto& by = keys.as_array();
  std::vector<Value::Array> groups;
  std::size_t leader = 0;
  for (const std::size_t i : ordered(by)) {
    if (groups.empty() || Value::compare(by[leader], by[i]) != 0) {
      groups.emplace_back();
      leader = i;
    }
    if (!first_only || groups.back().empty()) groups.back().push_back(items[i]);
  }
  Value::Array made;
  for (auto& group : groups) made.push_back(first_only ? group[0] : Value::array(std::move(group)));
  if (!e.charge_bytes(node, 96 * made.size() + 16 * items.size())) return false;
  out = Value::array(std::move(made));
  return e.admit(node, out);
}

// The first of the least, the last of the greatest (as jq does); null when there is none.
bool extreme(Evaluation& e, const Node& node, const Value& in, const Value& keys, bool least, Value& out) {
  if (!in.is_array())
    return e.raise(node, describe(in) + " and " + describe(in) + " cannot be iterated over");
  if (!e.charge_walk(node, keys)) return false;
  const auto& items = in.as_array();
  const auto& by = keys.as_array();
  std::size_t best = 0;
  for (std::size_t i = 1; i < items.size(); ++i) {
    if ((Value::compare(by[i], by[best]) < 0) == least) best = i;
  }
  out = items.empty() ? Value() : items[best];
  return true;
}

bool sort(Evaluation& e, const Node& n, const Value& in, const Value*, Value& out) {
  return sorted(e, n, in, in, out);
}
bool sort_by(Evaluation& e, const Node& n, const Value& in, const Value* a, Value& out) {
  return sorted(e, n, in, a[0], out);
}
bool group_by(Evaluation& e, const Node& n, const Value& in, const Value* a, Value& out) {
  return grouped(e, n, in, a[0], false, out);
}
bool unique(Evaluation& e, const Node& n, const Value& in, const Value*, Value& out) {
  return grouped(e, n, in, in, true, out);
}
bool unique_by(Evaluation& e, const Node& n, const Value& in, const Value* a, Value& out) {
  return grouped(e, n, in, a[0], true, out);
}
bool min(Evaluation& e, const Node& n, const Value& in, const Value*, Value& out) {
  return extreme(e, n, in, in, true, out);
}
bool max(Evaluation& e, const Node& n, const Value& in, const Value*, Value& out) {
  return extreme(e, n, in, in, false, out);
}
bool min_by(Evaluation& e, const Node& n, const Value& in, const Value* a, Value& out) {
  return extreme(e, n, in, a[0], true, out);
}
bool max_by(Evaluation& e, const Node& n, const Value& in, const Value* a, Value& out) {
  return extreme(e, n, in, a[0], false, out);
}

constexpr Builtin kBuiltins[] = {
    {"sort", 0, sort},     {"sort_by", 1, sort_by},     {"group_by", 1, group_by},
    {"unique", 0, unique}, {"unique_by", 1, unique_by}, {"min", 0, min},
    {"max", 0, max},       {"min_by", 1, min_by},       {"max_by", 1, max_by}};

}  // namespace

std::span<const Builtin> order_builtins() {
  return kBuiltins;
}

}  // namespace consort::jq
