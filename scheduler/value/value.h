// Value: the data of workflows. Immutable, reference-counted, keys in their own order. Built from JSON and
// written as JSON at the edge (scheduler/value/json.cpp; no JSON library in a header); expressions and tasks
// see only this type. 16 bytes; copying costs at most one reference count; any thread may read, and copies of
// one Value may be dropped by different threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/base/status.h"

namespace consort {

class Value {
 public:
  enum class Type : std::uint8_t { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;  // insertion order; keys are unique

  Value() noexcept {}  // null
  Value(std::nullptr_t) noexcept {}
  Value(bool b) noexcept : type_(Type::kBool) { integer_ = b ? 1 : 0; }
  Value(int i) noexcept : Value(static_cast<std::int64_t>(i)) {}
  Value(unsigned i) noexcept : Value(static_cast<std::int64_t>(i)) {}
  Value(long i) noexcept : type_(Type::kInteger) { integer_ = i; }  // std::int64_t
  Value(long long i) noexcept : Value(static_cast<std::int64_t>(i)) {}
  Value(unsigned long i) noexcept;  // std::uint64_t; above 2^63 - 1 becomes a number
  Value(unsigned long long i) noexcept : Value(static_cast<std::uint64_t>(i)) {}
  Value(double d) noexcept : type_(Type::kNumber) { number_ = d; }
  Value(const char* s) : Value(std::string(s)) {}
  Value(std::string s);
  Value(std::string_view s) : Value(std::string(s)) {}
  template <typename T>
  Value(T*) = delete;  // a pointer is not a boolean
  static Value array(Array items = {});
  static Value object(Object members = {});  // a later duplicate key replaces the earlier value in place

  Value(const Value& other) noexcept : type_(other.type_), integer_(other.integer_) { retain(); }
  Value(Value&& other) noexcept : type_(other.type_), integer_(other.integer_) { other.forget(); }
  Value& operator=(const Value& other) noexcept {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Value() { release(); }
  void swap(Value& other) noexcept {
    std::swap(type_, other.type_);
    std::swap(integer_, other.integer_);
  }

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::kNull; }
  bool is_bool() const { return type_ == Type::kBool; }
  bool is_integer() const { return type_ == Type::kInteger; }
  bool is_number() const { return type_ == Type::kInteger || type_ == Type::kNumber; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_object() const { return type_ == Type::kObject; }

  // REQUIRES: the type matches (an integer reads as a number too). A mismatch is a programmer's error: it is
  // asserted in debug builds and reads as false, 0, "", [] or {} in release builds, never as foreign memory.
  bool as_bool() const;
  std::int64_t as_integer() const;
  double as_number() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;

  std::size_t size() const;                       // items, members, or bytes of a string; 0 otherwise
  const Value* find(std::string_view key) const;  // nullptr when absent or not an object
  Value get(std::string_view key) const;          // null when absent
  // A copy of this object with one member set (added at the end when new). REQUIRES: object or null.
  Value with(std::string_view key, Value v) const;
  // The items or members for changing: moved out when this is the only reference, otherwise copied. Leaves
  // null.
  Array take_array() &&;
  Object take_object() &&;
  // Adds items at the end: in place when this is the only reference (amortised O(items)), otherwise on a copy.
  // REQUIRES: array.
  void append(const Array& items);

  // Bytes this value holds as a tree (shared parts count once per mention; saturates), kept at construction;
  // for limits.valueBytes and budgets. O(1).
  std::size_t approximate_bytes() const;
  // Nesting: 0 for scalars, 1 for [] and {}, and so on. O(1).
  std::uint32_t depth() const;

  // Same data. Numbers compare by value (1 == 1.0, exactly, also above 2^53), objects regardless of key order
  // (as jq does).
  bool operator==(const Value& other) const;
  // jq's total order: null < false < true < numbers < strings < arrays < objects. Strings by bytes (= code
  // points), objects first by their sorted keys, then by values in key order. NaN is below every number.
  static int compare(const Value& a, const Value& b);

 private:
  struct Node {
    mutable std::atomic<std::uint32_t> references{1};
    std::uint32_t depth = 0;
    std::uint64_t bytes = 0;
  };
  struct StringNode;
  struct ArrayNode;
  struct ObjectNode;

  bool shared() const { return type_ >= Type::kString; }
  void retain() const noexcept {
    if (shared()) node_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept {
    if (shared() && node_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(type_, node_);
  }
  void forget() noexcept {
    type_ = Type::kNull;
    integer_ = 0;
  }
  static void destroy(Type type, const Node* node) noexcept;
  static void delete_node(Type type, const Node* node) noexcept;

  Type type_ = Type::kNull;
  union {
    std::int64_t integer_ = 0;  // also the boolean
    double number_;
    const Node* node_;
  };
  static_assert(sizeof(double) == sizeof(std::int64_t) && sizeof(void*) == sizeof(std::int64_t));
};

std::string_view type_name(Value::Type type);  // "null", "boolean", "number", "string", "array", "object"

// JSON text. parse: strict RFC 8259; duplicate keys, trailing text, nesting above kMaxJsonDepth, broken
// UTF-8, unpaired surrogates and numbers beyond a double's range are errors (kInvalid) whose `where` is
// "<where>, line L, column C" (column in characters). Numbers without '.', 'e' that fit 64 bits are integers
// ("-0" is the number -0.0), the rest doubles.
// write: compact, keys in their own order; floats print as the shortest text that reads back exactly, with
// ".0" when whole so that they stay floats; non-finite numbers become null.
inline constexpr int kMaxJsonDepth = 200;
Result<Value> parse_json(std::string_view text, std::string_view where = {});
std::string write_json(const Value& v);
std::string write_json_pretty(const Value& v);  // two spaces, no line end after the last brace
void append_json(std::string& out, const Value& v);
void append_json_string(std::string& out, std::string_view text);  // quoted and escaped; text is UTF-8
void append_json_number(std::string& out, double number);

}  // namespace consort
