// Arithmetic, indexing and slicing with jq's meaning and jq's messages.
#include <algorithm>
#include <cmath>
#include <limits>

#include "scheduler/expression/builtins.h"
#include "scheduler/expression/evaluation.h"
#include "scheduler/value/utf8.h"

namespace consort::jq {
namespace {

constexpr double kTwo63 = 9223372036854775808.0;
constexpr double kExact = 9007199254740992.0;  // 2^53: integers below are exact in a double

std::int64_t truncated(double d) {
  if (std::isnan(d)) return 0;
  if (d >= kTwo63) return std::numeric_limits<std::int64_t>::max();
  if (d < -kTwo63) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(d);
}

std::int64_t whole(const Value& v) {
  return v.is_integer() ? v.as_integer() : truncated(v.as_number());
}

Value number_arithmetic(Op op, const Value& left, const Value& right) {
  if (left.is_integer() && right.is_integer()) {
    const std::int64_t a = left.as_integer(), b = right.as_integer();
    std::int64_t c = 0;
    switch (op) {
      case Op::kAdd:
        if (!__builtin_add_overflow(a, b, &c)) return Value(c);
        break;
      case Op::kSubtract:
        if (!__builtin_sub_overflow(a, b, &c)) return Value(c);
        break;
      case Op::kMultiply:
        if (!__builtin_mul_overflow(a, b, &c)) return Value(c);
        break;
      default:  // division; INT64_MIN / -1 does not fit
        if (b != -1 && a % b == 0) return Value(a / b);
        if (b == -1 && !__builtin_sub_overflow(std::int64_t{0}, a, &c)) return Value(c);
    }
  }
  const double x = left.as_number(), y = right.as_number();
  switch (op) {
    case Op::kAdd:
      return number_result(x + y);
    case Op::kSubtract:
      return number_result(x - y);
    case Op::kMultiply:
      return number_result(x * y);
    default:
      return number_result(x / y);
  }
}

std::string_view verb(Op op) {
  switch (op) {
    case Op::kAdd:
      return "added";
    case Op::kSubtract:
      return "subtracted";
    case Op::kMultiply:
      return "multiplied";
    default:
      return "divided";
  }
}

bool merge_deep(Evaluation& evaluation, const Node& node, const Value& left, const Value& right, Value& out) {
  if (!evaluation.charge(node, 1 + left.size() + right.size())) return false;
  Value::Object members = left.as_object();
  Value::Object added;
  std::vector<std::pair<std::string_view, std::size_t>> places;
  for (std::size_t i = 0; i < members.size(); ++i) places.emplace_back(members[i].first, i);
  std::sort(places.begin(), places.end());
  for (const auto& [key, value] : right.as_object()) {
    const auto at =
        std::lower_bound(places.begin(), places.end(), std::pair<std::string_view, std::size_t>(key, 0));
    if (at == places.end() || at->first != key) {
      added.emplace_back(key, value);
    } else if (Value& place = members[at->second].second; place.is_object() && value.is_object()) {
      Value merged;
      if (!merge_deep(evaluation, node, place, value, merged)) return false;
      place = std::move(merged);
    } else {
      place = value;
    }
  }
  for (auto& member : added) members.push_back(std::move(member));
  out = Value::object(std::move(members));
  return evaluation.admit(node, out);
}

bool repeat(Evaluation& evaluation, const Node& node, const Value& text, const Value& times, Value& out) {
  const std::int64_t more = truncated(times.as_number() - 1);
  if (more < 0 || std::isnan(times.as_number()) || times.as_number() <= 0) {
    out = Value();
    return true;
  }
  const std::string& s = text.as_string();
  const auto count = static_cast<std::uint64_t>(more) + 1;
  if (!s.empty() && count > evaluation.bytes_left() / s.size()) {
    return evaluation.charge_bytes(node, evaluation.bytes_left() + 1);
  }
  if (!evaluation.charge_bytes(node, count * s.size())) return false;
  std::string made;
  if (!s.empty()) {
    made.reserve(count * s.size());
    for (std::uint64_t i = 0; i < count; ++i) made += s;
  }
  out = Value(std::move(made));
  return true;
}

bool add(Evaluation& evaluation, const Node& node, const Value& left, const Value& right, Value& out) {
  if (left.is_string()) {
    if (!evaluation.charge_bytes(node, left.size() + right.size())) return false;
    out = Value(left.as_string() + right.as_string());
    return true;
  }
  if (left.is_array()) {
    if (!evaluation.charge(node, (left.size() + right.size()) / 16)) return false;
    Value::Array items;
    items.reserve(left.size() + right.size());
    items = left.as_array();
    items.insert(items.end(), right.as_array().begin(), right.as_array().end());
    out = Value::array(std::move(items));
    return evaluation.admit(node, out);
  }
  if (!evaluation.charge(node, (left.size() + right.size()) / 8)) return false;
  Value::Object members;
  members.reserve(left.size() + right.size());
  members = left.as_object();
  members.insert(members.end(), right.as_object().begin(), right.as_object().end());
  out = Value::object(std::move(members));
  return evaluation.admit(node, out);
}

bool subtract_arrays(Evaluation& evaluation, const Node& node, const Value& left, const Value& right,
                     Value& out) {
  const std::uint64_t pairs = left.size() * right.size();
  const std::uint64_t larger = std::max(left.approximate_bytes(), right.approximate_bytes());
  if (!evaluation.charge(node, 1 + pairs + larger / 64)) return false;
  Value::Array kept;
  for (const Value& item : left.as_array()) {
    const auto& gone = right.as_array();
    if (std::none_of(gone.begin(), gone.end(), [&](const Value& v) { return v == item; }))
      kept.push_back(item);
  }
  out = Value::array(std::move(kept));
  return evaluation.admit(node, out);
}

bool modulo(Evaluation& evaluation, const Node& node, const Value& left, const Value& right, Value& out) {
  if (!left.is_number() || !right.is_number()) {
    return evaluation.raise(node,
                            describe(left) + " and " + describe(right) + " cannot be divided (remainder)");
  }
  const std::int64_t a = whole(left), b = whole(right);
  if (b == 0) {
    return evaluation.raise(node, describe(left) + " and " + describe(right) +
                                      " cannot be divided (remainder) because the divisor is zero");
  }
  out = Value(b == -1 ? std::int64_t{0} : a % b);
  return true;
}

}  // namespace

Value number_result(double d) {
  if (d == std::trunc(d) && std::fabs(d) < kExact) return Value(static_cast<std::int64_t>(d));
  return Value(d);
}

std::string describe(const Value& v) {
  constexpr std::size_t kShown = 11;
  std::string dump;
  if (v.approximate_bytes() > 64 * 1024) {  // only its first characters are wanted
    dump = v.is_string() ? "\"" + v.as_string().substr(0, 64) : std::string(v.is_array() ? "[" : "{") + "...";
  } else {
    append_jq_json(dump, v);
  }
  if (dump.size() > kShown + 3) {
    std::size_t cut = kShown;
    while (cut > 0 && (static_cast<unsigned char>(dump[cut]) & 0xC0) == 0x80) --cut;
    dump = dump.substr(0, cut) + "...";
  }
  return std::string(type_name(v.type())) + " (" + dump + ")";
}

bool arithmetic(Evaluation& evaluation, const Node& node, Op op, const Value& left, const Value& right,
                Value& out) {
  if (op == Op::kModulo) return modulo(evaluation, node, left, right, out);
  if (left.is_number() && right.is_number()) {
    if (op == Op::kDivide && right.as_number() == 0) {
      return evaluation.raise(node, describe(left) + " and " + describe(right) +
                                        " cannot be divided because the divisor is zero");
    }
    out = number_arithmetic(op, left, right);
    return true;
  }
  const bool strings = left.is_string() && right.is_string();
  const bool arrays = left.is_array() && right.is_array();
  const bool objects = left.is_object() && right.is_object();
  if (op == Op::kAdd) {
    if (left.is_null()) return out = right, true;
    if (right.is_null()) return out = left, true;
    if (strings || arrays || objects) return add(evaluation, node, left, right, out);
  } else if (op == Op::kSubtract && arrays) {
    return subtract_arrays(evaluation, node, left, right, out);
  } else if (op == Op::kMultiply) {
    if (left.is_string() && right.is_number()) return repeat(evaluation, node, left, right, out);
    if (left.is_number() && right.is_string()) return repeat(evaluation, node, right, left, out);
    if (objects) return merge_deep(evaluation, node, left, right, out);
  } else if (op == Op::kDivide && strings) {
    return split_text(evaluation, node, left.as_string(), right.as_string(), out);
  }
  return evaluation.raise(node,
                          describe(left) + " and " + describe(right) + " cannot be " + std::string(verb(op)));
}

Value array_indices(const Value::Array& items, const Value::Array& part) {
  Value::Array places;
  for (std::size_t i = 0; !part.empty() && i + part.size() <= items.size(); ++i) {
    if (std::equal(part.begin(), part.end(), items.begin() + static_cast<std::ptrdiff_t>(i))) {
      places.emplace_back(static_cast<std::int64_t>(i));
    }
  }
  return places.empty() && part.empty() ? Value() : Value::array(std::move(places));
}

bool index_value(Evaluation& evaluation, const Node& node, const Value& target, const Value& key,
                 Value& out) {
  if (target.is_object() && key.is_string()) {
    out = target.get(key.as_string());
    return true;
  }
  if (target.is_array() && key.is_number()) {
    const auto size = static_cast<double>(target.size());
    double at = key.as_number();
    if (at < 0) at += size;
    const bool inside = at >= 0 && at < size && at == std::floor(at);  // no item lies between two (jq 1.6)
    out = inside ? Value(target.as_array()[static_cast<std::size_t>(at)]) : Value();
    return true;
  }
  if (target.is_array() && key.is_array()) {
    const std::uint64_t tries = target.size() * std::max<std::size_t>(1, key.size());
    if (!evaluation.charge(node, tries + target.approximate_bytes() / 64)) return false;
    out = array_indices(target.as_array(), key.as_array());
    return evaluation.admit(node, out);
  }
  if (target.is_null() && (key.is_string() || key.is_number() || key.is_object())) {
    out = Value();
    return true;
  }
  std::string message = "Cannot index " + std::string(type_name(target.type())) + " with ";
  if (key.is_string()) {
    message += "string \"" + key.as_string().substr(0, 200) + "\"";
  } else {
    message += type_name(key.type());
  }
  return evaluation.raise(node, std::move(message));
}

bool slice_bounds(const Value& from, const Value& to, std::size_t size, std::size_t& first,
                  std::size_t& last) {
  if (!(from.is_null() || from.is_number()) || !(to.is_null() || to.is_number())) return false;
  const auto length = static_cast<double>(size);
  double begin = from.is_null() ? 0 : from.as_number(), end = to.is_null() ? length : to.as_number();
  if (begin < 0) begin += length;
  if (end < 0) end += length;
  if (!(begin > 0)) begin = 0;  // also NaN
  if (!(end > 0)) end = 0;
  begin = std::min(begin, length);
  end = std::min(std::max(end, begin), length);
  first = static_cast<std::size_t>(begin);
  last = static_cast<std::size_t>(std::ceil(end));  // up to 1.5 includes item 1
  return true;
}

bool slice_value(Evaluation& evaluation, const Node& node, const Value& target, const Value& from,
                 const Value& to, Value& out) {
  if (target.is_null()) return out = Value(), true;
  if (!target.is_array() && !target.is_string()) {
    return evaluation.raise(node, "Cannot index " + std::string(type_name(target.type())) + " with object");
  }
  if (target.is_string() && !evaluation.charge(node, target.size() / 16)) return false;
  const std::size_t size = target.is_string() ? utf8::length(target.as_string()) : target.size();
  std::size_t first = 0, last = 0;
  if (!slice_bounds(from, to, size, first, last)) {
    return evaluation.raise(node, "Start and end indices of an array slice must be numbers");
  }
  if (target.is_string()) {
    const std::string& s = target.as_string();
    const std::size_t begin = utf8::offset_of(s, first);
    const std::size_t length = utf8::offset_of(std::string_view(s).substr(begin), last - first);
    if (!evaluation.charge_bytes(node, length)) return false;
    out = Value(s.substr(begin, length));
    return true;
  }
  const auto& items = target.as_array();
  out = Value::array(Value::Array(items.begin() + static_cast<std::ptrdiff_t>(first),
                                  items.begin() + static_cast<std::ptrdiff_t>(last)));
  return evaluation.admit(node, out);
}

}  // namespace consort::jq
