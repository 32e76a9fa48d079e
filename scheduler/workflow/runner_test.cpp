// Each kind of task, and what every task may carry.
#include "scheduler/workflow/runner.h"

#include <gtest/gtest.h>

#include "scheduler/workflow/runner_test_support.h"

namespace consort {
namespace {

using test::Bench;
using test::document;

std::string output(const std::string& tasks, const std::string& input = "{}", const std::string& more = "") {
  Bench bench;
  const RunReport report = bench.run(document(tasks, more), input);
  EXPECT_EQ(report.status, "completed") << (report.problem ? report.problem->detail : "");
  return write_json(report.output);
}

Problem problem(const std::string& tasks, const std::string& more = "") {
  Bench bench;
  const RunReport report = bench.run(document(tasks, more));
  EXPECT_EQ(report.status, "failed") << write_json(report.output);
  return report.problem.value_or(Problem{});
}

TEST(RunnerTest, SetYieldsItsObjectAloneAndSiblingsSeeThePreviousOutput) {
  EXPECT_EQ(
      output(
          R"([{"a":{"set":{"x":"${ .n + 1 }"}}},{"b":{"set":{"y":"${ .x * 2 }","t":"n is ${ $workflow.input.n }"}}}])",
          R"({"n":3})"),
      R"({"y":8,"t":"n is 3"})");
}

TEST(RunnerTest, DoYieldsItsLastOutputAndStartsFromItsInput) {
  EXPECT_EQ(output(R"([{"b":{"do":[{"x":{"set":{"v":"${ .n }"}}},{"y":{"set":{"w":"${ .v + 1 }"}}}]}}])",
                   R"({"n":1})"),
            R"({"w":2})");
}

TEST(RunnerTest, CallPassesWithAndGivesItsOutput) {
  EXPECT_EQ(
      output(R"([{"c":{"call":"echo","with":{"a":"${ .n }"},"output":{"as":"${ .a }"}}}])", R"({"n":[1,2]})"),
      "[1,2]");
}

TEST(RunnerTest, ForkGivesResultsInDeclaredOrderWhateverTheOrderOfArrival) {
  EXPECT_EQ(output(R"([{"f":{"fork":{"branches":[
      {"slow":{"call":"echo","with":{"sleepMs":30,"v":1},"output":{"as":"${ .v }"}}},
      {"fast":{"call":"echo","with":{"v":2},"output":{"as":"${ .v }"}}}]}}}])"),
            "[1,2]");
}

TEST(RunnerTest, CompeteGivesTheFirstToSucceedAndStopsTheRest) {
  Bench bench;
  const auto start = std::chrono::steady_clock::now();
  const RunReport report = bench.run(document(R"([{"f":{"fork":{"compete":true,"branches":[
      {"slow":{"call":"echo","with":{"sleepMs":5000,"v":1}}},
      {"bad":{"call":"fail"}},
      {"fast":{"call":"echo","with":{"sleepMs":10,"v":2}}}]},"output":{"as":"${ .v }"}}}])"));
  EXPECT_EQ(write_json(report.output), "2");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(RunnerTest, ForkFailsWithTheFirstDeclaredProblemAndQuorumTolerates) {
  const Problem failed =
      problem(R"([{"f":{"fork":{"branches":[{"a":{"set":{"v":1}}},{"b":{"call":"fail"}}]}}}])");
  EXPECT_EQ(failed.instance, "/do/0/f/fork/branches/1/b");
  EXPECT_EQ(output(R"([{"f":{"fork":{"quorum":1,"branches":[{"a":{"set":{"v":1}}},{"b":{"call":"fail"}}]},
                        "output":{"as":"${ [.[0].v, .[1].error.title] }"}}}])"),
            R"([1,"Failed at run time"])");
  EXPECT_EQ(
      problem(R"([{"f":{"fork":{"quorum":2,"branches":[{"a":{"set":{"v":1}}},{"b":{"call":"fail"}}]}}}])")
          .type,
      "urn:consort:error:quorum");
}

TEST(RunnerTest, ForGivesAnArrayInItemOrderWithNamedVariables) {
  EXPECT_EQ(
      output(
          R"([{"f":{"for":{"each":"x","at":"i","in":"${ .l }"},"do":[{"s":{"set":{"v":"${ $x * 10 + $i + .k }"}}}],
                        "output":{"as":"${ map(.v) }"}}}])",
          R"({"l":[1,2,3],"k":100})"),
      "[110,121,132]");
  EXPECT_EQ(output(R"([{"f":{"for":{"in":"${ [3,1,2] }","maxConcurrency":3},"do":[{"s":{"call":"echo",
                        "with":{"sleepMs":"${ $item * 5 }","v":"${ [$item,$index] }"},"output":{"as":"${ .v }"}}}]}}])"),
            "[[3,0],[1,1],[2,2]]");
}

TEST(RunnerTest, WhileGoesOnFromThePreviousOutputAndItsLimitIsEnforced) {
  EXPECT_EQ(
      output(
          R"([{"f":{"for":{},"while":"${ .n < 5 }","limit":100,"do":[{"s":{"set":{"n":"${ .n + 1 }"}}}]}}])",
          R"({"n":0})"),
      R"({"n":5})");
  EXPECT_EQ(output(R"([{"f":{"for":{"each":"x","in":"${ [1,2,3,4] }"},"while":"${ $x < 3 }","limit":10,
                        "do":[{"s":{"set":{"v":"${ $x }"}}}]}}])"),
            R"([{"v":1},{"v":2}])");
  const Problem over =
      problem(R"([{"f":{"for":{},"while":"${ true }","limit":3,"do":[{"s":{"set":{"n":1}}}]}}])");
  EXPECT_EQ(over.type, "urn:consort:error:runtime");
  EXPECT_EQ(over.instance, "/do/0/f");
}

// A diamond: `join` needs both sides, which need `top`. Declared against the order in which they run.
const char* const kDiamond = R"([{"g":{"graph":{"nodes":{
    "join":{"needs":["right","left"],"call":"echo","with":{"key":"join","sum":"${ .left.n + .right.n }","seen":"${ $context.seen }","in":"${ keys }"}},
    "left":{"needs":["top"],"call":"echo","with":{"key":"left","n":"${ .top.n * 2 }","sleepMs":20},"export":{"as":{"seen":["left"]}}},
    "right":{"needs":["top"],"call":"echo","with":{"key":"right","n":"${ .top.n * 3 }"},"export":{"as":{"seen":["right"]}}},
    "top":{"set":{"n":"${ .start }"},"export":{"as":{"seen":["top"]}}},
    "lone":{"set":{"context":"${ $context.seen }"}}}}}},
    {"last":{"set":{"join":"${ .join.sum }","seen":"${ .join.seen }","lone":"${ .lone.context }","order":"${ keys }","all":"${ $context.seen }"}}}])";

TEST(RunnerTest, AGraphRunsWhatIsReadyAndJoinsByName) {
  const std::string tasks = kDiamond;
  Bench bench;
  const RunReport report =
      bench.run(document(tasks, R"(,"state":{"seen":{"reducer":"append"}})"), R"({"start":7})");
  ASSERT_EQ(report.status, "completed") << report.problem->detail;
  // Each node sees the exports of what is before it, in declared order; afterwards all stand in declared
  // order.
  EXPECT_EQ(write_json(report.output),
            R"({"join":35,"seen":["left","right","top"],"lone":null,)"
            R"("order":["join","left","lone","right","top"],"all":["left","right","top"]})");
}

TEST(RunnerTest, AGraphStopsAtItsFirstFailure) {
  const std::string tasks =
      R"([{"g":{"graph":{"nodes":{"bad":{"call":"fail"},"after":{"needs":["bad"],"call":"echo","with":{"key":"after"}}}}}}])";
  Bench bench;
  const RunReport report = bench.run(document(tasks));
  EXPECT_EQ(report.status, "failed");
  EXPECT_EQ(report.problem->instance, "/do/0/g/graph/nodes/bad");
  EXPECT_EQ(bench.fakes.calls["after"], 0);
}

TEST(RunnerTest, ForToleratesAsManyFailuresAsItSays) {
  const std::string tasks = R"([{"f":{"for":{"in":"${ [1,2,3] }","toleratedFailureCount":COUNT},"do":[
      {"s":{"if":"${ $item == 2 }","call":"fail"}},{"t":{"set":{"v":"${ $item }"}}}],"output":{"as":"${ map(.v) }"}}}])";
  auto with = [&](const std::string& count) {
    std::string t = tasks;
    return t.replace(t.find("COUNT"), 5, count);
  };
  EXPECT_EQ(output(with("1")), "[1,null,3]");
  EXPECT_EQ(problem(with("0")).instance, "/do/0/f/do/0/s");
}

TEST(RunnerTest, SwitchChoosesAndThenJumps) {
  const std::string tasks =
      R"([{"s":{"switch":[{"big":{"when":"${ .n > 10 }","then":"b"}},{"other":{"then":"a"}}]}},
      {"a":{"set":{"r":"small"},"then":"end"}},{"b":{"set":{"r":"big"}}}])";
  EXPECT_EQ(output(tasks, R"({"n":5})"), R"({"r":"small"})");
  EXPECT_EQ(output(tasks, R"({"n":50})"), R"({"r":"big"})");
}

TEST(RunnerTest, ThenExitLeavesTheBlockAndEndTheWorkflow) {
  EXPECT_EQ(
      output(
          R"([{"d":{"do":[{"a":{"set":{"v":1},"then":"exit"}},{"b":{"set":{"v":2}}}]}},{"c":{"set":{"w":"${ .v }"}}}])"),
      R"({"w":1})");
  EXPECT_EQ(
      output(
          R"([{"d":{"do":[{"a":{"set":{"v":1},"then":"end"}},{"b":{"set":{"v":2}}}]}},{"c":{"set":{"w":"${ .v }"}}}])"),
      R"({"v":1})");
}

TEST(RunnerTest, BackwardThenRunsAgainUpToItsLimit) {
  const std::string tasks = R"([{"a":{"set":{"n":"${ .n + 1 }"}}},
      {"s":{"switch":[{"more":{"when":"${ .n < 4 }","then":"a"}}],"limit":LIMIT}}])";
  auto with = [&](const std::string& limit) {
    std::string t = tasks;
    return t.replace(t.find("LIMIT"), 5, limit);
  };
  EXPECT_EQ(output(with("3"), R"({"n":0})"), R"({"n":4})");
  Bench bench;
  EXPECT_EQ(bench.run(document(with("2")), R"({"n":0})").problem->instance, "/do/1/s");
}

TEST(RunnerTest, TryYieldsWhatItsCatchYields) {
  EXPECT_EQ(output(R"([{"t":{"try":[{"x":{"call":"fail","with":{"kind":"unavailable"}}}],
      "catch":{"errors":{"with":{"type":"modelUnavailable","status":503}},"as":"e","do":[{"h":{"set":{"t":"${ $e.type }","i":"${ $e.instance }"}}}]}}}])"),
            R"({"t":"urn:consort:error:modelUnavailable","i":"/do/0/t/try/0/x"})");
  EXPECT_EQ(output(R"([{"t":{"try":[{"x":{"call":"fail"}}],"catch":{}}},{"u":{"set":{"n":"${ .n }"}}}])",
                   R"({"n":7})"),
            R"({"n":7})");
  EXPECT_EQ(
      problem(R"([{"t":{"try":[{"x":{"call":"fail"}}],"catch":{"errors":{"with":{"type":"timeout"}}}}}])")
          .instance,
      "/do/0/t/try/0/x");
}

TEST(RunnerTest, RetriesCountTheFirstTryAndOnlyRetryableProblems) {
  const std::string retries = R"(,"use":{"retries":{"r":{"limit":{"attempt":{"count":3}}},
      "all":{"when":"${ $error.type == \"urn:consort:error:runtime\" }","limit":{"attempt":{"count":2}}}}})";
  Bench bench;
  RunReport report = bench.run(
      document(R"([{"x":{"call":"fail","with":{"kind":"unavailable","times":2},"retry":"r"}}])", retries));
  EXPECT_EQ(write_json(report.output), R"("recovered")");
  EXPECT_EQ(bench.fakes.calls["fail"], 3);
  bench.fakes.calls.clear();
  report =
      bench.run(document(R"([{"x":{"call":"fail","with":{"kind":"unavailable"},"retry":"r"}}])", retries));
  EXPECT_EQ(report.status, "failed");
  EXPECT_EQ(bench.fakes.calls["fail"], 3);
  bench.fakes.calls.clear();
  report = bench.run(document(R"([{"x":{"call":"fail","retry":"r"}}])", retries));
  EXPECT_EQ(bench.fakes.calls["fail"], 1);  // runtime problems are not retried
  bench.fakes.calls.clear();
  report = bench.run(document(R"([{"x":{"call":"fail","retry":"all"}}])", retries));
  EXPECT_EQ(bench.fakes.calls["fail"], 2);  // unless `when` says so
  bench.fakes.calls.clear();
  report = bench.run(document(
      R"([{"t":{"try":[{"x":{"call":"fail","with":{"kind":"timeout","times":1}}}],"catch":{"retry":"r"}}}])",
      retries));
  EXPECT_EQ(write_json(report.output), R"("recovered")");
}

TEST(RunnerTest, RaiseGivesTheProblemItDescribes) {
  const Problem raised = problem(
      R"([{"r":{"raise":{"error":{"type":"https://example.com/odd","status":418,"title":"Odd","detail":"n is ${ 1 + 1 }"}}}}])");
  EXPECT_EQ(raised.type, "https://example.com/odd");
  EXPECT_EQ(raised.status, 418);
  EXPECT_EQ(raised.detail, "n is 2");
  EXPECT_EQ(raised.instance, "/do/0/r");
  EXPECT_EQ(raised.kind, ErrorKind::kRuntime);
}

TEST(RunnerTest, WaitPassesItsInputOn) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(output(R"([{"w":{"wait":{"milliseconds":30}}}])", R"({"n":1})"), R"({"n":1})");
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));
}

TEST(RunnerTest, IfSkipsAndPassesTheInputOn) {
  EXPECT_EQ(output(R"([{"a":{"if":"${ .n > 1 }","set":{"v":1}}}])", R"({"n":1})"), R"({"n":1})");
}

TEST(RunnerTest, TimeoutsCutCallsThatIgnoreThem) {
  const auto start = std::chrono::steady_clock::now();
  const Problem late = problem(
      R"([{"b":{"timeout":{"after":{"milliseconds":40}},"do":[{"x":{"call":"deaf","with":{"sleepMs":300}}}]}}])");
  EXPECT_EQ(late.type, "urn:consort:error:timeout");
  EXPECT_EQ(late.instance, "/do/0/b");
  EXPECT_EQ(late.kind, ErrorKind::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(RunnerTest, StopEndsAsInterrupted) {
  Bench bench;
  std::stop_source stop;
  RunOptions options;
  options.stop = stop.get_token();
  std::thread later([&stop] {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    stop.request_stop();
  });
  const RunReport report = bench.run(document(R"([{"f":{"fork":{"branches":[
      {"a":{"wait":{"seconds":30}}},{"b":{"call":"echo","with":{"sleepMs":30000}}}]}}}])"),
                                     "{}", options);
  later.join();
  EXPECT_EQ(report.status, "interrupted");
  EXPECT_EQ(report.problem->kind, ErrorKind::kCancelled);
}

TEST(RunnerTest, ExportsGoThroughReducersInDeclaredOrder) {
  const std::string state =
      R"(,"state":{"l":{"reducer":"append"},"s":{"reducer":"sum"},"m":{"reducer":"max"},"o":{"reducer":"merge"}},
      "output":{"as":"${ $context }"})";
  EXPECT_EQ(output(R"([{"f":{"fork":{"branches":[
      {"a":{"call":"echo","with":{"sleepMs":20},"export":{"as":{"l":["a"],"s":1,"m":5,"o":{"x":1}}}}},
      {"b":{"do":[{"b1":{"set":{},"export":{"as":"${ {l: [\"b\"], s: 2, m: 3, o: {y: 2}} }"}}},
                  {"b2":{"set":{},"export":{"as":{"l":"c"}}}}]}}]}}},
      {"z":{"set":{},"export":{"as":{"r":"last","l":["${ $context.l | length }"]}}}}])",
                   "{}", state),
            R"({"l":["a","b","c",3],"s":3,"m":5,"o":{"x":1,"y":2},"r":"last"})");
}

TEST(RunnerTest, SeedsComeFromTheRunAndThePlace) {
  const std::string tasks = R"([{"a":{"for":{"in":"${ [1,2] }"},"do":[{"s":{"call":"seed"}}]}}])";
  RunOptions options;
  options.seed = 42;
  Bench one, two;
  const RunReport a = one.run(document(tasks), "{}", options), b = two.run(document(tasks), "{}", options);
  EXPECT_EQ(write_json(a.output), write_json(b.output));
  EXPECT_NE(a.output.as_array()[0], a.output.as_array()[1]);
  options.seed = 43;
  EXPECT_NE(write_json(one.run(document(tasks), "{}", options).output), write_json(a.output));
}

TEST(RunnerTest, StreamedEventsAreNumberedWithoutGaps) {
  Bench bench;
  std::vector<RunEvent> events;
  RunOptions options;
  options.on_event = [&events](const RunEvent& event) { events.push_back(event); };
  bench.run(
      document(R"([{"a":{"call":"tokens","stream":{"as":"token","channel":"c"}}},{"b":{"call":"tokens"}}])"),
      "{}", options);
  int tokens = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence_number, i + 1);
    tokens += events[i].type == "token";
  }
  EXPECT_EQ(tokens, 3);  // the task without `stream` gives none
}

TEST(RunnerTest, UsageIsSummed) {
  Bench bench;
  const RunReport report = bench.run(document(R"([{"a":{"call":"echo"}},{"b":{"call":"echo"}}])"));
  EXPECT_EQ(write_json(report.usage), R"({"calls":2,"tokens":4})");
}

TEST(RunnerTest, ExpressionErrorsNameTheTaskAndInputIsChecked) {
  EXPECT_EQ(problem(R"([{"a":{"set":{"x":"${ 1 + {} }"}}}])").type, "urn:consort:error:expression");
  Bench bench;
  WorkflowPtr workflow = bench.parse(
      document(R"([{"a":{"set":{}}}])",
               R"(,"input":{"schema":{"format":"json","document":{"type":"object","required":["q"]}}})"));
  Result<RunReport> report = bench.start(workflow, Value::object(), {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::kInvalid);
}

}  // namespace
}  // namespace consort
