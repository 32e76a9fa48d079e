// Every case of cases/*.json against this interpreter; those of cases/jq.json also against the real jq.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "scheduler/expression/expression.h"

namespace consort {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Value cases(const char* name) {
  const auto path = std::filesystem::path(CONSORT_SOURCE_DIR) / "scheduler/expression/cases" / name;
  auto v = parse_json(read(path), name);
  EXPECT_TRUE(v) << (v ? "" : v.error().line());
  return v ? *v : Value::array();
}

void expect_case(const Value& c) {
  const std::string& program = c.get("program").as_string();
  SCOPED_TRACE(program + "  on  " + write_json(c.get("input")));
  const auto expression = Expression::compile(program);
  if (const Value* refused = c.find("refused")) {
    ASSERT_FALSE(expression);
    EXPECT_EQ(error_kind_name(expression.error().kind), refused->as_string()) << expression.error().line();
    EXPECT_NE(expression.error().where.find("column"), std::string::npos);
    return;
  }
  ASSERT_TRUE(expression) << expression.error().line();
  const auto outputs = expression->evaluate_all(Scope(c.get("input")));
  if (c.get("error") == Value(true)) {
    ASSERT_FALSE(outputs) << write_json(Value::array(*outputs));
    EXPECT_EQ(outputs.error().kind, ErrorKind::kRuntime);
    return;
  }
  ASSERT_TRUE(outputs) << outputs.error().line();
  EXPECT_EQ(Value::array(*outputs), c.get("outputs")) << write_json(Value::array(*outputs));
  for (std::size_t i = 0; i < outputs->size(); ++i) {  // key order too, which == leaves out
    if ((*outputs)[i].is_object()) {
      EXPECT_EQ(write_json((*outputs)[i]), write_json(c.get("outputs").as_array()[i]));
    }
  }
}

TEST(ExpressionCases, RecordedFromJq) {
  const Value all = cases("jq.json");
  EXPECT_GE(all.size(), 500u);
  for (const Value& c : all.as_array()) expect_case(c);
}

TEST(ExpressionCases, OurOwn) {
  const Value all = cases("own.json");
  EXPECT_GE(all.size(), 50u);
  for (const Value& c : all.as_array()) expect_case(c);
}

// The outputs of jq itself, one process a case.
struct Answer {
  std::string text;
  int status = -1;
};
Answer ask_jq(const std::filesystem::path& folder, const Value& c) {
  std::ofstream(folder / "program.jq") << c.get("program").as_string();
  std::ofstream(folder / "input.json") << write_json(c.get("input"));
  const std::string command = "jq -c -f '" + (folder / "program.jq").string() + "' '" +
                              (folder / "input.json").string() + "' > '" + (folder / "out").string() +
                              "' 2>/dev/null";
  const int status = std::system(command.c_str());
  return {read(folder / "out"), WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

TEST(ExpressionCases, TheRealJqAgreesCaseByCase) {
  ASSERT_EQ(std::system("jq --version > /dev/null 2>&1"), 0)
      << "the oracle of this test is missing: install Debian's jq (it stands in `packages`)";
  const auto folder = std::filesystem::temp_directory_path() / ("consort-jq-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const Value all = cases("jq.json");
  for (const Value& c : all.as_array()) {
    SCOPED_TRACE(c.get("program").as_string() + "  on  " + write_json(c.get("input")));
    const Answer answer = ask_jq(folder, c);
    const bool fails = c.get("error") == Value(true);
    EXPECT_EQ(answer.status, fails ? 5 : 0);
    if (fails) continue;
    std::string list = "[";
    std::istringstream lines(answer.text);
    for (std::string line; std::getline(lines, line);) list += (list.size() > 1 ? "," : "") + line;
    const auto outputs = parse_json(list + "]");
    ASSERT_TRUE(outputs) << answer.text;
    EXPECT_EQ(*outputs, c.get("outputs")) << answer.text;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace consort
