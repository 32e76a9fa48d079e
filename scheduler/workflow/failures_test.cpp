// Failures that were tolerated, caught or tried again: a resumed run neither makes them again nor loses what
// had been achieved before them.
#include <gtest/gtest.h>

#include "scheduler/workflow/journal_fixture.h"

namespace consort {
namespace {

using test::document;

const char* const kState = R"(,"state":{"n":{"reducer":"sum"},"seen":{"reducer":"append"}})";

class FailuresTest : public test::JournalFixture {
 protected:
  // Runs `task`, then a call that fails once, then shows the task's output and the state: first without a
  // break (the call is left out), then failed and resumed. Both must agree; gives the output.
  std::string resumed(const std::string& task, const std::string& more = kState) {
    const std::string show = R"({"show":{"set":{"out":"${ . }","state":"${ $context }"}}})";
    const std::string through = document("[" + task + "," + show + "]", more);
    const RunReport whole = run(through, "whole");
    EXPECT_EQ(whole.status, "completed") << (whole.problem ? whole.problem->detail : "");
    made_ = bench_.fakes.calls;
    bench_.fakes.calls.clear();
    const std::string broken = document("[" + task + "," + show +
                                            R"(,{"stop":{"call":"fail","with":{"key":"stop","times":2},
                                                 "output":{"as":"${ $input }"}}}])",
                                        more);
    for (const char* expected : {"failed", "failed", "completed"}) {
      const Result<RunReport> report =
          id_.empty() ? Result<RunReport>(run(broken, id_ = "broken")) : resume(broken, id_);
      EXPECT_TRUE(report);
      if (!report) return report.error().line();
      EXPECT_EQ(report->status, expected);
      if (report->status != "completed") continue;
      EXPECT_EQ(write_json(report->output), write_json(whole.output));
      bench_.fakes.calls.erase("stop");
      EXPECT_EQ(bench_.fakes.calls, made_);
      const Value calls = report->usage.get("calls"), tokens = report->usage.get("tokens");
      EXPECT_EQ(calls, Value(whole.usage.get("calls").as_integer() + 1));  // and the last one of `stop`
      EXPECT_EQ(tokens, whole.usage.get("tokens"));
    }
    EXPECT_EQ(events_with(id_, "unknown"), 0);
    return write_json(whole.output);
  }
  std::map<std::string, int> made_;
  std::string id_;
};

// Item 2 exports, then fails.
std::string loop(const std::string& options) {
  return R"({"f":{"for":{"in":"${ [1,2,3] }","toleratedFailureCount":1)" + options + R"(},"do":[
    {"a":{"call":"echo","with":{"key":"${ \"a\" + ($item | tostring) }"},"export":{"as":{"n":"${ $item }"}}}},
    {"c":{"switch":[{"two":{"when":"${ $item == 2 }","then":"bad"}},{"else":{"then":"exit"}}]}},
    {"bad":{"call":"fail","with":{"key":"bad"}}}]}})";
}

TEST_F(FailuresTest, AToleratedItemIsNotTriedAgain) {
  const std::string output = resumed(loop(""));
  EXPECT_NE(output.find(R"("state":{"n":6})"), std::string::npos) << output;
  EXPECT_NE(output.find(R"("detail":"told to fail")"), std::string::npos) << output;
  EXPECT_EQ(made_["bad"], 1);
  EXPECT_EQ(state_of("broken", "/do/0/f/@1/do/2/bad"), "failed");
}

TEST_F(FailuresTest, SideBySideItIsTheSame) {
  const std::string output = resumed(loop(R"(,"maxConcurrency":3)"));
  EXPECT_NE(output.find(R"("state":{"n":6})"), std::string::npos) << output;
  EXPECT_EQ(made_["bad"], 1);
}

TEST_F(FailuresTest, ABranchThatAQuorumToleratesIsNotTriedAgain) {
  const std::string output = resumed(R"({"f":{"fork":{"quorum":1,"branches":[
    {"good":{"call":"echo","with":{"key":"good"},"export":{"as":{"n":1}}}},
    {"half":{"do":[{"a":{"call":"echo","with":{"key":"a"},"export":{"as":{"n":10}}}},{"bad":{"call":"fail","with":{"key":"bad"}}}]}}]}}})");
  EXPECT_NE(output.find(R"("state":{"n":11})"), std::string::npos) << output;
  EXPECT_EQ(made_["bad"], 1);
}

TEST_F(FailuresTest, WhatACaughtTryHadExportedStays) {
  const std::string output = resumed(R"({"t":{"try":[
    {"a":{"call":"echo","with":{"key":"a"},"export":{"as":{"n":5,"seen":["a"]}}}},
    {"bad":{"call":"fail","with":{"key":"bad"}}}],
    "catch":{"do":[{"mend":{"call":"echo","with":{"key":"mend","n":"${ $context.n }","why":"${ $error.detail }"},"export":{"as":{"seen":["mend"]}}}}]}}})");
  EXPECT_NE(output.find(R"("state":{"n":5,"seen":["a","mend"]})"), std::string::npos) << output;
  EXPECT_NE(output.find(R"("why":"told to fail")"), std::string::npos) << output;
}

TEST_F(FailuresTest, TriesThatWereUsedUpStayUsedUp) {
  const std::string output = resumed(R"({"t":{"try":[
    {"a":{"call":"echo","with":{"key":"a"},"export":{"as":{"n":1}}}},
    {"bad":{"call":"fail","with":{"key":"bad","kind":"unavailable"}}}],
    "catch":{"retry":{"delay":{"milliseconds":1},"limit":{"attempt":{"count":3},"duration":{"milliseconds":200}}},
             "do":[{"mend":{"call":"echo","with":{"key":"mend","sleepMs":250}}}]}}})");
  EXPECT_NE(output.find(R"("state":{"n":3})"), std::string::npos) << output;
  EXPECT_EQ(made_["bad"], 3);
  EXPECT_EQ(state_of("broken", "/do/0/t/!3"), "failed");
}

TEST_F(FailuresTest, ABlockThatSucceedsAtItsSecondTryKeepsWhatTheFirstHadDone) {
  const std::string output = resumed(R"({"b":{"do":[
    {"a":{"call":"echo","with":{"key":"a"},"export":{"as":{"n":1}}}},
    {"bad":{"call":"fail","with":{"key":"bad","kind":"unavailable","times":1}}}],
    "retry":{"delay":{"milliseconds":1},"limit":{"attempt":{"count":2}}}}})");
  EXPECT_NE(output.find(R"("state":{"n":2})"), std::string::npos) << output;
  EXPECT_EQ(made_["a"], 2);
  EXPECT_EQ(made_["bad"], 2);
}

TEST_F(FailuresTest, InsideEachOther) {
  const std::string output = resumed(R"({"f":{"fork":{"quorum":1,"branches":[
    {"loop":{"for":{"in":"${ [1,2] }","toleratedFailureCount":2},"do":[
      {"t":{"try":[{"a":{"call":"echo","with":{"key":"a"},"export":{"as":{"n":1}}}},
                   {"bad":{"call":"fail","with":{"key":"bad"}}}],
            "catch":{"do":[{"worse":{"call":"fail","with":{"key":"worse"}}}]}}}]}},
    {"lost":{"try":[{"b":{"call":"echo","with":{"key":"b"},"export":{"as":{"n":100}}}},
                    {"bad2":{"call":"fail","with":{"key":"bad2"}}}],
             "catch":{"do":[{"worse2":{"call":"fail","with":{"key":"worse2"}}}]}}}]}}})");
  EXPECT_NE(output.find(R"("state":{"n":102})"), std::string::npos) << output;
  EXPECT_EQ(made_["worse"], 2);
}

TEST_F(FailuresTest, AGraphGoesOnWhereItWas) {
  const std::string output = resumed(R"({"g":{"graph":{"nodes":{
    "c":{"needs":["a","b"],"call":"echo","with":{"key":"c","sum":"${ $context.n }"},"export":{"as":{"n":100}}},
    "a":{"call":"echo","with":{"key":"a"},"export":{"as":{"n":1}}},
    "b":{"needs":["a"],"try":[{"bad":{"call":"fail","with":{"key":"bad"}}}],
         "catch":{"do":[{"mend":{"call":"echo","with":{"key":"b"},"export":{"as":{"n":10}}}}]}}}}}})");
  EXPECT_NE(output.find(R"("sum":11)"), std::string::npos) << output;
  EXPECT_NE(output.find(R"("state":{"n":111})"), std::string::npos) << output;
}

TEST_F(FailuresTest, OnlyTheFailureThatEndedTheRunIsTriedAgain) {
  const std::string text = document(R"([{"f":{"for":{"in":"${ [1,2] }","toleratedFailureCount":1},"do":[
      {"bad":{"call":"fail","with":{"key":"${ \"bad\" + ($item | tostring) }","times":1}}}]}}])");
  EXPECT_EQ(run(text, "r").status, "failed");
  const Result<RunReport> second = resume(text, "r");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->status, "completed");
  EXPECT_EQ(second->output.as_array().at(1), Value("recovered"));
  EXPECT_EQ(bench_.fakes.calls["bad1"], 1);
  EXPECT_EQ(bench_.fakes.calls["bad2"], 2);
}

TEST_F(FailuresTest, ADeadlineOfTheLoopItselfIsNotTolerated) {
  const std::string text = document(
      R"([{"f":{"for":{"in":"${ [1,2] }","toleratedFailureCount":2},"timeout":{"after":{"milliseconds":30}},
      "do":[{"slow":{"call":"echo","with":{"key":"slow","sleepMs":200}}}]}}])");
  const RunReport report = run(text, "r");
  EXPECT_EQ(report.status, "failed");
  EXPECT_EQ(report.problem->type, "urn:consort:error:timeout");
}

}  // namespace
}  // namespace consort
