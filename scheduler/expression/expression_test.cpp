#include "scheduler/expression/expression.h"

#include <chrono>
#include <random>

#include <gtest/gtest.h>

namespace consort {
namespace {

Value parsed(std::string_view text) {
  return *parse_json(text);
}

Result<Value> run(std::string_view program, const Scope& scope = {}, const EvaluationLimits& limits = {}) {
  auto expression = Expression::compile(program);
  if (!expression) return tl::unexpected<Error>(expression.error());
  return expression->evaluate(scope, limits);
}

TEST(Expression, SeesItsScope) {
  Scope scope(parsed(R"({"a":1})"));
  scope.set("context", parsed(R"({"n":[1,2]})")).set("item", "x");
  EXPECT_EQ(*run("[.a, $context.n[1], $item]", scope), parsed(R"([1,2,"x"])"));
  EXPECT_EQ(*run("$missing", scope), Value());
  EXPECT_EQ(Expression::compile("$b + $a | 1 as $c | $c + $a")->variables(),
            (std::vector<std::string>{"a", "b"}));
  scope.set("item", "y");
  EXPECT_EQ(*run("$item", scope), Value("y"));
}

TEST(Expression, NoOutputIsAnError) {
  const auto v = run("empty");
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().what, "the expression has no result");
  EXPECT_EQ(*run("1, error(\"not reached\")"), Value(1));
}

TEST(Expression, ErrorsSayWhatAndWhere) {
  const auto index = run("{a: 1} | .a\n  | .b", {});
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().what, "Cannot index number with string \"b\"");
  EXPECT_EQ(index.error().where, "line 2, column 5 of '{a: 1} | .a\n  | .b'");
  EXPECT_EQ(index.error().kind, ErrorKind::kRuntime);
  const auto raised = run("error({code: 7})");
  ASSERT_FALSE(raised);
  EXPECT_EQ(raised.error().what, "object (not a string): {\"code\":7}");
  const auto unknown = Expression::compile("1 + foo(2)");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().what, "'foo/1' is not a function of the expression language");
  EXPECT_EQ(unknown.error().where, "line 1, column 5 of '1 + foo(2)'");
}

TEST(Expression, StepsAreBounded) {
  for (const char* program : {"[range(1000000000)] | length", "reduce range(1000000000) as $i (0; . + $i)",
                              "[range(100000) | range(100000)] | length", "last(range(1e18))",
                              "any(range(1e12); . < 0)", "[limitless_ // 1]"}) {
    const auto start = std::chrono::steady_clock::now();
    const auto v = run(program);
    ASSERT_FALSE(v) << program;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took.count(), 30.0) << program;
    if (v.error().kind == ErrorKind::kUnsupported) continue;
    EXPECT_EQ(v.error().kind, ErrorKind::kBudget) << v.error().line();
  }
}

TEST(Expression, BytesAreBounded) {
  for (const char* program :
       {"\"x\" * 1000000000000", "\"abc\" * 1e18", "reduce range(60) as $i (\"x\"; . + .)",
        "reduce range(60) as $i ([1]; . + .)", "reduce range(100) as $i (\"x\"; [., .])",
        "reduce range(100) as $i ({a: 1}; {a: ., b: .})", "[range(3000000)] | map([.]) | tojson",
        "reduce range(40) as $i (\"x\"; tojson)", "reduce range(200) as $i (1; \"\\(.)\\(.)\")",
        "reduce range(64) as $i ([1]; [.[], .[]]) | length"}) {
    const auto v = run(program);
    ASSERT_FALSE(v) << program;
    EXPECT_EQ(v.error().kind, ErrorKind::kBudget) << program << v.error().line();
  }
  EvaluationLimits small;
  small.value_bytes = 1000;
  const auto large = run("[range(1000)]", {}, small);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind, ErrorKind::kBudget);
}

TEST(Expression, NoTryCatchesABudget) {
  for (const char* program :
       {"try (\"x\" * 1e15) catch 1", "[(\"x\" * 1e15)?]", "[.[]?, (range(1e15)|empty)] // 1"}) {
    const auto v = run(program);
    ASSERT_FALSE(v) << program;
    EXPECT_EQ(v.error().kind, ErrorKind::kBudget) << program;
  }
}

TEST(Expression, DepthIsBounded) {
  const auto deep = run("reduce range(5000) as $i (0; [.])");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().kind, ErrorKind::kBudget);
  EXPECT_TRUE(run("reduce range(190) as $i (0; [.])"));
  const auto nest = [](int n, const std::string& open, const std::string& middle, const std::string& close) {
    std::string text;
    for (int i = 0; i < n; ++i) text += open;
    text += middle;
    for (int i = 0; i < n; ++i) text += close;
    return text;
  };
  for (int n : {50, 300, 3000, 20'000}) {
    for (const auto& [open, middle, close] : {std::array<std::string, 3>{"(", "1", ")"},
                                              {"[", "1", "]"},
                                              {"{a:", "1", "}"},
                                              {"-", "1", ""},
                                              {"\"\\(", "1", ")\""},
                                              {"if 1 then ", "1", " else 2 end"},
                                              {"try ", "1", ""},
                                              {"1+", "1", ""},
                                              {"1|", "1", ""},
                                              {"1,", "1", ""},
                                              {".[", "0", "]"},
                                              {"1 as $x|", "$x", ""},
                                              {"1//", "2", ""},
                                              {"first(", "1", ")"},
                                              {"null|", ".", ""},
                                              {"(1,2)|", ".", ""},
                                              {".[]?|", ".", ""},
                                              {"[.[]?|", "1", "]"},
                                              {"reduce 1 as $x (", "1", ";.)"},
                                              {"1 as [", "$x", "]"},
                                              {".a", "", ""},
                                              {".", "", "[0]"},
                                              {".", "", "?"}}) {
      const auto expression = Expression::compile(nest(n, open, middle, close));
      if (!expression) continue;
      EvaluationLimits limits;
      limits.steps = 200'000;
      (void)expression->evaluate(Scope(), limits);  // ends, one way or the other
    }
  }
}

TEST(Expression, MutatedProgramsNeverCrash) {
  const std::vector<std::string> seeds = {
      R"jq(.items | map(select(.score >= 0.5)) | sort_by(-.score) | .[:2] | map({id, "n\(.x)": (.a // 1)}))jq",
      R"jq(reduce .[]? as {a: $x, b: [$y]} ({}; . + {($x|tostring): $y}) | to_entries | map("\(.key)=\(.value)"))jq",
      R"jq(try (.a.b["c"][1:-1][] | test("^a[b-z]+(x|y)*$"; "i")) catch (if . == "x" then null elif 1 then -2 else error end))jq",
      R"jq(del(.a[0,2], .b | select(. != null)?) | [first(.[]?), last(range(5; 0; -2)), any, all(.[]?; .)] | add // @base64 "q\(1.5e3)")jq"};
  const Value inputs[] = {parsed(R"({"items":[{"id":1,"score":0.9}],"a":{"b":{"c":["abx","q"]}},"b":2})"),
                          parsed(R"([{"a":1,"b":[2]},{"a":"x","b":[null]}])"), parsed("[[1,2],\"s\",null]")};
  const std::string_view splice[] = {"|",       ",",   ".[]",        "$x", "(", ")",     "[",   "]",   "{",
                                     "}",       "\"",  "\\(",        "//", "?", "..",    "as",  "if ", "end",
                                     "reduce ", "1e9", "range(1e9)", "*",  "-", "@json", "\xff"};
  std::mt19937 random(11);
  EvaluationLimits limits;
  limits.steps = 20'000;
  limits.bytes = 1 << 20;
  int compiled = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seeds[random() % seeds.size()];
    for (std::uint32_t e = 0; e <= random() % 4 && !text.empty(); ++e) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random() % 128);
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        case 2:
          text.insert(at, splice[random() % std::size(splice)]);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
          break;
      }
    }
    const auto expression = Expression::compile(text);
    if (!expression) {
      ASSERT_NE(expression.error().where.find("column"), std::string::npos) << text;
      continue;
    }
    ++compiled;
    for (const Value& input : inputs) (void)expression->evaluate_all(Scope(input), limits);
  }
  EXPECT_GT(compiled, 500);
}

TEST(Expression, LargeInputsTakeReasonableTime) {
  Value::Array items;
  for (int i = 0; i < 20'000; ++i) items.push_back(Value::object({{"id", i}, {"s", (i * 7919) % 1000}}));
  const Scope scope(Value::array(std::move(items)));
  EXPECT_EQ(*run("map(select(.s > 500)) | sort_by(.s) | length", scope), Value(9980));
  EXPECT_EQ(*run("reduce .[] as $x ([]; . + [$x.id]) | length", scope), Value(20'000));
  EXPECT_EQ(*run("group_by(.s) | length", scope), Value(1000));
  EXPECT_EQ(run("map({(.id|tostring): .s}) | add", scope)->size(), 20'000u);
  EXPECT_EQ(*run("del(.[] | select(.s >= 500)) | length", scope), Value(10'000));
}

TEST(Expression, TrivialOnesAreFast) {
#if !defined(CONSORT_SANITIZED) && defined(NDEBUG)
  const Scope scope(parsed(R"({"x":1,"b":{"c":2}})"));
  for (const char* program : {".x", "{a: .b}", ".b.c + 1", "\"n \\(.x)\""}) {
    const auto expression = Expression::compile(program);
    double best = 1e9;
    for (int round = 0; round < 7; ++round) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 5000; ++i) ASSERT_TRUE(expression->evaluate(scope));
      const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
      best = std::min(best, took.count() / 5000);
    }
    std::printf("%-12s %.3f us\n", program, best);
    EXPECT_LT(best, 2.0) << program;
  }
#endif
}

}  // namespace
}  // namespace consort
