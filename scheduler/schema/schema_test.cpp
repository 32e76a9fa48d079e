#include "scheduler/schema/schema.h"

#include <chrono>
#include <random>

#include <gtest/gtest.h>

namespace consort {
namespace {

Value parsed(std::string_view text) {
  auto v = parse_json(text);
  EXPECT_TRUE(v) << text << (v ? "" : v.error().line());
  return v ? *v : Value();
}

std::string findings(std::string_view schema, std::string_view instance) {
  const auto compiled = Schema::compile(parsed(schema));
  if (!compiled) return compiled.error().line();
  std::string text;
  for (const auto& f : compiled->validate(parsed(instance))) {
    text += f.instance + " | " + f.schema + " | " + f.message + "\n";
  }
  return text;
}

TEST(Schema, NamesEveryFindingByPointer) {
  EXPECT_EQ(findings(R"({"type":"object","required":["a","b"],"additionalProperties":false,
                         "properties":{"a":{"type":"integer","minimum":1},"l/m":{"items":{"type":"string"}}}})",
                     R"({"a":0,"l/m":["x",5],"zz":1})"),
            " | /required | must have the key 'b'\n"
            "/zz | /additionalProperties | unknown key 'zz'\n"
            "/a | /properties/a/minimum | must be at least 1, is 0\n"
            "/l~1m/1 | /properties/l~1m/items/type | must be a string, is an integer\n");
  EXPECT_EQ(findings(R"({"type":["string","null"]})", "1"),
            " | /type | must be string or null, is an integer\n");
  EXPECT_EQ(findings(R"({"enum":["a","b"]})", "\"c\""),
            " | /enum | must be one of [\"a\",\"b\"], is \"c\"\n");
  EXPECT_EQ(findings(R"({"minLength":2,"pattern":"^\\d+$"})", "\"é\""),
            " | /minLength | must have at least 2 characters, has 1\n"
            " | /pattern | must match the pattern ^\\d+$, is \"é\"\n");
  EXPECT_EQ(findings(R"({"uniqueItems":true})", "[1,2,1.0]"),
            "/2 | /uniqueItems | stands twice: equal to item 0\n");
}

TEST(Schema, AlternativesSayWhyNoneFits) {
  EXPECT_EQ(
      findings(R"({"anyOf":[{"type":"string"},{"required":["x"]}]})", "{}"),
      " | /anyOf | fits none of 2 alternatives: must be a string, is an object; must have the key 'x'\n");
  EXPECT_EQ(findings(R"({"oneOf":[{"minimum":1},{"maximum":5}]})", "3"),
            " | /oneOf | fits 2 alternatives, must fit exactly one\n");
  EXPECT_EQ(findings(R"({"oneOf":[{"minimum":1},{"maximum":5}]})", "9"), "");
}

TEST(Schema, Keywords2020) {
  EXPECT_EQ(findings(R"({"prefixItems":[{"type":"string"}],"items":{"type":"integer"}})", R"(["a",1,2])"),
            "");
  EXPECT_EQ(findings(R"({"prefixItems":[{"type":"string"}],"items":false})", R"(["a",1])"),
            "/1 | /items | is not allowed here\n");
  EXPECT_EQ(findings(R"({"contains":{"const":1},"minContains":2,"maxContains":3})", "[1,2]"),
            " | /contains | must have at least 2 items of the wanted kind, has 1\n");
  EXPECT_EQ(findings(R"({"contains":{"const":1},"minContains":0})", "[]"), "");
  EXPECT_EQ(findings(R"({"dependentRequired":{"a":["b"]}})", R"({"a":1})"),
            " | /dependentRequired | must have the key 'b' because it has 'a'\n");
  EXPECT_EQ(
      findings(
          R"({"if":{"properties":{"k":{"const":"x"}}},"then":{"required":["x"]},"else":{"required":["y"]}})",
          R"({"k":"x"})"),
      " | /then/required | must have the key 'x'\n");
  EXPECT_EQ(
      findings(R"({"$defs":{"p":{"$anchor":"here","type":"string"}},"items":{"$ref":"#here","minLength":2}})",
               R"(["ab",1,"c"])"),
      "/1 | /$defs/p/type | must be a string, is an integer\n"
      "/2 | /items/minLength | must have at least 2 characters, has 1\n");
  EXPECT_EQ(findings(R"({"propertyNames":{"maxLength":2}})", R"({"abc":1})"),
            "/abc | /propertyNames | key must have at most 2 characters, has 3\n");
  EXPECT_EQ(
      findings(R"({"patternProperties":{"^n":{"type":"number"}},"additionalProperties":{"type":"null"}})",
               R"({"n1":"x","o":1})"),
      "/n1 | /patternProperties/^n/type | must be a number, is a string\n"
      "/o | /additionalProperties/type | must be null, is an integer\n");
}

TEST(Schema, NumbersAreExact) {
  EXPECT_EQ(findings(R"({"maximum":9007199254740992})", "9007199254740993"),
            " | /maximum | must be at most 9007199254740992, is 9007199254740993\n");
  EXPECT_EQ(findings(R"({"multipleOf":0.01})", "19.99"), "");
  EXPECT_EQ(findings(R"({"multipleOf":0.1})", "1e300"), "");
  EXPECT_NE(findings(R"({"multipleOf":1e300})", "10"), "");
  EXPECT_EQ(findings(R"({"multipleOf":7})", "-9223372036854775807"), "");
  EXPECT_EQ(findings(R"({"type":"integer"})", "1.0"), "");
  EXPECT_NE(findings(R"({"type":"integer"})", "1.5"), "");
  EXPECT_EQ(findings(R"({"const":{"a":[1,2]}})", R"({"a":[1.0,2]})"), "");
}

TEST(Schema, RefusesWrongSchemasByPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties":{"a":{"tipe":"string"}}})", "unknown keyword 'tipe' (schema /properties/a/tipe)"},
      {R"({"type":"strnig"})", "unknown type \"strnig\" (schema /type)"},
      {R"({"minimum":"1"})", "must be a number (schema /minimum)"},
      {R"({"required":"a"})", "must be an array of strings (schema /required)"},
      {R"({"items":{"$ref":"#/$defs/x"}})", "'#/$defs/x' refers to nothing (schema /items/$ref)"},
      {R"({"$ref":"other.json"})", "is not a local reference"},
      {R"({"$ref":"#"})", "the schema refers to itself without end (schema root)"},
      {R"({"$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}}})", "without end"},
      {R"x({"pattern":"("})x", "a group is not closed"},
      {R"x({"pattern":"(?=x)"})x", "look-around is not supported"},
      {R"({"format":"date"})", "'format' is not checked here"},
      {R"({"unevaluatedProperties":false})", "the keyword 'unevaluatedProperties' is not supported"},
      {R"([1])", "a schema must be an object or a boolean, is an array (schema root)"},
      {R"({"allOf":[]})", "must be an array of schemas, not empty (schema /allOf)"},
      {R"({"multipleOf":0})", "must be a number above 0"},
      {R"({"maxLength":-1})", "must be an integer of at least 0 (schema /maxLength)"},
      {R"({"$defs":{"unused":{"type":5}}})", "unknown type 5 (schema /$defs/unused/type)"}};
  for (const auto& [schema, message] : cases) {
    const auto compiled = Schema::compile(parsed(schema));
    ASSERT_FALSE(compiled) << schema;
    EXPECT_NE(compiled.error().line().find(message), std::string::npos) << compiled.error().line();
  }
  SchemaOptions lenient;
  lenient.refuse_unknown_keywords = false;
  EXPECT_TRUE(
      Schema::compile(parsed(R"({"format":"date","whatever":1,"properties":{"a":{"$id":"x"}}})"), lenient));
  EXPECT_FALSE(Schema::compile(parsed(R"({"unevaluatedItems":false})"), lenient));
  EXPECT_TRUE(Schema::compile(parsed(R"({"x-order":1,"title":"t","$schema":"s","$id":"i","default":{}})")));
}

TEST(Schema, RecursionFollowsTheInstance) {
  const char* tree =
      R"({"$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"c":{"items":{"$ref":"#/$defs/n"}}},
                        "additionalProperties":false}},"$ref":"#/$defs/n"})";
  EXPECT_EQ(findings(tree, R"({"v":1,"c":[{"v":2},{"c":[{"v":"x"}]}]})"),
            "/c/1/c/0/v | /$defs/n/properties/v/type | must be an integer, is a string\n");
}

TEST(Schema, WorkIsBoundedAndUnfinishedChecksAreNeverVerdicts) {
  std::string deep = "1";
  for (int i = 0; i < 150; ++i) deep = "{\"a\":" + deep + "}";
  const char* twice =
      R"({"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["b"]},{"properties":{"a":{"$ref":"#"}},"required":["c"]}]})";
  const char* inverted =
      R"({"not":{"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["b"]},{"properties":{"a":{"$ref":"#"}},"required":["c"]}]}})";
  for (const char* schema : {twice, inverted}) {
    const auto start = std::chrono::steady_clock::now();
    const std::string text = findings(schema, deep);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_NE(text.find("is too much work to check"), std::string::npos) << text;
#ifdef CONSORT_SANITIZED
    EXPECT_LT(took.count(), 300.0);
#else
    EXPECT_LT(took.count(), 30.0);
#endif
  }
}

TEST(Schema, FindingsAreCapped) {
  std::string many = "[";
  for (int i = 0; i < 500; ++i) many += i ? ",\"x\"" : "\"x\"";
  const auto schema = Schema::compile(parsed(R"({"items":{"type":"integer"}})"));
  EXPECT_EQ(schema->validate(parsed(many + "]")).size(), 100u);
  EXPECT_EQ(schema->validate(parsed(many + "]"), 3).size(), 3u);
  const auto status = schema->check(parsed("[1,\"x\"]"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().line(), "consort: must be an integer, is a string (/1)");
  EXPECT_TRUE(schema->check(parsed("[1]")));
}

TEST(Schema, MutatedSchemasAndInstancesNeverCrash) {
  const std::string schema =
      R"({"$defs":{"n":{"type":["object","array"],"properties":{"a":{"$ref":"#/$defs/n"}},"required":["a"]}},
          "oneOf":[{"$ref":"#/$defs/n"},{"prefixItems":[{"multipleOf":0.5}],"items":{"pattern":"^[a-z]{1,3}$"},"contains":{"const":1}}],
          "if":{"minProperties":1},"then":{"patternProperties":{"^a":{"enum":[1,[2],{}]}},"additionalProperties":false}})";
  const std::string instance = R"({"a":{"a":[{"a":1.5}]},"b":[1,"abc",null]})";
  std::mt19937 random(3);
  SchemaOptions lenient;
  lenient.refuse_unknown_keywords = false;
  int compiled = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string s = schema, v = instance;
    for (std::uint32_t e = 0; e <= random() % 3; ++e) {
      std::string& t = random() % 2 ? s : v;
      const std::size_t at = random() % t.size();
      switch (random() % 3) {
        case 0:
          t[at] = "{}[]\",:01.-aeftn#/$"[random() % 20];
          break;
        case 1:
          t.erase(at, 1);
          break;
        default:
          t.insert(at, t.substr(random() % t.size(), random() % 12));
      }
    }
    const auto sv = parse_json(s), iv = parse_json(v);
    if (!sv || !iv) continue;
    const auto made = Schema::compile(*sv, lenient);
    if (!made) continue;
    ++compiled;
    (void)made->validate(*iv);
  }
  EXPECT_GT(compiled, 500);
}

}  // namespace
}  // namespace consort
