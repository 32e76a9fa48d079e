// The functions of the language: what workflow.md lists, nothing else. Private to this room.
#pragma once

#include <span>
#include <string_view>

#include "scheduler/expression/ast.h"

namespace consort::jq {

// A strict function: one value in, one value of each argument, one value out.
struct Builtin {
  std::string_view name;
  int arity = 0;
  BuiltinFunction function = nullptr;
};

std::span<const Builtin> collection_builtins();  // builtins_collections.cpp
std::span<const Builtin> text_builtins();        // builtins_text.cpp
std::span<const Builtin> order_builtins();       // builtins_order.cpp
const Builtin* find_builtin(std::string_view name, int arity);

// `text | @uri`, also of the parts of @uri "...\(.)...".
bool apply_format(Evaluation& evaluation, const Node& node, Format format, const Value& v, std::string& out);

// The primitives behind operators. false: an error was raised.
bool arithmetic(Evaluation& evaluation, const Node& node, Op op, const Value& left, const Value& right,
                Value& out);
bool index_value(Evaluation& evaluation, const Node& node, const Value& target, const Value& key, Value& out);
bool slice_value(Evaluation& evaluation, const Node& node, const Value& target, const Value& from,
                 const Value& to, Value& out);
// The item numbers [first, last) that a slice of `size` items means. false: a bound is not a number.
bool slice_bounds(const Value& from, const Value& to, std::size_t size, std::size_t& first,
                  std::size_t& last);
// All places where `part` stands in an array (jq's `indices`).
Value array_indices(const Value::Array& items, const Value::Array& part);

// The regular expression of test(pattern; flags), jq flags g i x s n p l.
Result<Regex> compile_test_pattern(std::string_view pattern, std::string_view flags);

// string / string and split: "" has no parts; an empty separator cuts into characters.
bool split_text(Evaluation& evaluation, const Node& node, const std::string& text,
                const std::string& separator, Value& out);

bool truthy(const Value& v);
// Whole numbers become integers, so that 6 / 2 prints as 3.
Value number_result(double d);
// Compact JSON as jq prints it (whole floats without ".0").
void append_jq_json(std::string& out, const Value& v);
// "string (\"abc\")" as jq's messages describe a value, cut to 11 characters.
std::string describe(const Value& v);

}  // namespace consort::jq
