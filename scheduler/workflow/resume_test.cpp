// Runs with a journal: what is stored, what a resume does again and what it refuses.
#include <gtest/gtest.h>

#include "scheduler/workflow/journal_fixture.h"
#include "scheduler/workflow/journal_records.h"

namespace consort {
namespace {

using test::document;

using ResumeTest = test::JournalFixture;

TEST_F(ResumeTest, AFailedRunGoesOnWhereItFailed) {
  const std::string text =
      document(R"([{"a":{"call":"echo","with":{"key":"a","v":1},"export":{"as":{"k":7}}}},
      {"b":{"call":"fail","with":{"times":1}}},{"c":{"set":{"k":"${ $context.k }","b":"${ . }"}}}])");
  RunReport first = bench_.run(text, "{}", options("r"));
  EXPECT_EQ(first.status, "failed");
  EXPECT_EQ(journal_->get("r")->status, "failed");
  EXPECT_EQ(state_of("r", "/do/0/a"), "finished");
  EXPECT_EQ(state_of("r", "/do/1/b"), "failed");
  Result<RunReport> second = resume(text, "r");
  ASSERT_TRUE(second) << second.error().line();
  EXPECT_EQ(write_json(second->output), R"({"k":7,"b":"recovered"})");
  EXPECT_EQ(bench_.fakes.calls["a"], 1);
  EXPECT_EQ(bench_.fakes.calls["fail"], 2);
  EXPECT_EQ(second->replayed, 1u);
  EXPECT_EQ(second->tasks, 2u);
  EXPECT_EQ(events_with("r", "unknown"), 0);  // how b had ended was known
}

TEST_F(ResumeTest, ACompletedRunGivesItsStoredOutputAgain) {
  const std::string text = document(R"([{"a":{"call":"echo","with":{"key":"a"}}}])");
  const RunReport first = bench_.run(text, "{}", options("r"));
  Result<RunReport> again = resume(text, "r");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->status, "completed");
  EXPECT_EQ(write_json(again->output), write_json(first.output));
  EXPECT_EQ(bench_.fakes.calls["a"], 1);
}

TEST_F(ResumeTest, RefusesAnotherDocumentAnUnknownRunATakenIdAndACancelledRun) {
  const std::string text = document(R"([{"a":{"call":"fail"}}])");
  bench_.run(text, "{}", options("r"));
  EXPECT_EQ(resume(document(R"([{"b":{"call":"fail"}}])"), "r").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(resume(text, "nobody").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(bench_.start(bench_.parse(text), Value::object(), options("r")).error().kind,
            ErrorKind::kInvalid);
  EXPECT_EQ(bench_.start(bench_.parse(text), Value::object(), options("no/id")).error().kind,
            ErrorKind::kInvalid);
  ASSERT_TRUE(journal_->cancel("r"));
  EXPECT_EQ(resume(text, "r").error().kind, ErrorKind::kInvalid);
}

TEST_F(ResumeTest, AHandlersWritesJoinTheCommitOfItsTask) {
  const std::string text =
      document(R"([{"a":{"call":"write","with":{"key":"k","value":"v"},"output":{"schema":
      {"format":"json","document":{"type":"object","required":["missing"]}}}}}])");
  EXPECT_EQ(bench_.run(text, "{}", options("refused")).status, "failed");
  EXPECT_FALSE(store_->get("notes", "k")->has_value());  // the task failed: so did its writes
  for (const char* durability : {"async", "sync", "exit"}) {
    const std::string id = durability;
    bench_.run(document(R"([{"a":{"call":"write","with":{"key":")" + id + R"(","value":"v"}}}])",
                        R"(,"durability":")" + id + "\""),
               "{}", options(id));
    EXPECT_EQ(*store_->get("notes", id), "v");
    EXPECT_EQ(state_of(id, "/do/0/a"), "finished");
  }
}

TEST_F(ResumeTest, WithoutAJournalAHandlersWritesAreErrors) {
  bench_.journal = nullptr;
  const RunReport report = bench_.run(document(R"([{"a":{"call":"write","with":{"key":"k","value":"v"}}}])"));
  EXPECT_EQ(report.status, "failed");
  EXPECT_EQ(report.problem->instance, "/do/0/a");
}

TEST_F(ResumeTest, RetriesGoOnCounting) {
  const std::string text = document(R"([{"a":{"call":"fail","with":{"kind":"unavailable"},
      "retry":{"limit":{"attempt":{"count":3}}}}}])");
  bench_.run(text, "{}", options("r"));
  EXPECT_EQ(bench_.fakes.calls["fail"], 3);
  Result<RunReport> again = resume(text, "r");
  ASSERT_TRUE(again);
  EXPECT_EQ(bench_.fakes.calls["fail"], 4);  // the third try was never stored as failed: it is made again
}

TEST_F(ResumeTest, EventsAreStoredWithoutGapsAndAcrossResumes) {
  const std::string text = document(
      R"([{"a":{"call":"tokens","stream":{"as":"token"}}},{"b":{"call":"fail","with":{"times":1}}}])");
  bench_.run(text, "{}", options("r"));
  resume(text, "r");
  const std::vector<RunEvent> events = *journal_->events("r");
  ASSERT_GT(events.size(), 8u);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].sequence_number, i + 1);
  EXPECT_EQ(write_json(events.back().data), R"({"status":"completed"})");
  const auto later = journal_->events("r", 3);
  EXPECT_EQ(later->front().sequence_number, 4u);
}

}  // namespace
}  // namespace consort
