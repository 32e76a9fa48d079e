#include "protocols/json/workflow_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "protocols/json/duplicate_keys.h"

namespace consort {
namespace {

std::vector<std::string> pointers(const std::string& text) {
  std::vector<std::string> out;
  for (const Finding& finding : read_workflow(text, CallKinds()).findings) out.push_back(finding.pointer);
  std::sort(out.begin(), out.end());
  return out;
}

const std::string kHead = R"({"document":{"dsl":"1.0.0","namespace":"t","name":"w","version":"1.0.0"},)";

TEST(WorkflowTextTest, EveryDuplicateKeyIsAFindingBesideTheOthers) {
  EXPECT_EQ(
      pointers(
          kHead +
          R"("do":[{"a":{"set":{"v":1,"v":2,"w/x":1,"w/x":1}}},{"b":{"nothing":1}}],"do":[{"c":{"set":5}}]})"),
      (std::vector<std::string>{"/do", "/do/0/a/set/v", "/do/0/a/set/w~1x", "/do/0/c/set"}));
  EXPECT_TRUE(read_workflow(kHead + R"("do":[{"a":{"set":{"v":1}}}]})", CallKinds()).workflow);
}

TEST(WorkflowTextTest, TextThatIsNoJsonIsOneFinding) {
  for (const std::string text : {"", "{", "[1,]", "\xff", "nul", "{\"a\":1} x"}) {
    const WorkflowParse parse = read_workflow(text, CallKinds());
    EXPECT_FALSE(parse.workflow);
    ASSERT_EQ(parse.findings.size(), 1u) << text;
  }
  EXPECT_TRUE(find_duplicate_keys(std::string(100000, '[')).pointers.empty());
}

TEST(WorkflowTextTest, DamagedTextEndsInFindings) {
  const std::string whole =
      kHead +
      R"("do":[{"a":{"set":{"v":"${ .x | map(. + 1) }"}}},{"f":{"fork":{"branches":[{"x":{"wait":"PT1S"}}]}}}]})";
  std::mt19937 random(7);
  for (int i = 0; i < 3000; ++i) {
    std::string text = whole;
    for (unsigned n = random() % 4 + 1; n > 0; --n) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 8 + 1);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), 12));
          break;
        default:
          text[at] = "{}[]\",:$\\"[random() % 9];
      }
      if (text.empty()) text = "{";
    }
    const WorkflowParse parse = read_workflow(text, CallKinds());
    ASSERT_NE(parse.workflow == nullptr, parse.findings.empty()) << text;
  }
}

TEST(WorkflowTextTest, FolderFindsTheLatestVersionAndRefusesCircles) {
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "consort-folder-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const auto put = [&](const std::string& file, const std::string& name, const std::string& version,
                       const std::string& tasks) {
    std::ofstream(pattern + "/" + file) << R"({"document":{"dsl":"1.0.0","namespace":"t","name":")" + name +
                                               R"(","version":")" + version + R"("},"do":)" + tasks + "}";
  };
  put("a.json", "leaf", "1.9.0", R"([{"a":{"set":{"v":9}}}])");
  put("b.json", "leaf", "1.10.0", R"([{"a":{"set":{"v":10}}}])");
  put("c.json", "one", "1.0.0", R"([{"r":{"run":{"workflow":{"name":"two"}}}}])");
  put("d.json", "two", "1.0.0", R"([{"r":{"run":{"workflow":{"name":"one"}}}}])");
  FolderWorkflows folder(pattern, std::make_shared<CallKinds>());
  EXPECT_EQ((*folder.find("t", "leaf", ""))->version(), "1.10.0");
  EXPECT_EQ((*folder.find("t", "leaf", "1.9.0"))->version(), "1.9.0");
  EXPECT_EQ(folder.find("t", "none", "").error().kind, ErrorKind::kNotFound);
  const auto circle = folder.find("t", "one", "");
  ASSERT_FALSE(circle);
  EXPECT_NE(circle.error().what.find("circle") == std::string::npos ? circle.error().what.find("runs itself")
                                                                    : circle.error().what.find("circle"),
            std::string::npos)
      << circle.error().what;
  fs::remove_all(pattern);
}

}  // namespace
}  // namespace consort
