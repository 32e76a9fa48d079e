// Reducers: how exported keys join the state ($context), and how the exports of concurrent branches become
// one change. All five are associative, so a branch keeps one combined change instead of a list.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort::workflow {

enum class Reducer : std::uint8_t { kReplace, kAppend, kMerge, kSum, kMax };

std::optional<Reducer> reducer_named(std::string_view name);
std::string_view reducer_name(Reducer reducer);

using Reducers = std::map<std::string, Reducer, std::less<>>;  // the declared ones; the rest are kReplace

// `old` null = nothing there yet. append: arrays are joined, a value that is no array counts as one item;
// merge: members of the new object win, nested objects are merged too; sum: integers stay integers unless
// they overflow; max: jq's order. Errors: kInvalid when the types do not fit.
Result<Value> reduce(Reducer reducer, const Value* old, const Value& next);

// Applies every key of `exports` (an object) to `state` (object or null). Errors as above, naming the key.
Result<Value> apply_exports(const Reducers& reducers, const Value& state, const Value& exports);

}  // namespace consort::workflow
