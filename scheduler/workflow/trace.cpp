#include "scheduler/workflow/trace.h"

namespace consort {
namespace {

Value span_to_value(const TraceSpan& span) {
  Value::Object members{{"task", span.task},     {"path", span.path},
                        {"name", span.name},     {"kind", span.kind},
                        {"status", span.status}, {"attempt", static_cast<std::int64_t>(span.attempt)},
                        {"parent", span.parent}, {"start_ms", span.start_ms},
                        {"end_ms", span.end_ms}};
  if (!span.usage.is_null()) members.emplace_back("usage", span.usage);
  if (!span.output.is_null()) members.emplace_back("output", span.output);
  if (!span.error.empty()) members.emplace_back("error", span.error);
  return Value::object(std::move(members));
}

}  // namespace

Value trace_to_value(const Trace& trace) {
  Value::Array spans;
  spans.reserve(trace.spans.size());
  for (const TraceSpan& span : trace.spans) spans.push_back(span_to_value(span));
  return Value::object({{"run_id", trace.run_id},
                        {"workflow", trace.workflow},
                        {"status", trace.status},
                        {"started_ms", trace.started_ms},
                        {"total_ms", trace.total_ms},
                        {"dropped", trace.dropped},
                        {"spans", Value::array(std::move(spans))}});
}

Value trace_steps(const Trace& trace) {
  Value::Array steps;
  steps.reserve(trace.spans.size());
  for (const TraceSpan& span : trace.spans) {
    Value::Object members{{"task", span.task},
                          {"path", span.path},
                          {"name", span.name},
                          {"kind", span.kind},
                          {"status", span.status},
                          {"attempt", static_cast<std::int64_t>(span.attempt)},
                          {"milliseconds", span.end_ms - span.start_ms}};
    if (!span.usage.is_null()) members.emplace_back("usage", span.usage);
    if (!span.error.empty()) members.emplace_back("error", span.error);
    steps.push_back(Value::object(std::move(members)));
  }
  return Value::array(std::move(steps));
}

}  // namespace consort
