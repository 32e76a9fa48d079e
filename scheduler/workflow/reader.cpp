#include "scheduler/workflow/reader.h"

#include <algorithm>

namespace consort::workflow {

void add_finding(Findings& findings, std::string pointer, std::string message, std::string kind) {
  if (findings.size() < kMaxFindings)
    findings.push_back(Finding{std::move(pointer), std::move(kind), std::move(message)});
  else if (findings.size() == kMaxFindings)
    findings.push_back(Finding{"", "invalid", "more findings than are listed"});
}

std::string error_text(const Error& error) {
  return error.where.empty() ? error.what : error.what + " (" + error.where + ")";
}

ObjectReader::ObjectReader(Findings& findings, const Value& value, std::string pointer)
    : findings_(findings), value_(value), pointer_(std::move(pointer)) {
  if (!value_.is_object()) report("must be an object, is " + std::string(type_name(value_.type())));
}

ObjectReader::~ObjectReader() {
  if (!value_.is_object()) return;
  for (const auto& [key, member] : value_.as_object()) {
    if (std::find(taken_.begin(), taken_.end(), key) != taken_.end()) continue;
    report(key, "unknown key '" + key.substr(0, 80) + "'");
  }
}

const Value* ObjectReader::take(std::string_view key) {
  taken_.push_back(key);
  return value_.find(key);
}

const Value* ObjectReader::require(std::string_view key) {
  const Value* found = take(key);
  if (!found && value_.is_object()) report("'" + std::string(key) + "' is missing");
  return found;
}

std::optional<std::string> ObjectReader::text(std::string_view key, bool required) {
  const Value* found = required ? require(key) : take(key);
  if (!found) return std::nullopt;
  if (!found->is_string()) {
    report(key, "must be a string, is " + std::string(type_name(found->type())));
    return std::nullopt;
  }
  return found->as_string();
}

std::optional<bool> ObjectReader::boolean(std::string_view key) {
  const Value* found = take(key);
  if (!found) return std::nullopt;
  if (!found->is_bool()) {
    report(key, "must be true or false, is " + std::string(type_name(found->type())));
    return std::nullopt;
  }
  return found->as_bool();
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view key, std::int64_t least,
                                                  std::int64_t most) {
  const Value* found = take(key);
  if (!found) return std::nullopt;
  if (!found->is_integer() || found->as_integer() < least || found->as_integer() > most) {
    report(key, "must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return found->as_integer();
}

std::optional<Duration> ObjectReader::duration(std::string_view key, bool required) {
  const Value* found = required ? require(key) : take(key);
  if (!found) return std::nullopt;
  Result<Duration> parsed = parse_duration(*found);
  if (!parsed) {
    report(key, parsed.error().what);
    return std::nullopt;
  }
  return *parsed;
}

void ObjectReader::unsupported(std::string_view key) {
  if (take(key))
    add_finding(findings_, at(key), "'" + std::string(key) + "' is not executed by this build",
                "unsupported");
}

void ObjectReader::report(std::string_view key, std::string message) {
  add_finding(findings_, at(key), std::move(message));
}

void ObjectReader::report(std::string message) {
  add_finding(findings_, pointer_, std::move(message));
}

}  // namespace consort::workflow
