#include "scheduler/workflow/problem.h"

#include <array>

namespace consort {
namespace {

struct NamedType {
  std::string_view name, title;
  int status;
  ErrorKind kind;
};

// Status of the DSL's own types as its specification gives them; ours follow RFC 9110 where it has a fitting
// one.
constexpr std::array<NamedType, 15> kTypes{{
    {"configuration", "Wrong configuration", 400, ErrorKind::kInvalid},
    {"validation", "Invalid data", 400, ErrorKind::kInvalid},
    {"expression", "Expression failed", 400, ErrorKind::kInvalid},
    {"authentication", "Not authenticated", 401, ErrorKind::kRuntime},
    {"authorization", "Not allowed", 403, ErrorKind::kRuntime},
    {"timeout", "Timed out", 408, ErrorKind::kTimeout},
    {"communication", "Communication failed", 500, ErrorKind::kUnavailable},
    {"runtime", "Failed at run time", 500, ErrorKind::kRuntime},
    {"budget", "Budget spent", 403, ErrorKind::kBudget},
    {"cancelled", "Cancelled", 499, ErrorKind::kCancelled},
    {"memory", "Out of memory", 507, ErrorKind::kMemory},
    {"modelUnavailable", "Model unavailable", 503, ErrorKind::kUnavailable},
    {"quorum", "Quorum missed", 500, ErrorKind::kRuntime},
    {"payload", "Value too large", 413, ErrorKind::kInvalid},
    {"approvalExpired", "Approval expired", 410, ErrorKind::kRuntime},
}};

constexpr std::string_view kDslPrefix = "https://serverlessworkflow.io/spec/1.0.0/errors/";

const NamedType& find_type(std::string_view name) {
  for (const NamedType& type : kTypes)
    if (type.name == name) return type;
  return kTypes[7];  // runtime
}

std::string_view type_of_kind(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
    case ErrorKind::kUnsupported:
    case ErrorKind::kNotFound:
      return "configuration";
    case ErrorKind::kInvalid:
      return "validation";
    case ErrorKind::kUnavailable:
      return "modelUnavailable";
    case ErrorKind::kMemory:
      return "memory";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kBudget:
      return "budget";
    case ErrorKind::kCorrupt:
    case ErrorKind::kRuntime:
    case ErrorKind::kIo:
      return "runtime";
  }
  return "runtime";
}

constexpr std::array kAllKinds{ErrorKind::kUsage,       ErrorKind::kInvalid,  ErrorKind::kCorrupt,
                               ErrorKind::kUnsupported, ErrorKind::kNotFound, ErrorKind::kUnavailable,
                               ErrorKind::kMemory,      ErrorKind::kTimeout,  ErrorKind::kCancelled,
                               ErrorKind::kBudget,      ErrorKind::kRuntime,  ErrorKind::kIo};

}  // namespace

Problem make_problem(std::string_view type_name, std::string detail, std::string instance) {
  const NamedType& type = find_type(type_name);
  Problem problem;
  problem.kind = type.kind;
  problem.type = std::string(kProblemTypePrefix) + std::string(type.name);
  problem.title = std::string(type.title);
  problem.status = type.status;
  problem.detail = std::move(detail);
  problem.instance = std::move(instance);
  return problem;
}

Problem problem_of(const Error& error, std::string instance) {
  std::string detail = error.what;
  if (!error.where.empty()) detail += " (" + error.where + ")";
  if (!error.hint.empty()) detail += ": " + error.hint;
  Problem problem = make_problem(type_of_kind(error.kind), std::move(detail), std::move(instance));
  problem.kind = error.kind;
  if (error.kind == ErrorKind::kNotFound) problem.status = 404;
  return problem;
}

Error error_of(const Problem& problem) {
  return Error{problem.kind, problem.detail.empty() ? problem.title : problem.detail, problem.instance, {}};
}

std::string_view problem_type_name(std::string_view type) {
  for (std::string_view prefix : {kProblemTypePrefix, kDslPrefix})
    if (type.starts_with(prefix)) return type.substr(prefix.size());
  return type;
}

Value problem_to_value(const Problem& problem) {
  Value::Object members{{"type", problem.type},
                        {"title", problem.title},
                        {"status", problem.status},
                        {"detail", problem.detail},
                        {"instance", problem.instance}};
  return Value::object(std::move(members));
}

Problem problem_from_value(const Value& value) {
  auto text = [&](std::string_view key) {
    const Value* found = value.find(key);
    return found && found->is_string() ? found->as_string() : std::string();
  };
  Problem problem;
  problem.type = text("type");
  problem.title = text("title");
  problem.detail = text("detail");
  problem.instance = text("instance");
  if (const Value* status = value.find("status"); status && status->is_integer())
    problem.status = static_cast<int>(status->as_integer());
  problem.kind = find_type(problem_type_name(problem.type)).kind;
  for (ErrorKind kind : kAllKinds)
    if (value.get("kind") == Value(error_kind_name(kind))) problem.kind = kind;
  return problem;
}

}  // namespace consort
