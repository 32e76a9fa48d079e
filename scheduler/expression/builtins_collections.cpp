// Functions over arrays and objects.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"
#include "scheduler/value/utf8.h"

namespace consort::jq {
namespace {

bool keys(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  Value::Array made;
  if (in.is_object()) {
    if (!e.charge_sort(node, in)) return false;
    for (const auto& member : in.as_object()) made.emplace_back(member.first);
    std::sort(made.begin(), made.end(),
              [](const Value& a, const Value& b) { return a.as_string() < b.as_string(); });
  } else if (in.is_array()) {
    if (!e.charge(node, in.size())) return false;
    for (std::size_t i = 0; i < in.size(); ++i) made.emplace_back(static_cast<std::int64_t>(i));
  } else {
    return e.raise(node, describe(in) + " has no keys");
  }
  out = Value::array(std::move(made));
  return e.admit(node, out);
}

bool has_key(Evaluation& e, const Node& node, const Value& in, const Value& key, Value& out) {
  if (in.is_object() && key.is_string()) {
    out = Value(in.find(key.as_string()) != nullptr);
  } else if (in.is_array() && key.is_number()) {
    const double at = std::floor(key.as_number());
    out = Value(at >= 0 && at < static_cast<double>(in.size()));
  } else {
    return e.raise(node, "Cannot check whether " + std::string(type_name(in.type())) + " has a " +
                             std::string(type_name(key.type())) + " key");
  }
  return true;
}

bool has(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  return has_key(e, node, in, a[0], out);
}
bool in_object(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  return has_key(e, node, a[0], in, out);
}

bool contains_value(Evaluation& e, const Node& node, const Value& a, const Value& b, bool& found) {
  if (!e.charge(node, 1)) return false;
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, wanted] : b.as_object()) {
      const Value* here = a.find(key);
      found = here != nullptr;
      if (found && !contains_value(e, node, *here, wanted, found)) return false;
      if (!found) return true;
    }
    found = true;
  } else if (a.is_array() && b.is_array()) {
    for (const Value& wanted : b.as_array()) {
      found = false;
      for (const Value& item : a.as_array()) {
        if (!contains_value(e, node, item, wanted, found)) return false;
        if (found) break;
      }
      if (!found) return true;
    }
    found = true;
  } else if (a.is_string() && b.is_string()) {
    if (!e.charge(node, a.size() / 16)) return false;
    found = a.as_string().find(b.as_string()) != std::string::npos;
  } else {
    found = a == b;
  }
  return true;
}

bool contains_checked(Evaluation& e, const Node& node, const Value& a, const Value& b, Value& out) {
  const bool same = a.is_bool() ? b.is_bool() && a == b : type_name(a.type()) == type_name(b.type());
  if (!same)
    return e.raise(node, describe(a) + " and " + describe(b) + " cannot have their containment checked");
  bool found = false;
  if (!contains_value(e, node, a, b, found)) return false;
  out = Value(found);
  return true;
}

bool contains(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  return contains_checked(e, node, in, a[0], out);
}
bool inside(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  return contains_checked(e, node, a[0], in, out);
}

// The items to fold: of an array or the values of an object.
bool items_of(Evaluation& e, const Node& node, const Value& in, Value::Array& items) {
  if (in.is_array()) {
    items = in.as_array();
  } else if (in.is_object()) {
    for (const auto& member : in.as_object()) items.push_back(member.second);
  } else {
    return e.raise(node, "Cannot iterate over " + describe(in));
  }
  return e.charge(node, items.size());
}

template <bool (Value::*Is)() const>
bool all_are(const Value::Array& items) {
  return std::all_of(items.begin(), items.end(), [](const Value& v) { return (v.*Is)(); });
}

// Sums of one kind are made in one pass; mixed ones (nulls among them) step by step as jq does.
bool add(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  Value::Array items;
  if (!items_of(e, node, in, items)) return false;
  if (items.size() > 1 && all_are<&Value::is_string>(items)) {
    std::string text;
    for (const Value& item : items) text += item.as_string();
    out = Value(std::move(text));
    return e.charge_bytes(node, out.size());
  }
  if (items.size() > 1 && all_are<&Value::is_array>(items)) {
    if (!e.charge_bytes(node, in.approximate_bytes())) return false;
    Value::Array all;
    for (const Value& item : items) all.insert(all.end(), item.as_array().begin(), item.as_array().end());
    out = Value::array(std::move(all));
    return e.admit(node, out);
  }
  if (items.size() > 1 && all_are<&Value::is_object>(items)) {
    if (!e.charge_bytes(node, in.approximate_bytes())) return false;
    Value::Object all;
    for (const Value& item : items) all.insert(all.end(), item.as_object().begin(), item.as_object().end());
    out = Value::object(std::move(all));
    return e.admit(node, out);
  }
  Value sum;
  for (const Value& item : items) {
    Value next;
    if (!arithmetic(e, node, Op::kAdd, sum, item, next)) return false;
    sum = std::move(next);
  }
  out = std::move(sum);
  return true;
}

bool join(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  Value::Array items;
  if (!items_of(e, node, in, items)) return false;
  if (items.empty()) return out = Value(""), true;
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Value& item = items[i];
    if (i > 0 || items.size() > 1) {
      if (!a[0].is_string() && !(a[0].is_null())) {
        return e.raise(node, describe(Value(text)) + " and " + describe(a[0]) + " cannot be added");
      }
      if (i > 0 && a[0].is_string()) text += a[0].as_string();
    }
    if (item.is_string()) {
      text += item.as_string();
    } else if (item.is_bool() || item.is_number()) {
      append_jq_json(text, item);
    } else if (!item.is_null()) {
      return e.raise(node, describe(Value(text)) + " and " + describe(item) + " cannot be added");
    }
    if (!e.charge_bytes(node, 16 + (item.is_string() ? item.size() : 0) + a[0].size())) return false;
  }
  out = Value(std::move(text));
  return true;
}

bool flatten_into(Evaluation& e, const Node& node, const Value& in, double levels, Value::Array& made) {
  Value::Array items;
  if (!items_of(e, node, in, items)) return false;
  for (const Value& item : items) {
    if (item.is_array() && levels != 0) {
      if (!flatten_into(e, node, item, levels - 1, made)) return false;
    } else {
      if (!e.charge_bytes(node, sizeof(Value))) return false;
      made.push_back(item);
    }
  }
  return true;
}

bool flatten(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  if (!a[0].is_number()) return e.raise(node, "flatten depth must be a number");
  if (a[0].as_number() < 0) return e.raise(node, "flatten depth must not be negative");
  Value::Array made;
  if (!flatten_into(e, node, in, std::floor(a[0].as_number()), made)) return false;
  out = Value::array(std::move(made));
  return e.admit(node, out);
}

bool to_entries(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  Value::Array made;
  if (in.is_object()) {
    for (const auto& [key, value] : in.as_object())
      made.push_back(Value::object({{"key", key}, {"value", value}}));
  } else if (in.is_array()) {
    std::int64_t at = 0;
    for (const Value& item : in.as_array()) made.push_back(Value::object({{"key", at++}, {"value", item}}));
  } else {
    return e.raise(node, describe(in) + " has no keys");
  }
  if (!e.charge_bytes(node, made.size() * 160)) return false;
  out = Value::array(std::move(made));
  return e.admit(node, out);
}

bool from_entries(Evaluation& e, const Node& node, const Value& in, const Value*, Value& out) {
  Value::Array items;
  if (!items_of(e, node, in, items)) return false;
  Value::Object made;
  for (const Value& item : items) {
    if (!item.is_object()) {
      return e.raise(node, "Cannot index " + std::string(type_name(item.type())) + " with string \"key\"");
    }
    Value key;
    for (const char* name : {"key", "k", "name", "Name", "K", "Key"}) {
      key = item.get(name);
      if (truthy(key)) break;
    }
    if (!key.is_string()) return e.raise(node, "Cannot use " + describe(key) + " as object key");
    const Value* value = item.find("value");
    made.emplace_back(key.as_string(), value ? *value : item.get("Value"));
  }
  if (!e.charge_bytes(node, made.size() * 64)) return false;
  out = Value::object(std::move(made));
  return e.admit(node, out);
}

bool index(Evaluation& e, const Node& node, const Value& in, const Value* a, Value& out) {
  if (in.is_string() && a[0].is_string()) {
    const std::string& text = in.as_string();
    if (!e.charge(node, 1 + text.size() / 16)) return false;
    const std::size_t at = a[0].size() == 0 ? std::string::npos : text.find(a[0].as_string());
    out = at == std::string::npos
              ? Value()
              : Value(static_cast<std::int64_t>(utf8::length(std::string_view(text).substr(0, at))));
    return true;
  }
  const Value key = in.is_array() && !a[0].is_array() ? Value::array({a[0]}) : a[0];
  Value places;
  if (!index_value(e, node, in, key, places)) return false;
  return index_value(e, node, places, Value(0), out);
}

constexpr Builtin kBuiltins[] = {{"keys", 0, keys},
                                 {"has", 1, has},
                                 {"in", 1, in_object},
                                 {"contains", 1, contains},
                                 {"inside", 1, inside},
                                 {"add", 0, add},
                                 {"join", 1, join},
                                 {"flatten", 1, flatten},
                                 {"to_entries", 0, to_entries},
                                 {"from_entries", 0, from_entries},
                                 {"index", 1, index}};

}  // namespace

std::span<const Builtin> collection_builtins() {
  return kBuiltins;
}

}  // namespace consort::jq
