// Unigram vocabularies against the ids that the `tokenizers` package gives (make_unigram.py).
#include <gtest/gtest.h>

#include "models/formats/testing/synthetic_files.h"
#include "models/tokenizer/unigram.h"
#include "tests/golden/tokenizer/golden_files.h"

namespace consort::golden {
namespace {

using Ids = std::vector<TokenId>;

std::string folder_of(const std::string& name) {
  return std::string(CONSORT_SOURCE_DIR) + "/tests/golden/tokenizer/data/unigram/" + name;
}

class UnigramGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(UnigramGolden, EveryRow) {
  const std::string name = GetParam();
  ASSERT_TRUE(is_unigram_folder(folder_of(name)));
  const auto tokenizer = load_unigram(folder_of(name));
  ASSERT_TRUE(tokenizer) << tokenizer.error().line();
  const auto rows = json_lines("unigram/" + name + "/cases.jsonl");
  ASSERT_GE(rows.size(), 120u);
  for (const auto& row : rows) {
    const auto text = row.at("text").get<std::string>();
    EXPECT_EQ((*tokenizer)->encode(text, {true, true}), row.at("ids").get<Ids>()) << row.at("text");
    EXPECT_EQ((*tokenizer)->encode(text, {false, true}), row.at("bare").get<Ids>()) << row.at("text");
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, UnigramGolden, ::testing::Values("siglip", "bytes", "words"));

TEST(UnigramGolden, DecodingGivesTheTextBack) {
  const auto tokenizer = load_unigram(folder_of("bytes"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().line();
  const std::string text = "The ferry leaves at \xF0\x9F\x8C\x8A nine";
  EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode(text, {true, true}), false).value(), text);
  EXPECT_TRUE((*tokenizer)->decode(Ids{999999}).error().kind == ErrorKind::kInvalid);
}

// A token's text inside a text that is not to be parsed is ordinary text.
TEST(UnigramGolden, SpecialTextIsLiteralUnlessParsed) {
  const auto tokenizer = load_unigram(folder_of("bytes"));
  const TokenId end = *(*tokenizer)->eos();
  const auto literal = (*tokenizer)->encode("a</s>b", {false, false});
  EXPECT_EQ(std::count(literal.begin(), literal.end(), end), 0);
  const auto parsed = (*tokenizer)->encode("a</s>b", {false, true});
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), end), 1);
}

TEST(UnigramGolden, WhatIsNotKnownIsRefusedByName) {
  std::ifstream in(folder_of("siglip") + "/tokenizer.json");
  const nlohmann::json whole = nlohmann::json::parse(in);
  const testing::TemporaryFolder folder;
  const auto refused = [&](auto change) {
    nlohmann::json changed = whole;
    change(changed);
    folder.file("tokenizer.json", changed.dump());
    const auto tokenizer = load_unigram(folder.path());
    return tokenizer ? std::string("read") : tokenizer.error().line();
  };
  const auto names = [](const std::string& line, const char* what) {
    return line.find(what) != std::string::npos;
  };
  EXPECT_EQ(refused([](auto&) {}), "read");
  EXPECT_TRUE(
      names(refused([](auto& j) { j["normalizer"]["normalizers"][0]["type"] = "Nmt"; }), "normaliser Nmt"));
  EXPECT_TRUE(names(refused([](auto& j) { j["normalizer"]["normalizers"][1]["pattern"]["Regex"] = "(a|b)"; }),
                    "(a|b)"));
  EXPECT_TRUE(names(refused([](auto& j) { j["pre_tokenizer"]["type"] = "Digits"; }), "Digits"));
  EXPECT_TRUE(names(refused([](auto& j) { j["pre_tokenizer"]["prepend_scheme"] = "last"; }), "last"));
  EXPECT_TRUE(names(refused([](auto& j) { j["post_processor"]["type"] = "ByteLevel"; }), "ByteLevel"));
  EXPECT_TRUE(names(refused([](auto& j) { j["model"]["type"] = "BPE"; }), "BPE"));
  EXPECT_TRUE(names(refused([](auto& j) { j["added_tokens"][0]["lstrip"] = true; }), "lstrip"));
  EXPECT_TRUE(names(refused([](auto& j) { j["added_tokens"][0]["id"] = 3; }), "id of another piece"));
  EXPECT_TRUE(names(refused([](auto& j) { j["model"]["unk_id"] = 5000; }), "outside the vocabulary"));
  EXPECT_TRUE(names(refused([](auto& j) { j["model"]["vocab"][4] = "x"; }), "not the JSON expected"));
  EXPECT_TRUE(names(refused([](auto& j) { j["model"].erase("vocab"); }), "not the JSON expected"));
}

}  // namespace
}  // namespace consort::golden
