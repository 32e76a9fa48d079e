// Token ids of every recorded text, both ways.
#include <gmock/gmock.h>

#include "tests/golden/tokenizer/golden_files.h"

namespace consort::golden {
namespace {

using Ids = std::vector<TokenId>;

std::string from_hex(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

void expect_all_rows(const std::string& model, const std::string& file) {
  const auto tokenizer = open_tokenizer(model);
  const auto rows = json_lines(file);
  ASSERT_GE(rows.size(), 180u);
  for (const auto& row : rows) {
    const auto text = row.at("text").get<std::string>();
    const EncodeOptions options{row.at("add_special").get<bool>(), row.at("parse_special").get<bool>()};
    const Ids ids = tokenizer->encode(text, options), wanted = row.at("ids").get<Ids>();
    if (row.contains("peer_ids"))  // two tokenizers of the reference differ: either may stand
      EXPECT_THAT(ids, testing::AnyOf(wanted, row.at("peer_ids").get<Ids>())) << row.at("text");
    else
      EXPECT_EQ(ids, wanted) << row.at("text");
    const std::string back = row.contains("detokenized_hex")
                                 ? from_hex(row.at("detokenized_hex").get<std::string>())
                                 : row.at("detokenized").get<std::string>();
    EXPECT_EQ(tokenizer->decode(wanted, true).value(), back) << row.at("text");
    std::string joined;
    for (const TokenId id : wanted) joined += tokenizer->token_bytes(id);
    EXPECT_EQ(joined, tokenizer->decode(wanted, false).value()) << row.at("text");
  }
}

TEST(TokenizerGolden, SmolLm2ByteLevelBpe) {
  expect_all_rows(kSmolLm2, "smollm2-135m-instruct.tokenize.jsonl");
}
TEST(TokenizerGolden, Gemma3SentencePiece) {
  expect_all_rows(kGemma3, "gemma-3-270m.tokenize.jsonl");
}

class WordPieceGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(WordPieceGolden, EveryRow) {
  const auto tokenizer = open_tokenizer(GetParam());
  const auto rows = json_lines("all-minilm-l6-v2.tokens.jsonl");
  ASSERT_GE(rows.size(), 170u);
  for (const auto& row : rows) {
    const auto text = row.at("text").get<std::string>();
    const Ids wanted = row.at("ids").get<Ids>();
    const Ids plain = row.contains("ids_plain") ? row.at("ids_plain").get<Ids>() : wanted;
    EXPECT_EQ(tokenizer->encode(text, {true, true}), wanted) << row.at("id");
    EXPECT_EQ(tokenizer->encode(text, {true, false}), plain) << row.at("id");
    const Ids bare(plain.begin() + 1, plain.end() - 1);
    EXPECT_EQ(tokenizer->encode(text, {false, false}), bare) << row.at("id");
  }
}

INSTANTIATE_TEST_SUITE_P(Models, WordPieceGolden,
                         ::testing::Values("all-minilm-l6-v2", "bge-small-en-v1.5", "answerai-colbert-small-v1",
                                           "ms-marco-minilm-l12-v2"),
                         [](const auto& info) { return "model" + std::to_string(info.index); });

TEST(TokenizerGolden, RolesOfTheModels) {
  const auto smol = open_tokenizer(kSmolLm2), gemma = open_tokenizer(kGemma3), mini = open_tokenizer(kMiniLm);
  EXPECT_EQ(smol->kind(), "bpe/smollm");
  EXPECT_EQ(smol->vocab_size(), 49152);
  EXPECT_FALSE(smol->adds_bos());
  EXPECT_EQ(smol->eos(), 2);
  EXPECT_TRUE(smol->is_end_of_generation(2) && smol->is_end_of_generation(0) &&
              !smol->is_end_of_generation(1));
  EXPECT_EQ(smol->find("<|im_start|>"), 1);
  EXPECT_EQ(gemma->kind(), "spm");
  EXPECT_EQ(gemma->vocab_size(), 262144);
  EXPECT_TRUE(gemma->adds_bos());
  EXPECT_EQ(gemma->bos(), 2);
  EXPECT_TRUE(gemma->is_end_of_generation(1) && gemma->is_end_of_generation(106));
  EXPECT_TRUE(gemma->is_special(2) && !gemma->is_special(108));
  EXPECT_EQ(gemma->decode(Ids{262144}, true).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(mini->kind(), "wordpiece");
  EXPECT_EQ(mini->vocab_size(), 30522);
  EXPECT_EQ(mini->bos(), 101);
  EXPECT_EQ(mini->eos(), 102);
  EXPECT_EQ(mini->decode(mini->encode("Unbelievably good!", {true, false}), false).value(),
            "unbelievably good !");
}

}  // namespace
}  // namespace consort::golden
