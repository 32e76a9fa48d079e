// The heap parts of Value; private to this room.
#pragma once

#include <algorithm>
#include <limits>

#include "scheduler/value/value.h"

namespace consort {

// Objects above this size keep a sorted index of their keys: look-ups by binary search, no hash to attack.
inline constexpr std::size_t kIndexAbove = 12;

struct Value::StringNode : Value::Node {
  std::string text;
};

struct Value::ArrayNode : Value::Node {
  Array items;
};

struct Value::ObjectNode : Value::Node {
  Object members;
  std::vector<std::uint32_t> sorted;  // member numbers by key; empty for small objects
};

inline std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max()
                                                           : a + b;
}

}  // namespace consort
