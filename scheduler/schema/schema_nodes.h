// The compiled form of a schema. Private to this room.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/expression/regex.h"
#include "scheduler/schema/schema.h"

namespace consort {

enum class KeywordKind : std::uint8_t {
  kType,
  kEnum,
  kConst,
  kMultipleOf,
  kMaximum,
  kExclusiveMaximum,
  kMinimum,
  kExclusiveMinimum,
  kMaxLength,
  kMinLength,
  kPattern,
  kMaxItems,
  kMinItems,
  kUniqueItems,
  kPrefixItems,
  kItems,
  kContains,
  kMaxProperties,
  kMinProperties,
  kRequired,
  kDependentRequired,
  kProperties,
  kPatternProperties,
  kAdditionalProperties,
  kPropertyNames,
  kDependentSchemas,
  kAllOf,
  kAnyOf,
  kOneOf,
  kNot,
  kIf,
  kRef,
};

struct Keyword {
  KeywordKind kind;
  std::string name;                          // as in the schema: the last token of its pointer
  Value argument;                            // as in the schema
  std::size_t count = 0;                     // kItems: items before it; kContains: at least
  std::size_t most = 0;                      // kContains: at most
  std::vector<const Schema::Node*> schemas;  // kIf: {if, then or nullptr, else or nullptr}
  std::vector<std::string> names;            // keys beside `schemas`; kAdditionalProperties: the known keys
  std::vector<Regex> patterns;               // kPattern: one; beside `schemas`; kAdditionalProperties: known
};

struct Schema::Node {
  std::string pointer;   // in the root schema
  bool nothing = false;  // the schema `false`
  std::vector<Keyword> keywords;
};

struct Schema::Compiled {
  std::deque<Node> nodes;
  const Node* root = nullptr;
};

std::string_view with_article(const Value& v);          // "an integer", "a string", ...
bool is_multiple(const Value& value, const Value& of);  // exact on decimal digits; multiple.cpp

}  // namespace consort
