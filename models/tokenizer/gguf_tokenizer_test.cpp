#include "models/tokenizer/gguf_tokenizer.h"

#include <gmock/gmock.h>

#include <random>

#include "models/tokenizer/splitter.h"
#include "models/tokenizer/testing/memory_source.h"

namespace consort {
namespace {

using testing::MemorySource;
using testing::tiny_bpe;
using testing::tiny_spm;
using Ids = std::vector<TokenId>;

std::vector<std::string> pieces(PreTokenizer kind, std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = next_piece(kind, text, at);
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

std::unique_ptr<Tokenizer> loaded(const MemorySource& source) {
  auto tokenizer = load_tokenizer(source);
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().line();
  return std::move(*tokenizer);
}

ErrorKind refused(const MemorySource& source) {
  const auto tokenizer = load_tokenizer(source);
  return tokenizer ? ErrorKind::kRuntime : tokenizer.error().kind;
}

TEST(Splitter, EachPatternCutsAsPublished) {
  const std::string text = "I'll pay  $12345, it's\t\n\n  x";
  EXPECT_THAT(
      pieces(PreTokenizer::kGpt2, text),
      ::testing::ElementsAre("I", "'ll", " pay", " ", " $", "12345", ",", " it", "'s", "\t\n\n ", " x"));
  EXPECT_THAT(pieces(PreTokenizer::kSmolLm, text),
              ::testing::ElementsAre("I", "'ll", " pay", " ", " $", "1", "2", "3", "4", "5", ",", " it", "'s",
                                     "\t\n\n ", " x"));
  EXPECT_THAT(pieces(PreTokenizer::kLlamaBpe, text),
              ::testing::ElementsAre("I", "'ll", " pay", " ", " $", "123", "45", ",", " it", "'s", "\t\n\n",
                                     " ", " x"));
  EXPECT_THAT(pieces(PreTokenizer::kQwen2, "HE'LL 12\r\nok!\n"),
              ::testing::ElementsAre("HE", "'LL", " ", "1", "2", "\r\n", "ok", "!\n"));
  EXPECT_THAT(pieces(PreTokenizer::kSmolLm, "a   7"), ::testing::ElementsAre("a", "   ", "7"));
  EXPECT_THAT(pieces(PreTokenizer::kGpt2, "a   7"), ::testing::ElementsAre("a", "  ", " 7"));
}

TEST(Splitter, CoversAnyBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text)
      c = static_cast<char>(random() % 3 ? random() % 256 : " \n'a1.\xC3\xA9"[random() % 8]);
    for (const auto kind :
         {PreTokenizer::kGpt2, PreTokenizer::kSmolLm, PreTokenizer::kLlamaBpe, PreTokenizer::kQwen2}) {
      std::string joined;
      for (const std::string& piece : pieces(kind, text)) {
        ASSERT_FALSE(piece.empty());
        joined += piece;
      }
      ASSERT_EQ(joined, text);
    }
  }
}

TEST(ByteBpe, MergesByRankAndDropsBytesWithoutToken) {
  const auto t = loaded(tiny_bpe());
  EXPECT_EQ(t->encode("abc"), (Ids{11}));      // b c first (rank 0), then a bc
  EXPECT_EQ(t->encode("abcd"), (Ids{11, 5}));  // c is gone before c d is looked at
  EXPECT_EQ(t->encode("abab"), (Ids{9, 9}));
  EXPECT_EQ(t->encode(" a a"), (Ids{12, 12}));
  EXPECT_EQ(t->encode("aZb\xFF"), (Ids{2, 3}));  // Z and FF have no token; a and b do not merge over the gap
  EXPECT_EQ(t->encode(std::string(100, 'a') + "bc"), [] {
    Ids ids(99, 2);
    ids.push_back(11);
    return ids;
  }());
}

TEST(ByteBpe, LongAndShortPiecesAgree) {
  const auto t = loaded(tiny_bpe());
  std::mt19937 random(8);
  for (int round = 0; round < 500; ++round) {
    std::string text(41 + random() % 60, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 5);
    // The same letters cut at a place where nothing merges (e joins nothing) go through the short path.
    Ids parts;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('e', at), text.size() - 1) + 1;
      const Ids ids = t->encode(text.substr(at, end - at));
      parts.insert(parts.end(), ids.begin(), ids.end());
      at = end;
    }
    ASSERT_EQ(t->encode(text), parts) << text;
  }
}

TEST(GgufTokenizer, SpecialTokens) {
  const auto t = loaded(tiny_bpe());
  EXPECT_EQ(t->encode("a<s>b", {false, true}), (Ids{2, 0, 3}));
  EXPECT_EQ(t->encode("<x>@@@", {false, false}),
            (Ids{14}));  // user-defined always, control never; < x > @: no tokens
  EXPECT_EQ(t->encode("a", {true, false}), (Ids{2}));  // gpt2 adds BOS only when the file says so
  auto with_bos = tiny_bpe();
  with_bos.set("add_bos_token", true);
  with_bos.set("add_eos_token", true);
  EXPECT_EQ(loaded(with_bos)->encode("a", {true, false}), (Ids{0, 2, 1}));
  EXPECT_EQ(loaded(tiny_bpe("llama-bpe"))->encode("a", {true, false}), (Ids{0, 2}));
  const std::vector<ByteRange> literal = {{1, 4}};
  EXPECT_EQ(t->encode_with_literals("a<s>b<s>@@", literal), (Ids{2, 3, 0, 14}));
  const std::vector<ByteRange> touching = {{0, 2}};
  EXPECT_EQ(t->encode_with_literals("a<s>", touching), (Ids{2}));
  // Ordinary text merges across the border of a literal range.
  EXPECT_EQ(t->encode_with_literals("abc", std::vector<ByteRange>{{1, 2}}), (Ids{11}));
  EXPECT_EQ(t->decode(Ids{0, 12, 14}, true).value(), "<s> a@@");
  EXPECT_EQ(t->decode(Ids{0, 12, 14}, false).value(), " a@@");
  EXPECT_EQ(t->find("<s>"), 0);
  EXPECT_EQ(t->find(" a"), 12);
  EXPECT_EQ(t->find("nope"), std::nullopt);
}

TEST(SentencePiece, MergesByScoreWithByteFallback) {
  const auto t = loaded(tiny_spm());
  EXPECT_EQ(t->encode("aba"), (Ids{262, 259}));  // ab beats ba
  EXPECT_EQ(t->encode("a a\xE2\x96\x81"
                      "a"),
            (Ids{259, 264, 264}));
  EXPECT_EQ(t->encode("\xC3\xA9"), (Ids{3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(t->encode("\xE2\x28"), (Ids{3 + 0xE2, 3 + 0x28}));
  EXPECT_EQ(t->encode("\n\n\n"), (Ids{265, 3 + 10}));
  EXPECT_EQ(t->encode("a", {true, false}), (Ids{1, 259}));
  EXPECT_EQ(t->decode(Ids{1, 264, 3 + 0xC3, 3 + 0xA9}, false).value(), " a\xC3\xA9");
  auto prefixed = tiny_spm();
  prefixed.set("add_space_prefix", true);
  const auto p = loaded(prefixed);
  EXPECT_EQ(p->encode("a<s>a", {false, true}), (Ids{264, 1, 264}));
  EXPECT_EQ(p->decode(Ids{264, 264}, false).value(), "a a");
  EXPECT_EQ(p->token_bytes(264), " a");
}

TEST(SentencePiece, AnyBytesComeBack) {
  const auto t = loaded(tiny_spm());
  std::mt19937 random(4);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 120, 'a');
    for (char& c : text) c = static_cast<char>(random() % 4 ? "ab "[random() % 3] : random() % 256);
    ASSERT_EQ(t->decode(t->encode(text), true).value(), [&] {
      std::string spaced = text;  // U+2581 means a space
      for (std::size_t at; (at = spaced.find("\xE2\x96\x81")) != std::string::npos;)
        spaced.replace(at, 3, " ");
      return spaced;
    }());
  }
}

TEST(GgufTokenizer, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refused(tiny_bpe("smaug-bpe")), ErrorKind::kUnsupported);
  EXPECT_THAT(load_tokenizer(tiny_bpe("smaug-bpe")).error().what, ::testing::HasSubstr("smaug-bpe"));
  auto s = tiny_bpe();
  s.values.erase("tokenizer.ggml.pre");
  EXPECT_EQ(refused(s), ErrorKind::kUnsupported);
  s = tiny_bpe();
  s.set("model", std::string("t5"));
  EXPECT_EQ(refused(s), ErrorKind::kUnsupported);
  s = tiny_bpe();
  s.set("bos_token_id", std::int64_t{99});
  EXPECT_EQ(refused(s), ErrorKind::kCorrupt);
  s = tiny_bpe();
  s.set("merges", std::vector<std::string>{"ab"});
  EXPECT_EQ(refused(s), ErrorKind::kCorrupt);
  s = tiny_bpe();
  s.set("token_type", std::vector<std::int64_t>{1});
  EXPECT_EQ(refused(s), ErrorKind::kCorrupt);
  s = tiny_bpe();
  s.set("tokens", std::vector<std::string>{});
  EXPECT_EQ(refused(s), ErrorKind::kCorrupt);
  s = tiny_spm();
  s.set("scores", std::vector<double>{0.5});
  EXPECT_EQ(refused(s), ErrorKind::kCorrupt);
  s = tiny_spm();
  s.values.erase("tokenizer.ggml.tokens");
  EXPECT_EQ(refused(s), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace consort
