// How well the retrieval memory finds what was marked, in every mode, with the real encoders. The figures are
// printed; the floors only notice that something broke.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "memory/retrieval/code_splitter.h"
#include "memory/retrieval/text_splitter.h"
#include "tests/golden/retrieval_rig.h"
#include "tests/golden/rig.h"

namespace consort::golden {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
const fs::path kSource = CONSORT_SOURCE_DIR;

std::vector<fs::path> files_in(const fs::path& folder, std::initializer_list<std::string_view> extensions) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (std::find(extensions.begin(), extensions.end(), entry.path().extension().string()) !=
        extensions.end())
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<json> lines_of(const fs::path& file) {
  std::vector<json> all;
  std::istringstream lines(read_text(file.string()));
  for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line));
  return all;
}

TEST(RetrievalQuality, ShippedNotes) {
  std::vector<RankedItem> items;
  for (const fs::path& file : files_in(kSource / "configs/notes", {".md"}))
    for (const TextPiece& piece : split_text(read_text(file.string())))
      items.push_back({piece.text, {file.filename().string()}});
  std::vector<MarkedQuestion> questions;
  for (const json& q : lines_of(kSource / "configs/questions/ask-the-notes.jsonl"))
    questions.push_back({q["question"].get<std::string>(), {q["note"].get<std::string>()}});
  ASSERT_EQ(questions.size(), 20u);
  const auto rows = RetrievalSet(std::move(items), std::move(questions)).table("shipped notes");
  for (const auto& row : rows) EXPECT_GE(row.recall5, 0.7);
  for (std::size_t reranked = 6; reranked < rows.size(); ++reranked) EXPECT_GE(rows[reranked].recall1, 0.8);
}

// This project's own memory room, cut into functions and classes. A mark is "file symbol", or the file alone.
TEST(RetrievalQuality, CodeOfThisProject) {
  std::vector<RankedItem> items;
  for (const char* room : {"retrieval", "store", "kv", "device"})
    for (const fs::path& file : files_in(kSource / "memory" / room, {".cpp"})) {
      const std::string path = fs::relative(file, kSource).generic_string();
      if (path.find("_test.cpp") != std::string::npos) continue;
      for (const CodePiece& piece : split_code(read_text(file.string()), CodeSyntax::kBraces))
        items.push_back({code_item_text(path, piece), {path, path + " " + piece.symbol}});
    }
  std::vector<MarkedQuestion> questions;
  for (const json& q : lines_of(data_path("code_questions.jsonl")))
    questions.push_back({q["question"].get<std::string>(), q["relevant"].get<std::vector<std::string>>()});
  ASSERT_GE(questions.size(), 25u);
  const auto rows = RetrievalSet(std::move(items), std::move(questions)).table("code of memory/");
  for (const auto& row : rows) EXPECT_GE(row.recall5, 0.4);
}

}  // namespace
}  // namespace consort::golden
