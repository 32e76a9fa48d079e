// Value: the data of workflows. Immutable, reference-counted, keys in their own order. Built from JSON and
// written as JSON at the edge (protocols/json); expressions and tasks see only this type. Copying is cheap
// (one reference count); any thread may read.
#pragma once

#include <cstdint>
#include <memory>
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

  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool b);
  Value(int i) : Value(static_cast<std::int64_t>(i)) {}
  Value(std::int64_t i);
  Value(std::uint64_t i);  // above 2^63 - 1 becomes a number
  Value(double d);
  Value(const char* s) : Value(std::string(s)) {}
  Value(std::string s);
  Value(std::string_view s) : Value(std::string(s)) {}
  static Value array(Array items = {});
  static Value object(Object members = {});  // a later duplicate key replaces the earlier value in place

  Type type() const { return type_; }
  bool is_null() const { return type_ == Type::kNull; }
  bool is_bool() const { return type_ == Type::kBool; }
  bool is_integer() const { return type_ == Type::kInteger; }
  bool is_number() const { return type_ == Type::kInteger || type_ == Type::kNumber; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_object() const { return type_ == Type::kObject; }

  // REQUIRES: the type matches (an integer reads as a number too).
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

  // Bytes this value holds, roughly; for limits.valueBytes and budgets.
  std::size_t approximate_bytes() const;

  // Same data. Numbers compare by value (1 == 1.0), objects regardless of key order (as jq does).
  bool operator==(const Value& other) const;
  // jq's total order: null < false < true < numbers < strings < arrays < objects.
  static int compare(const Value& a, const Value& b);

 private:
  struct Node;
  Type type_ = Type::kNull;
  union {
    bool bool_;
    std::int64_t integer_ = 0;
    double number_;
  };
  std::shared_ptr<const Node> node_;
};

// JSON text without a JSON library in the header. parse: duplicate keys, trailing text, depth above 200 and
// broken UTF-8 are errors that name line and column. write: compact, keys in their own order, floats print so
// that they read back exactly, non-finite numbers become null.
Result<Value> parse_json(std::string_view text, std::string_view where = {});
std::string write_json(const Value& v);
std::string write_json_pretty(const Value& v);

}  // namespace consort
