// What the tests of this folder share: call kinds that do simple things, and a runner on a thread's own
// io_context.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "scheduler/workflow/runner.h"

namespace consort::test {

// Calls a function with (context, with); sleeps `with.sleepMs` first, attending to stop requests when
// `attentive`.
class FunctionHandler : public TaskHandler {
 public:
  using Function = std::function<Result<TaskOutcome>(TaskContext&, const Value&)>;
  FunctionHandler(std::string kind, Function function, bool attentive = true)
      : kind_(std::move(kind)), function_(std::move(function)), attentive_(attentive) {
    schema_ = Value::object({{"type", "object"}});
  }
  std::string_view kind() const override { return kind_; }
  const Value& options_schema() const override { return schema_; }
  void set_schema(Value schema) { schema_ = std::move(schema); }
  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext& context, Value with) override {
    if (const Value* sleep = with.find("sleepMs"); sleep && sleep->is_number()) {
      const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(sleep->as_integer());
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
      while (std::chrono::steady_clock::now() < until) {
        if (attentive_ && context.stop.stop_requested())
          co_return fail(ErrorKind::kCancelled, "stopped while sleeping");
        timer.expires_after(std::chrono::milliseconds(1));
        co_await timer.async_wait(boost::asio::use_awaitable);
      }
    }
    co_return function_(context, with);
  }

 private:
  std::string kind_;
  Function function_;
  bool attentive_;
  Value schema_;
};

// echo: gives `with`. fail: fails with kind `with.kind` until it has been called `with.times` times (0 =
// always) under the key `with.key`. count: appends its key to `calls`. seed: gives its seed as text. write: a
// StoreWrite.
struct Kinds {
  std::map<std::string, int> calls;
  std::shared_ptr<CallKinds> kinds = std::make_shared<CallKinds>();
  void add(std::string kind, FunctionHandler::Function function, bool attentive = true) {
    (void)kinds->add(std::make_shared<FunctionHandler>(std::move(kind), std::move(function), attentive));
  }
  Kinds();
};

// Runs a document (JSON text) to its end. Fails the test when it does not parse.
struct Bench {
  Kinds fakes;
  boost::asio::io_context io;
  Journal* journal = nullptr;
  WorkflowSource* source = nullptr;

  WorkflowPtr parse(const std::string& text);
  std::vector<Finding> findings(const std::string& text);
  RunReport run(const std::string& text, const std::string& input = "{}", RunOptions options = {});
  Result<RunReport> start(WorkflowPtr workflow, Value input, RunOptions options, bool resume = false);
};

// A document around tasks: `tasks` is the text of the do array, `more` other top-level members (",...").
std::string document(const std::string& tasks, const std::string& more = "");

}  // namespace consort::test
