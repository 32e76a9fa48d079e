// configs/schemas/workflow.json is what `consort workflow schema` prints, and the shipped workflows obey it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agents/calls/call_kinds.h"
#include "protocols/json/workflow_text.h"
#include "scheduler/schema/schema.h"

namespace consort {
namespace {

std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(PublishedSchemaTest, IsAssembledFromTheCallKindsOfThisBuild) {
  const auto path = std::filesystem::path(CONSORT_SOURCE_DIR) / "configs/schemas/workflow.json";
  const std::string now = workflow_schema_text(*call_kinds_for_checking()) + "\n";
  if (std::getenv("CONSORT_UPDATE_SCHEMAS") != nullptr) std::ofstream(path, std::ios::binary) << now;
  EXPECT_TRUE(file_text(path) == now)
      << "write it again: CONSORT_UPDATE_SCHEMAS=1 protocols_json_test --gtest_filter='PublishedSchema*'";
}

TEST(PublishedSchemaTest, ShippedWorkflowsAreValid) {
  const auto kinds = call_kinds_for_checking();
  const Result<Schema> schema = Schema::compile(workflow_schema(*kinds));
  ASSERT_TRUE(schema) << schema.error().line();
  int seen = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(CONSORT_SOURCE_DIR) / "configs/workflows")) {
    if (entry.path().extension() != ".json") continue;
    ++seen;
    const std::string text = file_text(entry.path());
    FolderWorkflows folder(entry.path().parent_path().string(), kinds);
    const WorkflowParse parse = read_workflow(text, *kinds, &folder);
    for (const Finding& finding : parse.findings)
      ADD_FAILURE() << entry.path().filename() << finding.pointer << ": " << finding.message;
    const Result<Value> document = parse_json(text);
    ASSERT_TRUE(document);
    for (const SchemaFinding& finding : schema->validate(*document))
      ADD_FAILURE() << entry.path().filename() << finding.instance << ": schema: " << finding.message;
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace consort
