// Metadata of an item and filters over it: typed values without a JSON type, so that this room needs none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "memory/base/status.h"

namespace consort {

// null, bool, integer, number, text, list of texts.
using MetadataValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;
using Metadata = std::map<std::string, MetadataValue, std::less<>>;

inline constexpr std::size_t kMaxMetadataFields = 64;
inline constexpr std::size_t kMaxMetadataBytes = 64u << 10;  // names and values of one item together

// Errors: kInvalid (too many fields or bytes, an empty name, a name that begins with '@', a number that is
// not finite, text that is not UTF-8).
Status check_metadata(const Metadata& metadata);

// A condition on one item. Leaves compare a field; kAnd, kOr and kNot join children (kNot: none of them
// holds). Field names that begin with '@' are the item's own: @externalId, @source, @run, @task, @model
// (texts), @created,
// @updated (integers: microseconds since 1970, UTC).
//   integers and numbers compare by value, texts byte by byte; values of different types are never equal and
//   have no order (the comparison is false); a list equals an equal list, or a text that is in it; a missing
//   field is equal to null and satisfies nothing else.
struct Filter {
  enum class Op : std::uint8_t {
    kAnd,
    kOr,
    kNot,  // over children; kAnd of none is true, kOr of none is false
    kEquals,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,  // with value
    kIn,            // equals one of values
    kExists,        // the field is there (null counts)
  };
  Op op = Op::kAnd;
  std::string field;
  std::vector<MetadataValue> values;  // one for comparisons, any number for kIn
  std::vector<Filter> children;

  static Filter equals(std::string field, MetadataValue value);
  static Filter compare(Op op, std::string field, MetadataValue value);
  static Filter in(std::string field, std::vector<MetadataValue> values);
  static Filter exists(std::string field);
  static Filter all(std::vector<Filter> children);
  static Filter any(std::vector<Filter> children);
  static Filter none(std::vector<Filter> children);
};

// Errors: kInvalid (deeper than 16, more than 256 nodes, 1,024 values of kIn, a comparison without its one
// value, an unknown '@' name).
Status check_filter(const Filter& filter);

// What a filter reads of an item.
struct FilterSubject {
  const Metadata* metadata = nullptr;
  std::string_view external_id, source, run, task, model;
  std::int64_t created_us = 0, updated_us = 0;
};

// REQUIRES: check_filter(filter) was fine.
bool matches(const Filter& filter, const FilterSubject& subject);

}  // namespace consort
