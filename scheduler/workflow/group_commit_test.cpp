// When the journal's batches reach the store: together, before whoever must find them, and none lost.
#include <gtest/gtest.h>

#include "scheduler/workflow/journal_fixture.h"

namespace consort {
namespace {

using test::document;
using test::FunctionHandler;

class RepeatableHandler final : public FunctionHandler {
 public:
  using FunctionHandler::FunctionHandler;
  bool repeatable() const override { return true; }
};

class GroupCommitTest : public test::JournalFixture {
 protected:
  // A call kind that notes how its own task and the one before it stand in the store while it runs.
  FunctionHandler::Function looker() {
    return [this](TaskContext& context, const Value&) -> Result<TaskOutcome> {
      seen_.push_back(state_of(context.run_id, "/do/0/a") + " " + state_of(context.run_id, "/do/1/b"));
      return TaskOutcome{Value(1), Value()};
    };
  }
  std::vector<std::string> seen_;
};

TEST_F(GroupCommitTest, TasksThatWaitForNothingAreStoredTogether) {
  std::string tasks;
  for (int i = 0; i < 60; ++i)
    tasks += (i ? "," : "[") + ("{\"s" + std::to_string(i) + R"(":{"set":{"n":1}}})");
  const std::uint64_t before = store_->stats().commits;
  EXPECT_EQ(run(document(tasks + "]"), "many").status, "completed");
  EXPECT_LE(store_->stats().commits - before, 4u);  // the run as begun and as ended, and its tasks
  EXPECT_EQ(journal_->tasks("many")->size(), 60u);
}

TEST_F(GroupCommitTest, BeforeACallWithEffectsEverythingIsStored) {
  bench_.fakes.add("look", looker());
  run(document(R"([{"a":{"set":{"n":1}}},{"b":{"call":"look"}}])"), "one");
  EXPECT_EQ(seen_, std::vector<std::string>{"finished sent"});
}

TEST_F(GroupCommitTest, WhileARepeatableCallWaitsEverythingIsStored) {
  (void)bench_.fakes.kinds->add(std::make_shared<RepeatableHandler>("look", looker()));
  run(document(R"([{"a":{"set":{"n":1}}},{"b":{"call":"look","with":{"sleepMs":20}}}])"), "one");
  EXPECT_EQ(seen_, std::vector<std::string>{"finished sent"});
}

TEST_F(GroupCommitTest, ABatchThatCannotBeStoredTakesOnlyItsOwnTaskWithIt) {
  bench_.fakes.add("stray", [](TaskContext& context, const Value&) -> Result<TaskOutcome> {
    context.write(StoreWrite{"notes", "k", "v", false});
    context.write(StoreWrite{"no_such_family", "k", "v", false});
    return TaskOutcome{Value(1), Value()};
  });
  for (const std::string mode : {"async", "exit"}) {
    const RunReport report = run(
        document(
            R"([{"a":{"set":{"n":1}}},{"t":{"try":[{"w":{"call":"stray"}}],"catch":{"do":[{"c":{"set":{"n":2}}}]}}}])",
            R"(,"durability":")" + mode + "\""),
        mode);
    EXPECT_EQ(report.status, "completed") << mode;
    EXPECT_EQ(state_of(mode, "/do/0/a"), "finished") << mode;
    EXPECT_EQ(state_of(mode, "/do/1/t/try/0/w"), "failed") << mode;
    EXPECT_FALSE(store_->get("notes", "k")->has_value()) << mode;
  }
}

}  // namespace
}  // namespace consort
