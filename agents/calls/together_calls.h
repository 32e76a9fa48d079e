// TogetherCalls: call: ensemble with one way of writing together, over a bus with models that answer by rule. Only
// tests include it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "agents/calls/call_kinds.h"
#include "agents/calls/scripted_models.h"
#include "scheduler/schema/schema.h"

namespace consort {

std::shared_ptr<TaskHandler> make_ensemble_call(CallServices services);

namespace mock {

class TogetherCalls : public ::testing::Test {
 protected:
  // `head`: the members of every call's options that come first, as JSON text.
  explicit TogetherCalls(std::string head) : head_(std::move(head)) {
    services_.models = &models_;
    services_.channel = &channel_;
    call_ = make_ensemble_call(services_);
  }
  // The output, what was streamed is in streamed_. What is wrong must be wrong as options, not as JSON.
  Result<Value> act(const std::string& more) {
    const auto with = parse_json("{" + head_ + ", " + more + "}");
    EXPECT_TRUE(with) << more;
    if (!with) return fail(ErrorKind::kRuntime, "the test's own text is no JSON");
    if (auto valid = Schema::compile(call_->options_schema())->check(*with); !valid) return forward_error(valid);
    TaskContext context;
    context.seed = 11;
    context.emit = [this](Value event) { streamed_ += event.get("text").as_string() + "|"; };
    auto outcome = mock::act(*call_, context, *with);
    if (!outcome) return forward_error(outcome);
    return outcome->output;
  }

  TestChannel channel_;
  ScriptedModels models_{channel_};
  CallServices services_;
  std::shared_ptr<TaskHandler> call_;
  std::string streamed_;

 private:
  const std::string head_;
};

}  // namespace mock
}  // namespace consort
