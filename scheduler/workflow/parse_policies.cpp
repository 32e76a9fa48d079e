#include "scheduler/workflow/parser.h"

namespace consort::workflow {

RetryPtr Parser::parse_retry(const Value& value, const std::string& pointer) {
  if (!value.is_string()) {
    names_.push_back("error");
    RetryPtr policy = parse_retry_policy(value, pointer);
    names_.pop_back();
    return policy;
  }
  auto found = retries_.find(value.as_string());
  if (found != retries_.end()) return found->second;
  report(pointer, "no retry policy '" + value.as_string().substr(0, 80) + "' in use.retries");
  return nullptr;
}

RetryPtr Parser::parse_retry_policy(const Value& value, const std::string& pointer) {
  auto policy = std::make_shared<RetryPolicy>();
  ObjectReader reader(findings_, value, pointer);
  policy->when = condition(reader.take("when"), reader.at("when"));
  policy->except_when = condition(reader.take("exceptWhen"), reader.at("exceptWhen"));
  policy->delay = reader.duration("delay").value_or(Duration(0));
  if (const Value* backoff = reader.take("backoff")) parse_backoff(*backoff, reader.at("backoff"), *policy);
  if (const Value* jitter = reader.take("jitter")) {
    ObjectReader range(findings_, *jitter, reader.at("jitter"));
    policy->jitter_from = range.duration("from", true).value_or(Duration(0));
    policy->jitter_to = range.duration("to", true).value_or(policy->jitter_from);
    if (policy->jitter_to < policy->jitter_from) range.report("'to' is before 'from'");
  }
  if (const Value* limit = reader.take("limit")) parse_retry_limit(*limit, reader.at("limit"), *policy);
  return policy;
}

void Parser::parse_backoff(const Value& value, const std::string& pointer, RetryPolicy& policy) {
  ObjectReader reader(findings_, value, pointer);
  int given = 0;
  const auto one = [&](std::string_view key, RetryPolicy::Backoff backoff) {
    const Value* found = reader.take(key);
    if (!found) return;
    ++given;
    policy.backoff = backoff;
    ObjectReader empty(findings_, *found, reader.at(key));
  };
  one("constant", RetryPolicy::Backoff::kConstant);
  one("linear", RetryPolicy::Backoff::kLinear);
  one("exponential", RetryPolicy::Backoff::kExponential);
  if (reader.is_object() && given != 1) reader.report("give one of constant, linear and exponential");
}

void Parser::parse_retry_limit(const Value& value, const std::string& pointer, RetryPolicy& policy) {
  ObjectReader reader(findings_, value, pointer);
  policy.duration = reader.duration("duration");
  if (const Value* attempt = reader.take("attempt")) {
    ObjectReader inner(findings_, *attempt, reader.at("attempt"));
    if (auto count = inner.integer("count", 1, 1'000'000)) policy.count = static_cast<std::uint32_t>(*count);
    policy.attempt_duration = inner.duration("duration");
  } else if (policy.duration) {
    policy.count = 1'000'000;  // bounded by time alone, as asked for
  }
}

Timeout Parser::parse_timeout(const Value& value, const std::string& pointer) {
  if (!value.is_string()) return parse_timeout_object(value, pointer);
  auto found = timeouts_.find(value.as_string());
  if (found != timeouts_.end()) return found->second;
  report(pointer, "no timeout '" + value.as_string().substr(0, 80) + "' in use.timeouts");
  return {};
}

Timeout Parser::parse_timeout_object(const Value& value, const std::string& pointer) {
  Timeout timeout;
  ObjectReader reader(findings_, value, pointer);
  timeout.after = reader.duration("after");
  timeout.attempt = reader.duration("attempt");
  reader.unsupported("queue");
  reader.unsupported("idle");
  if (reader.is_object() && !reader.has("after") && !reader.has("attempt") && !reader.has("queue") &&
      !reader.has("idle"))
    reader.report("'after' is missing");
  return timeout;
}

SchemaPtr Parser::parse_schema(const Value& value, const std::string& pointer) {
  if (!value.is_string()) return parse_schema_object(value, pointer);
  auto found = schemas_.find(value.as_string());
  if (found != schemas_.end()) return found->second;
  report(pointer, "no schema '" + value.as_string().substr(0, 80) + "' in use.schemas");
  return nullptr;
}

SchemaPtr Parser::parse_schema_object(const Value& value, const std::string& pointer) {
  ObjectReader reader(findings_, value, pointer);
  if (std::optional<std::string> format = reader.text("format"); format && *format != "json")
    reader.report("format", "must be json");
  reader.unsupported("resource");
  const Value* document = reader.has("resource") ? reader.take("document") : reader.require("document");
  if (!document) return nullptr;
  return compile_schema(*document, reader.at("document"), findings_);
}

}  // namespace consort::workflow
