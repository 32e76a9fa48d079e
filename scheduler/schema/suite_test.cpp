// The published JSON-Schema-Test-Suite (Debian package json-schema-test-suite), draft 07: the newest draft in
// the package whose keywords this validator knows. Every file of the suite is either run or named below with
// the reason why it is not.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "scheduler/schema/schema.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

const fs::path kSuite = "/usr/share/json-schema-test-suite/tests/draft7";

const std::map<std::string, std::string> kSkippedFiles = {
    {"refRemote.json",
     "references to other documents are refused: nothing is fetched while a schema is read"},
    {"optional/content.json", "contentEncoding and contentMediaType are annotations"},
};
const std::string kFormatsReason =
    "format is refused in our schemas and ignored in others, as the draft allows";

const std::map<std::string, std::string> kSkippedGroups = {
    {"ref.json: ref overrides any sibling keywords", "2020-12: keywords beside $ref apply"},
    {"ref.json: remote ref, containing refs itself", "reference to another document"},
    {"ref.json: Recursive references between schemas", "references through $id of subschemas"},
    {"definitions.json: valid definition", "reference to the meta-schema, another document"},
    {"definitions.json: invalid definition", "reference to the meta-schema, another document"},
    {"optional/ecmascript-regex.json: ECMA 262 regex non-compliance",
     "\\Z is refused when the schema is compiled, which the suite counts as a mistake of the instance"},
};

Value read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  auto v = parse_json(text.str(), path.filename().string());
  EXPECT_TRUE(v) << (v ? "" : v.error().line());
  return v ? *v : Value::array();
}

TEST(SchemaSuite, Draft07) {
  ASSERT_TRUE(fs::is_directory(kSuite))
      << kSuite << " is missing: install Debian's json-schema-test-suite (it stands in `packages`)";
  SchemaOptions options;
  options.refuse_unknown_keywords = false;
  int files = 0, groups = 0, tests = 0;
  std::size_t seen_skipped = 0;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(kSuite)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    const std::string file = fs::relative(path, kSuite).string();
    if (kSkippedFiles.count(file) || file.starts_with("optional/format/")) continue;
    ++files;
    const Value all = read(path);
    for (const Value& group : all.as_array()) {
      const std::string name = file + ": " + group.get("description").as_string();
      const auto skipped = kSkippedGroups.find(name);
      if (skipped != kSkippedGroups.end()) {
        ++seen_skipped;
        continue;
      }
      SCOPED_TRACE(name);
      const auto schema = Schema::compile(group.get("schema"), options);
      EXPECT_TRUE(schema) << (schema ? "" : schema.error().line());
      if (!schema) continue;
      ++groups;
      for (const Value& test : group.get("tests").as_array()) {
        const auto findings = schema->validate(test.get("data"));
        EXPECT_EQ(findings.empty(), test.get("valid").as_bool())
            << test.get("description").as_string() << (findings.empty() ? "" : ": " + findings[0].message);
        ++tests;
      }
    }
  }
  std::printf("%d files, %d groups, %d tests of the suite\n", files, groups, tests);
  EXPECT_GE(files, 36);
  EXPECT_GE(tests, 400);
  EXPECT_EQ(seen_skipped, kSkippedGroups.size()) << "a skipped group is not in the suite";
}

// What is skipped for being refused is refused with a clear error, not misread.
TEST(SchemaSuite, SkippedReferencesAreRefused) {
  if (!fs::is_directory(kSuite)) GTEST_FAIL() << kSuite << " is missing";
  SchemaOptions options;
  options.refuse_unknown_keywords = false;
  const Value remote = read(kSuite / "refRemote.json");
  for (const Value& group : remote.as_array()) {
    const auto schema = Schema::compile(group.get("schema"), options);
    ASSERT_FALSE(schema) << group.get("description").as_string();
    EXPECT_TRUE(schema.error().kind == ErrorKind::kUnsupported || schema.error().kind == ErrorKind::kInvalid);
  }
}

}  // namespace
}  // namespace consort
