#include "scheduler/value/value.h"

#include <cassert>
#include <numeric>

#include "scheduler/value/value_nodes.h"

namespace consort {
namespace {

constexpr std::uint64_t kScalarBytes = sizeof(Value);
constexpr std::uint64_t kNodeBytes = 64;  // a node with its allocation, roughly
// Values nested deeper than this are taken apart by a work list instead of recursion.
constexpr std::uint32_t kRecursiveDestroyDepth = 512;

const std::string kNoText;
const Value::Array kNoItems;
const Value::Object kNoMembers;

std::vector<std::uint32_t> sorted_index(const Value::Object& members) {
  std::vector<std::uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return members[a].first < members[b].first; });
  return order;
}

// Keeps the first place and the last value of every key.
void drop_duplicates_small(Value::Object& members) {
  for (std::size_t i = 1; i < members.size();) {
    std::size_t j = 0;
    while (j < i && members[j].first != members[i].first) ++j;
    if (j < i) {
      members[j].second = std::move(members[i].second);
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

void drop_duplicates_large(Value::Object& members, std::vector<std::uint32_t>& order) {
  bool found = false;
  std::vector<bool> drop(members.size(), false);
  for (std::size_t i = 0; i < order.size();) {
    std::size_t last = i;
    while (last + 1 < order.size() && members[order[last + 1]].first == members[order[i]].first) ++last;
    if (last > i) {
      found = true;
      members[order[i]].second = std::move(members[order[last]].second);
      for (std::size_t k = i + 1; k <= last; ++k) drop[order[k]] = true;
    }
    i = last + 1;
  }
  if (!found) return;
  Value::Object kept;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!drop[i]) kept.push_back(std::move(members[i]));
  }
  members = std::move(kept);
  order = sorted_index(members);
}

}  // namespace

Value::Value(unsigned long i) noexcept {
  if (i <= static_cast<unsigned long>(std::numeric_limits<std::int64_t>::max())) {
    type_ = Type::kInteger;
    integer_ = static_cast<std::int64_t>(i);
  } else {
    type_ = Type::kNumber;
    number_ = static_cast<double>(i);
  }
}

Value::Value(std::string s) {
  auto* node = new StringNode;
  node->bytes = kScalarBytes + kNodeBytes + s.size();
  node->text = std::move(s);
  type_ = Type::kString;
  node_ = node;
}

Value Value::array(Array items) {
  auto* node = new ArrayNode;
  std::uint64_t bytes = kScalarBytes + kNodeBytes;
  std::uint32_t depth = 0;
  for (const Value& item : items) {
    bytes = saturating_add(bytes, item.approximate_bytes());
    depth = std::max(depth, item.depth());
  }
  node->bytes = bytes;
  node->depth = depth + 1;
  node->items = std::move(items);
  Value v;
  v.type_ = Type::kArray;
  v.node_ = node;
  return v;
}

Value Value::object(Object members) {
  std::vector<std::uint32_t> sorted;
  if (members.size() > kIndexAbove) {
    sorted = sorted_index(members);
    drop_duplicates_large(members, sorted);
    if (members.size() <= kIndexAbove) sorted.clear();
  } else {
    drop_duplicates_small(members);
  }
  auto* node = new ObjectNode;
  std::uint64_t bytes = kScalarBytes + kNodeBytes;
  std::uint32_t depth = 0;
  for (const Member& member : members) {
    bytes =
        saturating_add(bytes, sizeof(std::string) + member.first.size() + member.second.approximate_bytes());
    depth = std::max(depth, member.second.depth());
  }
  node->bytes = bytes;
  node->depth = depth + 1;
  node->members = std::move(members);
  node->sorted = std::move(sorted);
  Value v;
  v.type_ = Type::kObject;
  v.node_ = node;
  return v;
}

void Value::delete_node(Type type, const Node* node) noexcept {
  switch (type) {
    case Type::kString:
      delete static_cast<const StringNode*>(node);
      break;
    case Type::kArray:
      delete static_cast<const ArrayNode*>(node);
      break;
    case Type::kObject:
      delete static_cast<const ObjectNode*>(node);
      break;
    default:
      break;
  }
}

void Value::destroy(Type type, const Node* node) noexcept {
  if (node->depth <= kRecursiveDestroyDepth) return delete_node(type, node);
  // Nobody else can see these nodes any more, so their children may be moved out.
  Array pending;
  const auto strip = [&pending](Type t, const Node* n) {
    if (t == Type::kArray) {
      for (Value& item : const_cast<ArrayNode*>(static_cast<const ArrayNode*>(n))->items) {
        pending.push_back(std::move(item));
      }
    } else if (t == Type::kObject) {
      for (Member& member : const_cast<ObjectNode*>(static_cast<const ObjectNode*>(n))->members) {
        pending.push_back(std::move(member.second));
      }
    }
    delete_node(t, n);
  };
  strip(type, node);
  while (!pending.empty()) {
    Value v = std::move(pending.back());
    pending.pop_back();
    if (v.shared() && v.node_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
      strip(v.type_, v.node_);
    v.forget();
  }
}

bool Value::as_bool() const {
  assert(is_bool());
  return is_bool() && integer_ != 0;
}

std::int64_t Value::as_integer() const {
  assert(is_integer());
  return is_integer() ? integer_ : 0;
}

double Value::as_number() const {
  assert(is_number());
  if (type_ == Type::kNumber) return number_;
  return is_integer() ? static_cast<double>(integer_) : 0.0;
}

const std::string& Value::as_string() const {
  assert(is_string());
  return is_string() ? static_cast<const StringNode*>(node_)->text : kNoText;
}

const Value::Array& Value::as_array() const {
  assert(is_array());
  return is_array() ? static_cast<const ArrayNode*>(node_)->items : kNoItems;
}

const Value::Object& Value::as_object() const {
  assert(is_object());
  return is_object() ? static_cast<const ObjectNode*>(node_)->members : kNoMembers;
}

std::size_t Value::size() const {
  switch (type_) {
    case Type::kString:
      return as_string().size();
    case Type::kArray:
      return as_array().size();
    case Type::kObject:
      return as_object().size();
    default:
      return 0;
  }
}

const Value* Value::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const auto* node = static_cast<const ObjectNode*>(node_);
  if (node->sorted.empty()) {
    for (const Member& member : node->members) {
      if (member.first == key) return &member.second;
    }
    return nullptr;
  }
  const auto at =
      std::lower_bound(node->sorted.begin(), node->sorted.end(), key,
                       [&](std::uint32_t m, std::string_view k) { return node->members[m].first < k; });
  if (at == node->sorted.end() || node->members[*at].first != key) return nullptr;
  return &node->members[*at].second;
}

Value Value::get(std::string_view key) const {
  const Value* found = find(key);
  return found ? *found : Value();
}

Value Value::with(std::string_view key, Value v) const {
  assert(is_object() || is_null());
  Object members;
  members.reserve(size() + 1);
  if (is_object()) members = as_object();
  bool found = false;
  for (Member& member : members) {
    if (member.first == key) {
      member.second = std::move(v);
      found = true;
      break;
    }
  }
  if (!found) members.emplace_back(std::string(key), std::move(v));
  return object(std::move(members));
}

Value::Array Value::take_array() && {
  assert(is_array());
  Array items;
  if (!is_array()) return items;
  auto* node = const_cast<ArrayNode*>(static_cast<const ArrayNode*>(node_));
  if (node->references.load(std::memory_order_acquire) == 1) {
    items = std::move(node->items);
  } else {
    items = node->items;
  }
  Value().swap(*this);
  return items;
}

Value::Object Value::take_object() && {
  assert(is_object());
  Object members;
  if (!is_object()) return members;
  auto* node = const_cast<ObjectNode*>(static_cast<const ObjectNode*>(node_));
  if (node->references.load(std::memory_order_acquire) == 1) {
    members = std::move(node->members);
  } else {
    members = node->members;
  }
  Value().swap(*this);
  return members;
}

void Value::append(const Array& items) {
  assert(is_array());
  if (!is_array()) return;
  auto* node = const_cast<ArrayNode*>(static_cast<const ArrayNode*>(node_));
  if (node->references.load(std::memory_order_acquire) != 1 || &items == &node->items) {
    Array all = as_array();
    all.insert(all.end(), items.begin(), items.end());
    *this = array(std::move(all));
    return;
  }
  for (const Value& item : items) {
    node->bytes = saturating_add(node->bytes, item.approximate_bytes());
    node->depth = std::max(node->depth, item.depth() + 1);
    node->items.push_back(item);
  }
}

std::size_t Value::approximate_bytes() const {
  return shared() ? node_->bytes : kScalarBytes;
}

std::uint32_t Value::depth() const {
  return shared() ? node_->depth : 0;
}

std::string_view type_name(Value::Type type) {
  switch (type) {
    case Value::Type::kNull:
      return "null";
    case Value::Type::kBool:
      return "boolean";
    case Value::Type::kInteger:
    case Value::Type::kNumber:
      return "number";
    case Value::Type::kString:
      return "string";
    case Value::Type::kArray:
      return "array";
    case Value::Type::kObject:
      return "object";
  }
  return "null";
}

}  // namespace consort
