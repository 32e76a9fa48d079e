#include "models/tokenizer/wordpiece.h"

#include <gmock/gmock.h>

#include "models/tokenizer/bert_normalizer.h"

namespace consort {
namespace {

using Ids = std::vector<TokenId>;

std::vector<std::string> words(std::string_view text) {
  const BertWords found = bert_words(text);
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (const std::size_t end : found.ends) {
    out.push_back(found.text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

constexpr const char* kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\nhello\n!\n##s\n\xC3\xA9\n##\xE1\x84\x80\n";

std::string json(const std::string& model_extra = "", const std::string& extra = "") {
  return R"({"normalizer":{"type":"BertNormalizer","lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},)"
         R"("added_tokens":[{"id":0,"content":"[UNK]","special":true},{"id":1,"content":"[CLS]","special":true},)"
         R"({"id":2,"content":"[SEP]","special":true},{"id":5,"content":"[NEW]","special":false}],)"
         R"("model":{"type":"WordPiece",)" +
         model_extra + R"("vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"##b":4}})" + extra + "}";
}

ErrorKind refused(const std::string& bytes) {
  const auto parsed = parse_tokenizer_json(bytes, "tokenizer.json");
  return parsed ? ErrorKind::kRuntime : parsed.error().kind;
}

TEST(BertNormalizer, WordsAsInTheReference) {
  EXPECT_THAT(words("Hello,  W\xC3\xB6rld!\t\xE2\x80\x8B"
                    "x"),
              testing::ElementsAre("hello", ",", "world", "!", "x"));
  EXPECT_THAT(words("\xE6\x97\xA5\xE6\x9C\xAC"
                    "a"),
              testing::ElementsAre("\xE6\x97\xA5", "\xE6\x9C\xAC", "a"));
  EXPECT_THAT(words("\xEA\xB0\x80"), testing::ElementsAre("\xE1\x84\x80\xE1\x85\xA1"));  // U+AC00 in two jamo
  EXPECT_THAT(words("a\xFF\x80"
                    "b\xC0\xAF"),
              testing::ElementsAre("ab"));
  EXPECT_THAT(words(" \r\n"), testing::IsEmpty());
}

TEST(WordPiece, LongestMatchInsideWords) {
  const WordPiece t(parse_vocab_txt(kVocabulary, "vocab.txt").value());
  EXPECT_EQ(t.encode("Unaffable hellos!", {true, false}), (Ids{2, 5, 6, 7, 8, 10, 9, 3}));
  EXPECT_EQ(t.encode("unx", {}), (Ids{1}));  // one part has no token: the whole word is unknown
  EXPECT_EQ(t.encode("hello[MASK]", {false, true}), (Ids{8, 4}));
  EXPECT_EQ(t.encode("hello[MASK]", {false, false}), (Ids{8, 1, 1, 1}));
  EXPECT_EQ(t.encode_with_literals("[MASK][MASK]", std::vector<ByteRange>{{0, 3}}), (Ids{1, 1, 1, 4}));
  EXPECT_EQ(t.encode(std::string(100, 'z') + " " + std::string(101, 's'), {}), (Ids{1, 1}));
  EXPECT_EQ(t.decode(Ids{2, 5, 6, 8}, true).value(), "[CLS] unaff hello");
  EXPECT_EQ(t.token_bytes(6), "aff");
  EXPECT_EQ(t.token_bytes(8), " hello");
  EXPECT_EQ(t.token_bytes(2), "");
}

TEST(WordPiece, TokenizerJson) {
  const auto parsed = parse_tokenizer_json(json(), "tokenizer.json");
  ASSERT_TRUE(parsed) << parsed.error().line();
  const WordPiece t(*parsed);
  EXPECT_EQ(t.vocab_size(), 6);  // the added token lengthens the vocabulary
  EXPECT_EQ(t.encode("AB[NEW]", {true, false}), (Ids{1, 3, 4, 5, 2}));
  EXPECT_EQ(refused(json(R"("max_input_chars_per_word":0,)")), ErrorKind::kCorrupt);
  EXPECT_EQ(refused("[]"), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(std::string(100000, '[')), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(R"({"model":{"type":"BPE"}})"), ErrorKind::kUnsupported);
  std::string cased = json();
  cased.replace(cased.find("true"), 4, "false");
  EXPECT_EQ(refused(cased), ErrorKind::kUnsupported);
  std::string gap = json();
  gap.replace(gap.find("\"a\":3"), 5, "\"a\":9");
  EXPECT_EQ(refused(gap), ErrorKind::kCorrupt);
  EXPECT_EQ(refused(json("", R"(,"post_processor":{"type":"ByteLevel"})")), ErrorKind::kUnsupported);
  EXPECT_EQ(parse_vocab_txt("a\nb\n", "vocab.txt").error().kind, ErrorKind::kInvalid);
}

}  // namespace
}  // namespace consort
