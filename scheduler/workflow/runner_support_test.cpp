#include <gtest/gtest.h>

#include "scheduler/workflow/runner_test_support.h"

namespace consort::test {
namespace {

ErrorKind kind_named(const std::string& name) {
  for (ErrorKind kind : {ErrorKind::kUnavailable, ErrorKind::kMemory, ErrorKind::kTimeout,
                         ErrorKind::kInvalid, ErrorKind::kNotFound, ErrorKind::kBudget})
    if (error_kind_name(kind) == name) return kind;
  return ErrorKind::kRuntime;
}

boost::asio::awaitable<void> drive(Runner* runner, WorkflowPtr workflow, Value input, RunOptions options,
                                   bool resume, std::optional<Result<RunReport>>* into) {
  if (resume) {
    Result<RunReport> report = co_await runner->resume(std::move(workflow), std::move(options));
    *into = std::move(report);
  } else {
    Result<RunReport> report =
        co_await runner->run(std::move(workflow), std::move(input), std::move(options));
    *into = std::move(report);
  }
}

}  // namespace

Kinds::Kinds() {
  add("echo", [this](TaskContext&, const Value& with) -> Result<TaskOutcome> {
    if (const Value* key = with.find("key")) ++calls[key->as_string()];
    return TaskOutcome{with, Value::object({{"tokens", 2}})};
  });
  add("fail", [this](TaskContext&, const Value& with) -> Result<TaskOutcome> {
    const int calls_now = ++calls[with.get("key").is_string() ? with.get("key").as_string() : "fail"];
    const Value times = with.get("times");
    if (times.is_integer() && calls_now > times.as_integer()) return TaskOutcome{Value("recovered"), Value()};
    return fail(kind_named(with.get("kind").is_string() ? with.get("kind").as_string() : "runtime"),
                "told to fail");
  });
  add("seed", [](TaskContext& context, const Value&) -> Result<TaskOutcome> {
    return TaskOutcome{Value(std::to_string(context.seed)), Value()};
  });
  add("write", [](TaskContext& context, const Value& with) -> Result<TaskOutcome> {
    context.write(StoreWrite{"notes", with.get("key").as_string(), with.get("value").as_string()});
    return TaskOutcome{with, Value()};
  });
  add(
      "deaf",
      [this](TaskContext&, const Value& with) -> Result<TaskOutcome> {
        ++calls["deaf"];
        return TaskOutcome{with, Value()};
      },
      false);
  add("tokens", [](TaskContext& context, const Value&) -> Result<TaskOutcome> {
    for (int i = 0; context.emit && i < 3; ++i) context.emit(Value(i));
    return TaskOutcome{Value("done"), Value()};
  });
}

WorkflowPtr Bench::parse(const std::string& text) {
  Result<Value> value = parse_json(text);
  EXPECT_TRUE(value) << (value ? "" : value.error().line()) << "\n" << text;
  if (!value) return nullptr;
  WorkflowParse parsed = Workflow::parse(*value, *fakes.kinds, source);
  for (const Finding& finding : parsed.findings)
    ADD_FAILURE() << finding.pointer << ": " << finding.kind << ": " << finding.message;
  return parsed.workflow;
}

std::vector<Finding> Bench::findings(const std::string& text) {
  Result<Value> value = parse_json(text);
  EXPECT_TRUE(value) << (value ? "" : value.error().line()) << "\n" << text;
  if (!value) return {};
  return Workflow::parse(*value, *fakes.kinds, source).findings;
}

Result<RunReport> Bench::start(WorkflowPtr workflow, Value input, RunOptions options, bool resume) {
  Runner runner(io.get_executor(), fakes.kinds, journal);
  std::optional<Result<RunReport>> report;
  boost::asio::co_spawn(
      io, drive(&runner, std::move(workflow), std::move(input), std::move(options), resume, &report),
      boost::asio::detached);
  io.restart();
  io.run();
  if (!report) return fail(ErrorKind::kRuntime, "the run did not end");
  return std::move(*report);
}

RunReport Bench::run(const std::string& text, const std::string& input, RunOptions options) {
  WorkflowPtr workflow = parse(text);
  if (!workflow) return {};
  Result<RunReport> report = start(workflow, *parse_json(input), std::move(options));
  EXPECT_TRUE(report) << (report ? "" : report.error().line());
  return report ? *report : RunReport{};
}

std::string document(const std::string& tasks, const std::string& more) {
  return R"({"document":{"dsl":"1.0.0","namespace":"test","name":"t","version":"1.0.0"},"do":)" + tasks +
         more + "}";
}

}  // namespace consort::test
