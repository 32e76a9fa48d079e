// Documents: what is refused, where, and that hostile ones do no harm.
#include "scheduler/workflow/workflow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "scheduler/workflow/duration.h"
#include "scheduler/workflow/parser.h"
#include "scheduler/workflow/runner_test_support.h"

namespace consort {
namespace {

using test::Bench;
using test::document;

// "pointer kind" of every finding.
std::vector<std::string> found(const std::string& text) {
  Bench bench;
  std::vector<std::string> result;
  for (const Finding& finding : bench.findings(text)) result.push_back(finding.pointer + " " + finding.kind);
  std::sort(result.begin(), result.end());
  return result;
}

using Expected = std::vector<std::string>;

TEST(WorkflowTest, AllFindingsAreReportedAtOnceWithPointers) {
  EXPECT_EQ(found(R"({"document":{"dsl":"2.0.0","namespace":"a","name":"","version":"x"},"extra":1,
      "do":[{"a":{"sett":{}}},{"a":{"set":5}},{"b":{"call":"nothing","with":{}}},{"c":{"wait":"soon"}}]})"),
            (Expected{"/do/0/a invalid", "/do/0/a/sett invalid", "/do/1/a invalid", "/do/1/a/set invalid",
                      "/do/2/b/call invalid", "/do/3/c/wait invalid", "/document/dsl invalid",
                      "/document/name invalid", "/document/version invalid", "/extra invalid"}));
}

TEST(WorkflowTest, NodesOfAGraphNeedNodesThatAreThereAndNoCycle) {
  EXPECT_EQ(found(document(R"([{"g":{"graph":{"nodes":{
      "a":{"needs":["b"],"set":{}},"b":{"needs":["c"],"set":{}},"c":{"needs":["a"],"set":{}},"free":{"set":{}},
      "d":{"needs":["nobody","free","free",7],"set":{}},"e":{"needs":"a","set":{}},"f":{"needs":[],"set":{},"then":"a"},"end":{"sett":1}}}}},
      {"none":{"graph":{"nodes":{}}}},{"outside":{"needs":["g"],"set":{}}}])")),
            (Expected{"/do/0/g/graph/nodes/a/needs invalid", "/do/0/g/graph/nodes/b/needs invalid",
                      "/do/0/g/graph/nodes/c/needs invalid", "/do/0/g/graph/nodes/d/needs/0 invalid",
                      "/do/0/g/graph/nodes/d/needs/2 invalid", "/do/0/g/graph/nodes/d/needs/3 invalid",
                      "/do/0/g/graph/nodes/e/needs invalid", "/do/0/g/graph/nodes/end invalid",
                      "/do/0/g/graph/nodes/end invalid", "/do/0/g/graph/nodes/end/sett invalid",
                      "/do/0/g/graph/nodes/f/then invalid", "/do/1/none/graph/nodes invalid",
                      "/do/2/outside/needs invalid"}));
}

TEST(WorkflowTest, WordsThatAreNotExecutedAreUnsupported) {
  EXPECT_EQ(
      found(document(
          R"([{"a":{"emit":{"event":{}}}},{"b":{"set":{},"budget":{"tokens":1},"idempotencyKey":"k"}},
      {"c":{"call":"approve","with":{}}},{"d":{"set":{"x":"${ $secrets.k }"}}},{"e":{"call":"echo","timeout":{"after":"PT1S","idle":"PT1S"}}}])",
          R"(,"budget":{},"priority":1,"use":{"secrets":["a"],"models":{},"agents":{"x":{"model":"m","tools":[]}}})")),
      (Expected{"/budget unsupported", "/do/0/a/emit unsupported", "/do/1/b/budget unsupported",
                "/do/1/b/idempotencyKey unsupported", "/do/2/c/call unsupported", "/do/3/d/set unsupported",
                "/do/4/e/timeout/idle unsupported", "/priority unsupported",
                "/use/agents/x/tools unsupported", "/use/models unsupported", "/use/secrets unsupported"}));
}

TEST(WorkflowTest, ExpressionErrorsHaveAPositionAndUnknownVariablesAreNamed) {
  Bench bench;
  const auto findings =
      bench.findings(document(R"([{"a":{"set":{"deep":["${ .x | }"]}}},{"b":{"if":"${ $item }","set":{}}},
      {"c":{"set":{"x":"${ nosuch(1) }"}}}])"));
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[0].pointer, "/do/0/a/set/deep/0");
  EXPECT_NE(findings[0].message.find("column"), std::string::npos) << findings[0].message;
  EXPECT_EQ(findings[1].pointer, "/do/1/b/if");
  EXPECT_NE(findings[1].message.find("$item"), std::string::npos);
  EXPECT_EQ(findings[2].pointer, "/do/2/c/set/x");
  EXPECT_NE(findings[2].message.find("nosuch"), std::string::npos);
}

TEST(WorkflowTest, LoopsMustBeBounded) {
  EXPECT_EQ(found(document(R"([{"a":{"for":{},"do":[{"x":{"set":{}}}]}},
      {"b":{"for":{"in":"${ . }"},"while":"${ true }","do":[{"x":{"set":{}}}]}},
      {"c":{"set":{},"then":"a"}},{"d":{"switch":[{"k":{"then":"nowhere"}},{"l":{"when":"${ true }","then":"d"}}]}},
      {"e":{"set":{},"then":"a","limit":3}}])")),
            (Expected{"/do/0/a/for invalid", "/do/1/b invalid", "/do/2/c/then invalid",
                      "/do/3/d/switch/0/k/then invalid", "/do/3/d/switch/1/l/then invalid"}));
}

TEST(WorkflowTest, ConcurrentExportsNeedAReducer) {
  const std::string tasks = R"([{"f":{"fork":{"branches":[
      {"a":{"set":{},"export":{"as":{"k":1,"own":2}}}},
      {"b":{"do":[{"x":{"set":{},"export":{"as":"${ {k: [\",\", {z: 1}], \"j\": .a} }"}}}]}}]}}},
      {"l":{"for":{"in":"${ [1] }","maxConcurrency":2},"do":[{"x":{"set":{},"export":{"as":{"m":1}}}}]}}])";
  EXPECT_EQ(found(document(tasks)), (Expected{"/do/0/f/fork/branches/1/b/do/0/x/export/as invalid",
                                              "/do/1/l/do/0/x/export/as invalid"}));
  EXPECT_EQ(found(document(tasks, R"(,"state":{"k":{"reducer":"append"},"m":{"reducer":"sum"}})")),
            Expected{});
}

TEST(WorkflowTest, ExportsThatTheDocumentDoesNotShowAreCheckedWhenTheyJoin) {
  Bench bench;
  const RunReport report = bench.run(document(R"([{"f":{"fork":{"branches":[
      {"a":{"set":{"k":1},"export":{"as":"${ . }"}}},{"b":{"set":{"k":2},"export":{"as":"${ . }"}}}]}}}])"));
  ASSERT_TRUE(report.problem);
  EXPECT_EQ(report.problem->type, "urn:consort:error:validation");
}

TEST(WorkflowTest, OptionsOfCallsAreCheckedAsFarAsTheyStandThere) {
  Bench bench;
  auto strict = std::make_shared<test::FunctionHandler>(
      "strict", [](TaskContext&, const Value& with) -> Result<TaskOutcome> {
        return TaskOutcome{with, Value()};
      });
  strict->set_schema(*parse_json(R"({"type":"object","additionalProperties":false,"required":["model"],
      "properties":{"model":{"type":"string"},"topK":{"type":"integer","minimum":1}}})"));
  ASSERT_TRUE(bench.fakes.kinds->add(strict));
  const auto findings = bench.findings(document(
      R"([{"a":{"call":"strict","with":{"topK":0,"modle":"${ .m }"}}},{"b":{"call":"strict","with":{"model":3}}}])"));
  Expected pointers;
  for (const Finding& finding : findings) pointers.push_back(finding.pointer);
  EXPECT_EQ(pointers,
            (Expected{"/do/0/a/with/topK", "/do/0/a/with/modle", "/do/0/a/with", "/do/1/b/with/model"}));
  const RunReport report = bench.run(document(R"([{"a":{"call":"strict","with":{"model":"${ 1 + 1 }"}}}])"));
  ASSERT_TRUE(report.problem);
  EXPECT_EQ(report.problem->type, "urn:consort:error:validation");
}

TEST(WorkflowTest, DurationsAreExact) {
  const auto milliseconds = [](const std::string& json) -> std::int64_t {
    auto parsed = workflow::parse_duration(*parse_json(json));
    return parsed ? parsed->count() : -1;
  };
  EXPECT_EQ(milliseconds(R"({"days":1,"hours":2,"minutes":3,"seconds":4,"milliseconds":5})"), 93784005);
  EXPECT_EQ(milliseconds(R"("PT1.5S")"), 1500);
  EXPECT_EQ(milliseconds(R"("P1DT2H3M4S")"), 93784000);
  for (const char* bad :
       {R"("PT")", R"("P")", R"("1S")", R"("PT1S2M")", R"("P1M")", R"("PT1")", R"("PT.S")", "{}",
        R"({"seconds":-1})", R"({"weeks":1})", R"({"seconds":1e300})", R"("PT0.0001S")", "5"})
    EXPECT_EQ(milliseconds(bad), -1) << bad;
}

TEST(WorkflowTest, TheHashFollowsTheDocumentNotItsLayout) {
  Bench bench;
  const std::string a = bench.parse(document(R"([{"a":{"set":{"x":1}}}])"))->hash();
  EXPECT_EQ(a.size(), 64u);
  EXPECT_EQ(a, bench.parse(document(R"([ {"a" : {"set": {"x": 1}}} ])"))->hash());
  EXPECT_NE(a, bench.parse(document(R"([{"a":{"set":{"x":2}}}])"))->hash());
}

class MapSource : public WorkflowSource {
 public:
  std::map<std::string, WorkflowPtr> workflows;
  Result<WorkflowPtr> find(std::string_view, std::string_view name, std::string_view) override {
    auto it = workflows.find(std::string(name));
    if (it == workflows.end()) return fail(ErrorKind::kNotFound, "no workflow '" + std::string(name) + "'");
    return it->second;
  }
};

TEST(WorkflowTest, SubWorkflowsRunWithTheirOwnStateAndArePinned) {
  Bench bench;
  MapSource source;
  source.workflows["t"] = bench.parse(document(
      R"([{"x":{"set":{"d":"${ .n * 2 }"},"export":{"as":{"s":1}}}},{"y":{"if":"${ .d > 10 }","call":"fail"}}])"));
  bench.source = &source;
  const std::string outer =
      document(R"([{"r":{"run":{"workflow":{"namespace":"test","name":"t","input":{"n":"${ .k }"}}}}},
      {"z":{"set":{"d":"${ .d }","c":"${ $context }"}}}])");
  EXPECT_EQ(write_json(bench.run(outer, R"({"k":3})").output), R"({"d":6,"c":{}})");
  const RunReport failed = bench.run(outer, R"({"k":30})");
  EXPECT_EQ(failed.problem->instance, "/do/0/r");
  EXPECT_NE(failed.problem->detail.find("/do/1/y"), std::string::npos);
  const std::string pinned = bench.parse(outer)->hash();
  source.workflows["t"] = bench.parse(document(R"([{"x":{"set":{"d":1}}}])"));
  EXPECT_NE(bench.parse(outer)->hash(), pinned);
  EXPECT_EQ(bench.findings(document(R"([{"r":{"run":{"workflow":{"name":"nope"}}}}])")).at(0).pointer,
            "/do/0/r/run/workflow");
}

// A document with every construct, to be damaged.
const char* const kRich = R"({"document":{"dsl":"1.0.0","namespace":"test","name":"rich","version":"1.0.0"},
 "input":{"schema":{"format":"json","document":{"type":"object"}},"from":"${ . }"},
 "use":{"retries":{"r":{"when":"${ $error.status == 503 }","delay":{"milliseconds":1},"backoff":{"exponential":{}},"jitter":{"from":{"milliseconds":0},"to":{"milliseconds":2}},"limit":{"attempt":{"count":2},"duration":"PT1S"}}},
        "timeouts":{"t":{"after":{"seconds":1}}},"schemas":{"s":{"format":"json","document":{"type":"object"}}},"agents":{"a":{"model":"m","instructions":"x"}}},
 "state":{"k":{"reducer":"append"}},"durability":"async","timeout":"t",
 "do":[{"one":{"set":{"n":"${ (.n // 0) + 1 }"},"export":{"as":{"k":["${ .n }"]}},"output":{"as":"${ . }","schema":"s"}}},
  {"two":{"fork":{"branches":[{"a":{"call":"echo","with":{"v":1},"retry":"r","export":{"as":{"k":[1]}}}},{"b":{"set":{"v":2},"export":{"as":{"k":[2]}}}}],"maxConcurrency":2}}},
  {"three":{"for":{"each":"x","at":"i","in":"${ [1,2,3] }","maxConcurrency":2,"toleratedFailureCount":1},"do":[{"d":{"set":{"v":"${ $x + $i }"}}}]}},
  {"four":{"input":{"from":"${ {} }"},"for":{},"while":"${ (.c // 0) < 3 }","limit":5,"do":[{"d":{"set":{"c":"${ (.c // 0) + 1 }"}}}]}},
  {"five":{"try":[{"x":{"raise":{"error":{"type":"timeout","status":408,"detail":"d"}}}}],"catch":{"errors":{"with":{"status":408}},"as":"e","when":"${ true }","retry":{"limit":{"attempt":{"count":2}}},"do":[{"h":{"set":{"t":"${ $e.type }"}}}]}}},
  {"six":{"switch":[{"c":{"when":"${ .t == 1 }","then":"one"}},{"d":{"then":"seven"}}],"limit":2}},
  {"seven":{"wait":{"milliseconds":1}}},{"eight":{"do":[{"z":{"if":"${ true }","set":{"q":"${ $workflow.input }"},"then":"exit"}}],"timeout":{"after":"PT2S","attempt":"PT1S"}}}],
 "output":{"as":"${ {last: ., k: $context.k} }"}})";

// Swaps, removes and replaces parts of a JSON tree at random.
class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}
  Value mutate(const Value& value, int depth = 0) {
    if (random_() % (8 + static_cast<unsigned>(depth) * 2) == 0 && depth > 0) return odd();
    if (value.is_array()) {
      Value::Array items;
      const std::size_t hit = value.size() ? random_() % value.size() : 0;
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (i != hit) items.push_back(value.as_array()[i]);
        if (i == hit && random_() % 6 != 0) items.push_back(mutate(value.as_array()[i], depth + 1));
      }
      return Value::array(std::move(items));
    }
    if (value.is_object()) {
      Value::Object members;
      const std::size_t hit = value.size() ? random_() % value.size() : 0;
      for (std::size_t i = 0; i < value.size(); ++i) {
        const auto& [key, member] = value.as_object()[i];
        if (i != hit)
          members.emplace_back(key, member);
        else if (random_() % 6 != 0)
          members.emplace_back(random_() % 8 ? key : "x" + key, mutate(member, depth + 1));
      }
      return Value::object(std::move(members));
    }
    return random_() % 2 ? odd() : value;
  }

 private:
  Value odd() {
    switch (random_() % 12) {
      case 0:
        return Value();
      case 1:
        return Value(true);
      case 2:
        return Value(-1);
      case 3:
        return Value(std::int64_t{1} << 62);
      case 4:
        return Value(1e308);
      case 5:
        return Value("");
      case 6:
        return Value("${ . }");
      case 7:
        return Value("${ [range(100)] }");
      case 8:
        return Value("${ $x | error }");
      case 9:
        return Value::array({Value::array(), Value::object()});
      case 10:
        return Value::object({{"", Value::object()}});
      default:
        return Value("PT0S");
    }
  }
  std::mt19937 random_;
};

TEST(WorkflowTest, MutatedDocumentsEndInFindingsOrRun) {
  Bench bench;
  const Value rich = *parse_json(kRich);
  {
    const WorkflowParse whole = Workflow::parse(rich, *bench.fakes.kinds);
    ASSERT_TRUE(whole.workflow) << write_json(findings_to_value(whole.findings));
    Result<RunReport> report = bench.start(whole.workflow, Value::object(), {});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->status, "completed") << (report->problem ? report->problem->detail : "");
  }
  Mutator mutator(20261124);
  int ran = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    Value damaged = mutator.mutate(rich);
    if (i % 3 == 0) damaged = mutator.mutate(damaged);
    const WorkflowParse parsed = Workflow::parse(damaged, *bench.fakes.kinds);
    ASSERT_NE(parsed.workflow == nullptr, parsed.findings.empty()) << write_json(damaged);
    if (!parsed.workflow) {
      ++refused;
      for (const Finding& finding : parsed.findings) ASSERT_FALSE(finding.message.empty());
      continue;
    }
    ++ran;
    RunOptions options;
    options.limits.for_items = 10000;
    Result<RunReport> report = bench.start(parsed.workflow, Value::object(), options);
    if (!report) continue;
    ASSERT_TRUE(report->status == "completed" || report->problem) << write_json(damaged);
  }
  EXPECT_GT(ran, 300);
  EXPECT_GT(refused, 1000);
}

TEST(WorkflowTest, TextCutAnywhereIsRefused) {
  Bench bench;
  const std::string text = kRich;
  for (std::size_t length = 0; length < text.size(); ++length)
    ASSERT_FALSE(parse_json(std::string_view(text).substr(0, length))) << length;
}

}  // namespace
}  // namespace consort
