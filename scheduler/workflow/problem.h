// Problem: an error as a workflow sees it and as the world gets it, RFC 9457 {type, title, status, detail,
// instance}; `instance` is the JSON Pointer of the task that failed. `type` is "urn:consort:error:<name>"
// with the names of the Serverless Workflow DSL (configuration, validation, expression, authentication,
// authorization, timeout, communication, runtime) and ours (budget, cancelled, memory, modelUnavailable,
// quorum, payload, approvalExpired), or what a `raise` says.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "memory/base/status.h"
#include "scheduler/value/value.h"

namespace consort {

inline constexpr std::string_view kProblemTypePrefix = "urn:consort:error:";

struct Problem {
  ErrorKind kind = ErrorKind::kRuntime;  // chooses the exit status
  std::string type;                      // full: "urn:consort:error:timeout"
  std::string title;
  int status = 500;
  std::string detail;
  std::string instance;  // JSON Pointer into the document
};

// A problem of one of the named types ("timeout"), with that type's title, status and ErrorKind.
Problem make_problem(std::string_view type_name, std::string detail, std::string instance);
// The same for an error of a handler or of a room to the right.
Problem problem_of(const Error& error, std::string instance);
// For outward use: kind kept, `what` is the detail (title when empty), `where` the instance.
Error error_of(const Problem& problem);

// "timeout" for "urn:consort:error:timeout" and for the DSL's own URI of that error; else the type itself.
std::string_view problem_type_name(std::string_view type);

Value problem_to_value(const Problem& problem);
// Reads what problem_to_value wrote (journal). Missing members keep their defaults.
Problem problem_from_value(const Value& value);

template <typename T>
using Outcome = tl::expected<T, Problem>;

}  // namespace consort
