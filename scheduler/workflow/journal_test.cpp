// What the journal keeps of a run, in every durability, and what damaged records do.
#include "scheduler/workflow/journal.h"

#include <gtest/gtest.h>

#include "scheduler/workflow/journal_fixture.h"
#include "scheduler/workflow/journal_records.h"

namespace consort {
namespace {

using test::document;

using JournalTest = test::JournalFixture;

// Every construct that keeps something; `stop` fails twice, so the run fails twice and is resumed twice.
const char* const kTasks =
    R"([{"a":{"call":"echo","with":{"key":"a","v":1},"export":{"as":{"n":1}}}},
  {"f":{"fork":{"branches":[{"l":{"call":"echo","with":{"key":"l"},"export":{"as":{"n":10}}}},
        {"r":{"for":{"in":"${ [1,2,3] }"},"do":[{"x":{"call":"echo","with":{"key":"${ \"x\" + ($item | tostring) }"},"export":{"as":{"n":100}}}}]}}]}}},
  {"t":{"try":[{"y":{"call":"fail","with":{"key":"y","times":1}}}],"catch":{"as":"e","do":[{"z":{"call":"echo","with":{"key":"z","d":"${ $e.detail }"}}}]}}},
  {"stop":{"call":"fail","with":{"key":"stop","times":2}}},
  {"last":{"set":{"n":"${ $context.n }"}}}])";
const char* const kState = R"(,"state":{"n":{"reducer":"sum"}})";

TEST_F(JournalTest, OfEveryConstructNothingRunsTwiceAndNothingIsLost) {
  const std::string text = document(kTasks, kState);
  EXPECT_EQ(run(text, "one").status, "failed");
  EXPECT_EQ(resume(text, "one")->status, "failed");
  const Result<RunReport> last = resume(text, "one");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->status, "completed") << (last->problem ? last->problem->detail : "");
  EXPECT_EQ(write_json(last->output), R"({"n":311})");
  for (const char* key : {"a", "l", "x1", "x2", "x3", "y", "z"}) EXPECT_EQ(bench_.fakes.calls[key], 1) << key;
  EXPECT_EQ(bench_.fakes.calls["stop"], 3);
  // 6 echoes and the last try of `stop`, whichever process they ran in.
  EXPECT_EQ(write_json(last->usage), R"({"calls":7,"tokens":12})");
}

TEST_F(JournalTest, ARunKeepsItsDocumentInputAndError) {
  const std::string text = document(kTasks, kState);
  run(text, "one", R"({"q":1})");
  const Result<RunRecord> record = journal_->get("one");
  ASSERT_TRUE(record);
  EXPECT_EQ(write_json(record->input), R"({"q":1})");
  EXPECT_EQ(record->document, *parse_json(text));
  EXPECT_EQ(record->workflow, "test/t@1.0.0");
  EXPECT_EQ(record->seed, 7u);
  EXPECT_EQ(record->error.get("instance"), Value("/do/3/stop"));
}

TEST_F(JournalTest, TheModelsOfARunAreStoredAndOlderRecordsAreRead) {
  RunOptions options = this->options("m");
  options.models = [] { return Value::object({{"small", "0123"}}); };
  const RunReport report = bench_.run(document(R"([{"a":{"set":{"v":1}}}])"), "{}", options);
  EXPECT_EQ(write_json(report_to_value(report).get("models")), R"({"small":"0123"})");
  const RunRecord record = *journal_->get("m");
  EXPECT_EQ(record.models, report.models);
  std::string bytes = workflow::encode_run(RunRecord{});
  bytes[0] = 1;      // a record of version 1 ends
  bytes.pop_back();  // before the models
  const auto older = workflow::decode_run(bytes);
  ASSERT_TRUE(older) << older.error().line();
  EXPECT_TRUE(older->models.is_null());
}

TEST_F(JournalTest, RunsAreListedCancelledAndForgotten) {
  const std::string failing = document(R"([{"a":{"call":"fail"}}])");
  run(document(R"([{"a":{"set":{"v":1}}}])"), "good");
  run(failing, "bad");
  EXPECT_EQ(journal_->list()->size(), 2u);
  EXPECT_EQ(journal_->tasks("good")->at(0).first, "/do/0/a");
  EXPECT_FALSE(journal_->cancel("good"));
  EXPECT_TRUE(journal_->cancel("bad"));
  EXPECT_FALSE(resume(failing, "bad"));
  EXPECT_TRUE(journal_->forget("bad"));
  EXPECT_EQ(journal_->get("bad").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(journal_->list()->size(), 1u);
  EXPECT_EQ(journal_->get("../x").error().kind, ErrorKind::kNotFound);
}

TEST_F(JournalTest, EveryDurabilityStoresWritesWithTheirTaskAndResumes) {
  for (const std::string mode : {"sync", "async", "exit"}) {
    const std::string text =
        document(R"([{"w":{"call":"write","with":{"key":")" + mode +
                     R"(","value":"v"}}},{"x":{"call":"fail","with":{"key":"x","times":1}}}])",
                 R"(,"durability":")" + mode + "\"");
    bench_.fakes.calls.clear();
    EXPECT_EQ(run(text, mode).status, "failed");
    EXPECT_EQ(store_->get("notes", mode)->value_or(""), "v") << mode;
    const Result<RunReport> resumed = resume(text, mode);
    ASSERT_TRUE(resumed) << mode;
    EXPECT_EQ(resumed->status, "completed") << mode;
    EXPECT_EQ(resumed->replayed, 1u) << mode;
  }
}

TEST_F(JournalTest, TheWinnerOfACompeteStaysTheWinner) {
  const std::string text = document(R"([{"f":{"fork":{"compete":true,"branches":[
      {"slow":{"call":"echo","with":{"key":"slow","sleepMs":2000,"v":"slow"}}},
      {"quick":{"call":"echo","with":{"key":"quick","sleepMs":1,"v":"quick"}}}]}}},
      {"k":{"set":{"v":"${ .v }"},"export":{"as":{"v":"${ .v }"}}}},
      {"x":{"call":"fail","with":{"key":"x","times":1}}},{"y":{"set":{"v":"${ $context.v }"}}}])");
  EXPECT_EQ(run(text, "c").status, "failed");
  const Result<RunReport> resumed = resume(text, "c");
  ASSERT_TRUE(resumed);
  EXPECT_EQ(write_json(resumed->output), R"({"v":"quick"})");
  EXPECT_EQ(bench_.fakes.calls["quick"], 1);
  EXPECT_EQ(bench_.fakes.calls["slow"], 0);
}

TEST_F(JournalTest, AnInterruptedRunGoesOn) {
  const std::string text = document(
      R"([{"a":{"call":"echo","with":{"key":"a"}}},{"w":{"wait":{"milliseconds":1200}}},{"b":{"set":{"v":2}}}])");
  std::stop_source stop;
  RunOptions options;
  options.run_id = "i";
  options.stop = stop.get_token();
  options.on_event = [&stop](const RunEvent& event) {
    if (event.task == "/do/1/w") stop.request_stop();
  };
  EXPECT_EQ(bench_.run(text, "{}", options).status, "interrupted");
  EXPECT_EQ(journal_->get("i")->status, "interrupted");
  const Result<RunReport> resumed = resume(text, "i");
  ASSERT_TRUE(resumed);
  EXPECT_EQ(write_json(resumed->output), R"({"v":2})");
  EXPECT_EQ(bench_.fakes.calls["a"], 1);
}

TEST_F(JournalTest, DamagedOrNewerRecordsAreNamedAndNeverCrash) {
  const std::string text = document(kTasks, kState);
  run(text, "one");
  const std::string key = workflow::task_key("one", "/do/0/a");
  const Result<std::optional<std::string>> stored = store_->get(workflow::kJournalFamily, key);
  ASSERT_TRUE(stored && *stored);
  const std::string good = **stored;
  std::string newer = good;
  newer[0] = 9;
  ASSERT_TRUE(
      store_->commit({StoreWrite{std::string(workflow::kJournalFamily), key, newer}}, Durability::kAsync));
  const Result<RunReport> report = resume(text, "one");
  ASSERT_TRUE(report && report->problem);
  EXPECT_NE(report->problem->detail.find("version 9"), std::string::npos) << report->problem->detail;
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(workflow::decode_task(std::string_view(good).substr(0, cut))) << cut;
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    std::string flipped = good;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    (void)workflow::decode_task(flipped);  // an error or a record, never a crash
    (void)workflow::decode_run(flipped);
    (void)workflow::decode_event(flipped, 1);
  }
}

TEST_F(JournalTest, ADamagedRunIsNamedAndHidesNoOther) {
  const std::string text =
      document(R"([{"a":{"call":"echo","with":{"key":"a"}}},{"s":{"call":"fail","with":{"key":"s"}}}])");
  for (const char* id : {"good", "bad", "torn"}) run(text, id);
  const auto damage = [this](std::string_view family, const std::string& key, std::size_t keep) {
    const std::string bytes = **store_->get(family, key);
    ASSERT_TRUE(store_->commit(
        {StoreWrite{std::string(family), key, bytes.substr(0, bytes.size() * keep / 10), false}},
        Durability::kAsync));
  };
  damage(workflow::kRunsFamily, "bad", 5);
  damage(workflow::kJournalFamily, workflow::task_key("torn", "/do/0/a"), 5);
  damage(workflow::kEventsFamily, workflow::event_key("torn", 1), 0);
  const auto listed = journal_->list();
  ASSERT_TRUE(listed) << listed.error().line();
  ASSERT_EQ(listed->size(), 3u);
  for (const RunRecord& record : *listed)
    EXPECT_EQ(record.status, record.id == "bad" ? "damaged" : "failed") << record.id;
  const auto clear = [](const Error& error, const std::string& id) {
    EXPECT_EQ(error.kind, ErrorKind::kCorrupt) << error.line();
    EXPECT_NE(error.line().find("run " + id), std::string::npos) << error.line();
    EXPECT_FALSE(error.hint.empty()) << error.line();
  };
  clear(journal_->get("bad").error(), "bad");
  clear(resume(text, "bad").error(), "bad");
  clear(journal_->cancel("bad").error(), "bad");
  clear(journal_->tasks("torn").error(), "torn");
  clear(journal_->events("torn").error(), "torn");
  const Result<RunReport> torn = resume(text, "torn");  // it begins, and stops where it cannot read
  ASSERT_TRUE(torn);
  EXPECT_EQ(torn->status, "failed");
  EXPECT_EQ(torn->problem->instance, "/do/0/a");
  EXPECT_EQ(journal_->tasks("good")->size(), 2u);
}

}  // namespace
}  // namespace consort
