// The total order of values (jq manual, "sort"): equality and ordering that agree with each other.
#include <cmath>
#include <numeric>

#include "scheduler/value/value_nodes.h"

namespace consort {
namespace {

int rank_of(const Value& v) {
  switch (v.type()) {
    case Value::Type::kNull:
      return 0;
    case Value::Type::kBool:
      return v.as_bool() ? 2 : 1;
    case Value::Type::kInteger:
    case Value::Type::kNumber:
      return 3;
    case Value::Type::kString:
      return 4;
    case Value::Type::kArray:
      return 5;
    case Value::Type::kObject:
      return 6;
  }
  return 0;
}

template <typename T>
int three_way(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

// Exact: the double is never used to round the integer.
int compare_mixed(std::int64_t integer, double number) {
  if (std::isnan(number)) return 1;
  constexpr double kTwo63 = 9223372036854775808.0;
  if (number >= kTwo63) return -1;
  if (number < -kTwo63) return 1;
  const double whole = std::trunc(number);
  const auto truncated = static_cast<std::int64_t>(whole);
  if (integer != truncated) return integer < truncated ? -1 : 1;
  return three_way(0.0, number - whole);
}

int compare_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return three_way(a.as_integer(), b.as_integer());
  if (a.is_integer()) return compare_mixed(a.as_integer(), b.as_number());
  if (b.is_integer()) return -compare_mixed(b.as_integer(), a.as_number());
  const double x = a.as_number(), y = b.as_number();
  if (std::isnan(x)) return std::isnan(y) ? 0 : -1;
  if (std::isnan(y)) return 1;
  return three_way(x, y);
}

std::vector<const Value::Member*> by_key(const Value::Object& members) {
  std::vector<const Value::Member*> sorted;
  sorted.reserve(members.size());
  for (const Value::Member& member : members) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  return sorted;
}

int compare_objects(const Value::Object& a, const Value::Object& b) {
  const auto x = by_key(a), y = by_key(b);
  const std::size_t common = std::min(x.size(), y.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (const int c = x[i]->first.compare(y[i]->first); c != 0) return c < 0 ? -1 : 1;
  }
  if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
  for (std::size_t i = 0; i < common; ++i) {
    if (const int c = Value::compare(x[i]->second, y[i]->second); c != 0) return c;
  }
  return 0;
}

}  // namespace

int Value::compare(const Value& a, const Value& b) {
  const int ra = rank_of(a), rb = rank_of(b);
  if (ra != rb) return ra < rb ? -1 : 1;
  switch (ra) {
    case 3:
      return compare_numbers(a, b);
    case 4: {
      const int c = a.as_string().compare(b.as_string());
      return c < 0 ? -1 : (c > 0 ? 1 : 0);
    }
    case 5: {
      if (a.node_ == b.node_) return 0;
      const Array &x = a.as_array(), &y = b.as_array();
      for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
        if (const int c = compare(x[i], y[i]); c != 0) return c;
      }
      return three_way(x.size(), y.size());
    }
    case 6:
      return a.node_ == b.node_ ? 0 : compare_objects(a.as_object(), b.as_object());
    default:
      return 0;
  }
}

bool Value::operator==(const Value& other) const {
  if (is_object() && other.is_object()) {
    if (node_ == other.node_) return true;
    if (size() != other.size()) return false;
    for (const Member& member : as_object()) {
      const Value* match = other.find(member.first);
      if (!match || !(member.second == *match)) return false;
    }
    return true;
  }
  if (is_array() && other.is_array()) {
    if (node_ == other.node_) return true;
    const Array &x = as_array(), &y = other.as_array();
    return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin());
  }
  return compare(*this, other) == 0;
}

}  // namespace consort
