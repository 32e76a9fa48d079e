// Pictures of a workflow, and the published schema against documents that the parser takes and refuses.
#include "protocols/json/workflow_graph.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "protocols/json/workflow_text.h"
#include "scheduler/schema/schema.h"

namespace consort {
namespace {

class EchoKind : public TaskHandler {
 public:
  std::string_view kind() const override { return "echo"; }
  const Value& options_schema() const override { return schema_; }
  boost::asio::awaitable<Result<TaskOutcome>> run(TaskContext&, Value with) override {
    co_return TaskOutcome{std::move(with), {}};
  }

 private:
  Value schema_ = *parse_json(R"({"type":"object","additionalProperties":false,"required":["text"],
    "properties":{"text":{"type":"string"},"count":{"type":"integer","minimum":1}}})");
};

const CallKinds& kinds() {
  static const auto all = [] {
    auto made = std::make_unique<CallKinds>();
    EXPECT_TRUE(made->add(std::make_shared<EchoKind>()).has_value());
    return made;
  }();
  return *all;
}

constexpr const char* kDocument = R"({
  "document": {"dsl": "1.0.0", "namespace": "test", "name": "every <act> & \"more\"", "version": "1.2.3"},
  "use": {"retries": {"twice": {"limit": {"attempt": {"count": 2}}}}},
  "do": [
    {"look": {"fork": {"branches": [
      {"left": {"call": "echo", "with": {"text": "${ .a }", "count": "${ 1 + 1 }"}, "retry": "twice"}},
      {"right": {"do": [{"one": {"set": {"x": 1}}}, {"two": {"wait": {"milliseconds": 5}}}]}}]}}},
    {"choose": {"switch": [
      {"far": {"when": "${ (. | length) > 3 }", "then": "finish"}},
      {"near": {"then": "again"}}]}},
    {"again": {"for": {"each": "word", "in": "${ [1, 2] }"}, "do": [{"say": {"set": {"w": "${ $word }"}}}],
      "then": "look", "limit": 3}},
    {"careful": {"try": [{"risky": {"raise": {"error": {"type": "runtime"}}}}],
      "catch": {"as": "why", "do": [{"mend": {"set": {"said": "${ $why.title }"}}}]}, "then": "end"}},
    {"finish": {"set": {"done": true}}}]})";

WorkflowPtr workflow() {
  WorkflowParse parse = read_workflow(kDocument, kinds());
  for (const Finding& f : parse.findings) ADD_FAILURE() << f.pointer << ": " << f.message;
  return parse.workflow;
}

std::size_t count(const std::string& text, const std::string& piece) {
  std::size_t found = 0;
  for (std::size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++found;
  return found;
}

TEST(WorkflowGraphTest, MermaidHasEveryTaskAndClosesWhatItOpens) {
  const WorkflowPtr w = workflow();
  ASSERT_NE(w, nullptr);
  const std::string text = workflow_mermaid(*w);
  for (const char* name : {"look", "left", "right", "one", "two", "choose", "again", "say", "careful",
                           "risky", "mend", "finish"})
    EXPECT_NE(text.find("\"" + std::string(name) + " – "), std::string::npos) << name << "\n" << text;
  EXPECT_EQ(count(text, "subgraph "), count(text, "end\n")) << text;
  EXPECT_NE(text.find("flowchart TD"), std::string::npos);
  EXPECT_NE(text.find("|\"far: (. | length) #gt; 3\"|"), std::string::npos) << text;
}

TEST(WorkflowGraphTest, MermaidGoesWhereTheWorkflowGoes) {
  const std::string text = workflow_mermaid(*workflow());
  std::map<std::string, std::string> id;
  const std::regex node("(t[0-9]+)(?:\\[+|\\{)\"([a-z]+) ");
  for (std::sregex_iterator it(text.begin(), text.end(), node), none; it != none; ++it)
    id[(*it)[2]] = (*it)[1];
  const auto has = [&](const std::string& edge) {
    return text.find("  " + edge + "\n") != std::string::npos;
  };
  EXPECT_TRUE(has("start --> " + id["look"])) << text;
  EXPECT_TRUE(has(id["look"] + " --> " + id["choose"])) << text;
  EXPECT_TRUE(has(id["one"] + " --> " + id["two"])) << text;
  EXPECT_TRUE(has(id["again"] + " -.-> " + id["look"])) << text;
  EXPECT_TRUE(has(id["careful"] + " -.-> finish")) << text;
  EXPECT_TRUE(has(id["finish"] + " --> finish")) << text;
  EXPECT_FALSE(has(id["choose"] + " --> " + id["again"]))
      << "a switch with an otherwise case goes only where it says";
  EXPECT_FALSE(has(id["again"] + " --> " + id["careful"])) << text;
  EXPECT_FALSE(has(id["left"] + " --> " + id["right"])) << "branches stand side by side";
}

TEST(WorkflowGraphTest, SvgIsWellFormedAndItsBoxesLieInsideThePage) {
  const std::string svg = workflow_svg(*workflow());
  EXPECT_NE(svg.find("every &lt;act&gt; &amp; &quot;more&quot;"), std::string::npos);
  double page_width = 0, page_height = 0;
  ASSERT_EQ(std::sscanf(svg.c_str(), "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %lf %lf",
                        &page_width, &page_height),
            2);
  const std::regex box(
      "<rect class=\"(?:task|outer)[a-z ]*\" x=\"([0-9.]+)\" y=\"([0-9.]+)\" width=\"([0-9.]+)\" "
      "height=\"([0-9.]+)\"");
  struct Box {
    double x, y, width, height;
  };
  std::vector<Box> boxes;
  for (std::sregex_iterator it(svg.begin(), svg.end(), box), none; it != none; ++it)
    boxes.push_back({std::stod((*it)[1]), std::stod((*it)[2]), std::stod((*it)[3]), std::stod((*it)[4])});
  EXPECT_EQ(boxes.size(), 12u);
  for (const Box& a : boxes) {
    EXPECT_LE(a.x + a.width, page_width);
    EXPECT_LE(a.y + a.height, page_height);
    for (const Box& b : boxes) {
      const double overlap_x = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
      const double overlap_y = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
      if (&a == &b || overlap_x <= 0 || overlap_y <= 0) continue;
      const bool nested =
          overlap_x >= std::min(a.width, b.width) - 0.2 && overlap_y >= std::min(a.height, b.height) - 0.2;
      EXPECT_TRUE(nested) << "boxes cross: " << a.x << "," << a.y << " and " << b.x << "," << b.y;
    }
  }
}

TEST(WorkflowSchemaTest, TakesWhatTheParserTakesAndRefusesPlainMistakes) {
  const auto schema = Schema::compile(workflow_schema(kinds()));
  ASSERT_TRUE(schema.has_value()) << schema.error().line();
  const Value good = *parse_json(kDocument);
  for (const SchemaFinding& f : schema->validate(good)) ADD_FAILURE() << f.instance << ": " << f.message;
  const auto head = good.get("document");
  for (const char* tasks :
       {R"([])", R"([{"a": {}}])", R"([{"a": {"call": "nosuch"}}])",
        R"([{"a": {"call": "echo", "with": {"text": 1}}}])",
        R"([{"a": {"call": "echo", "with": {"text": "x", "count": "seven"}}}])",
        R"([{"a": {"set": {}, "wait": "PT1S"}}])",
        R"([{"a": {"call": "echo", "with": {"text": "x", "colour": "red"}}}])",
        R"([{"a": {"wait": "soon"}}])", R"([{"a": {"set": {"x": 1}, "budget": {"tokens": 1}}}])",
        R"([{"a": {"set": {}}, "b": {"set": {}}}])"}) {
    const Value document = Value::object({{"document", head}, {"do", *parse_json(tasks)}});
    EXPECT_FALSE(schema->validate(document).empty()) << tasks;
    EXPECT_EQ(Workflow::parse(document, kinds()).workflow, nullptr) << tasks;
  }
}

}  // namespace
}  // namespace consort
