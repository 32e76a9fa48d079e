#include <gtest/gtest.h>

#include "scheduler/expression/expression.h"

namespace consort {
namespace {

Value parsed(std::string_view text) {
  return *parse_json(text);
}

Value filled(std::string_view text, const Scope& scope) {
  auto made = Template::compile(parsed(text));
  EXPECT_TRUE(made) << (made ? "" : made.error().line());
  if (!made) return Value();
  auto v = made->evaluate(scope);
  EXPECT_TRUE(v) << (v ? "" : v.error().line());
  return v ? *v : Value();
}

const Scope kScope = Scope(parsed(R"({"s":"text","n":3,"o":{"b":1,"a":[null]},"f":2.0})"));

TEST(Template, AWholeExpressionKeepsItsType) {
  EXPECT_EQ(filled(R"("${ .n }")", kScope), Value(3));
  EXPECT_EQ(filled(R"("${.o}")", kScope), parsed(R"({"b":1,"a":[null]})"));
  EXPECT_EQ(filled(R"("${ {a: \"}\", b: {}} }")", kScope), parsed(R"({"a":"}","b":{}})"));
  EXPECT_EQ(filled(R"("${ \"\\(.s)}\" }")", kScope), Value("text}"));
}

TEST(Template, InsideTextResultsAreText) {
  EXPECT_EQ(filled(R"("a ${ .s } b ${ .n }!")", kScope), Value("a text b 3!"));
  EXPECT_EQ(filled(R"("${ .o }${ .x }${ .f }")", kScope), Value(R"({"b":1,"a":[null]}null2)"));
  EXPECT_EQ(filled(R"(" ${ .n }")", kScope), Value(" 3"));
  EXPECT_EQ(filled(R"("$${ .n } $ { } }")", kScope), Value("$3 $ { } }"));
  EXPECT_EQ(filled(R"("${ \"${\" }x")", kScope), Value("${x"));
}

TEST(Template, WalksTheWholeTree) {
  EXPECT_EQ(write_json(filled(R"({"z":["${ .n }",{"${ .n }":"k ${ .s }"}],"a":1,"l":"plain"})", kScope)),
            R"({"z":[3,{"${ .n }":"k text"}],"a":1,"l":"plain"})");
  const Value constant = parsed(R"({"a":[1,"x"]})");
  const auto made = Template::compile(constant);
  EXPECT_TRUE(made->is_constant());
  EXPECT_EQ(*made->evaluate(kScope), constant);
  const auto variables = Template::compile(parsed(R"(["${ $b }","${ $a + $b }", "x ${ $context.q }"])"));
  EXPECT_EQ(variables->variables(), (std::vector<std::string>{"a", "b", "context"}));
  EXPECT_FALSE(variables->is_constant());
}

TEST(Template, AllFindingsCarryTheirPointers) {
  std::vector<TemplateFinding> findings;
  const auto made = Template::compile(
      parsed(R"({"a/b":["${ nope }","ok ${ .x }","t ${ .x "],"c":"${ }","d":1})"), &findings);
  ASSERT_FALSE(made);
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[0].pointer, "/a~1b/0");
  EXPECT_EQ(findings[0].error.what, "'nope/0' is not a function of the expression language");
  EXPECT_EQ(findings[0].error.where, "/a~1b/0, line 1, column 4 of '${ nope }'");
  EXPECT_EQ(findings[1].pointer, "/a~1b/2");
  EXPECT_EQ(findings[2].pointer, "/c");
  EXPECT_EQ(made.error().line(), findings[0].error.line());
}

TEST(Template, RunTimeErrorsNameTheString) {
  const auto made = Template::compile(parsed(R"({"with":{"q":"n: ${ .s + 1 }"}})"));
  const auto v = made->evaluate(kScope);
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().what, "string (\"text\") and number (1) cannot be added");
  EXPECT_EQ(v.error().where, "/with/q, line 1, column 10 of 'n: ${ .s + 1 }'");
}

TEST(Template, ResultsAreBounded) {
  EvaluationLimits limits;
  limits.value_bytes = 10'000;
  const auto parts =
      Template::compile(parsed(R"(["${ \"x\" * 4000 }","${ \"x\" * 4000 }","${ \"x\" * 4000 }"])"));
  const auto v = parts->evaluate(kScope, limits);
  ASSERT_FALSE(v);
  EXPECT_EQ(v.error().kind, ErrorKind::kBudget);
  const auto text = Template::compile(Value("${ \"x\" * 4000 }${ \"x\" * 4000 }${ \"x\" * 4000 }"));
  EXPECT_FALSE(text->evaluate(kScope, limits));
}

TEST(Template, PlacesThatAreAlwaysExpressionsTakeBarePrograms) {
  for (const char* text : {".n > 2", "${ .n > 2 }"}) {
    const auto made = Template::compile_expression(Value(text));
    ASSERT_TRUE(made);
    EXPECT_TRUE(*made->evaluate_condition(kScope));
  }
  EXPECT_FALSE(*Template::compile_expression(Value("null"))->evaluate_condition(kScope));
  EXPECT_EQ(*Template::compile_expression(parsed(R"({"a":"${ .n }"})"))->evaluate(kScope),
            parsed(R"({"a":3})"));
  EXPECT_FALSE(Template::compile_expression(Value("1 +")));
  EXPECT_TRUE(*Template::compile_expression(Value(true))->evaluate_condition(kScope));
}

}  // namespace
}  // namespace consort
