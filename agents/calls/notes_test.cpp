// The shipped notes and questions: each question is fair (its answer stands in its note), and search alone
// finds the right note.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "memory/retrieval/retrieval.h"
#include "memory/retrieval/text_splitter.h"
#include "memory/store/temporary_store.h"
#include "scheduler/value/value.h"

namespace consort {
namespace {

namespace fs = std::filesystem;
const fs::path kConfigs = fs::path(CONSORT_SOURCE_DIR) / "configs";

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::vector<Value> questions() {
  std::istringstream lines(read_file(kConfigs / "questions" / "ask-the-notes.jsonl"));
  std::vector<Value> all;
  for (std::string line; std::getline(lines, line);) {
    auto value = parse_json(line);
    EXPECT_TRUE(value.has_value()) << line;
    if (value) all.push_back(*value);
  }
  return all;
}

TEST(Notes, EveryAnswerStandsInItsNote) {
  const auto all = questions();
  EXPECT_EQ(all.size(), 20u);
  for (const Value& q : all) {
    const std::string note = lower(read_file(kConfigs / "notes" / q.get("note").as_string()));
    EXPECT_NE(note.find(lower(q.get("accept").as_array().at(0).as_string())), std::string::npos)
        << write_json(q);
    EXPECT_EQ(lower(q.get("question").as_string()).find(lower(q.get("answer").as_string())),
              std::string::npos);
  }
}

TEST(Notes, SearchByWordsFindsTheNote) {
  testing::TemporaryDirectory dir;
  auto store = std::move(*Store::open(dir / "s"));
  auto memory = std::move(*Retrieval::open(*store));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(kConfigs / "notes")) {
    const std::string name = entry.path().filename().string();
    std::vector<NewItem> items;
    for (const TextPiece& piece : split_text(read_file(entry.path()))) {
      items.push_back({piece.text, fmt::format("{}#{}", name, piece.position), {}, {name}, {}});
    }
    EXPECT_FALSE(items.empty()) << name;
    ASSERT_TRUE(memory->remember("notes", items).has_value());
    ++files;
  }
  EXPECT_GE(files, 30u);
  int first = 0, among_four = 0;
  const auto all = questions();
  for (const Value& q : all) {
    SearchQuery query;
    query.name_space = "notes";
    query.mode = SearchMode::kLexical;
    query.text = q.get("question").as_string();
    query.top_k = 4;
    const auto found = memory->search(query);
    ASSERT_TRUE(found.has_value());
    for (std::size_t i = 0; i < found->hits.size(); ++i) {
      if (found->hits[i].item.provenance.source != q.get("note").as_string()) continue;
      first += i == 0;
      ++among_four;
      break;
    }
  }
  fmt::print("by words alone: the right note first for {} of {} questions, among four for {}\n", first,
             all.size(), among_four);
  EXPECT_GE(first, 15);
  EXPECT_GE(among_four, 18);
}

}  // namespace
}  // namespace consort
