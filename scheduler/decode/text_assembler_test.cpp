#include "scheduler/decode/text_assembler.h"

#include <gtest/gtest.h>

#include <random>

namespace consort {
namespace {

TEST(TextAssembler, FindsAStopStringAcrossTokenBorders) {
  TextAssembler text({"END", "\n\n"});
  std::string streamed;
  const auto feed = [&](TokenId id, std::string_view bytes) {
    const bool stopped = text.add(id, bytes);
    streamed += text.take(stopped).text;
    return stopped;
  };
  EXPECT_FALSE(feed(1, "one E"));
  EXPECT_EQ(streamed, "one ");  // an E may begin a stop string
  EXPECT_FALSE(feed(2, "N"));
  EXPECT_FALSE(feed(3, "O "));
  EXPECT_EQ(streamed, "one ENO ");
  EXPECT_FALSE(feed(4, "xE"));
  EXPECT_FALSE(feed(5, "N"));
  EXPECT_TRUE(feed(6, "D tail"));
  EXPECT_EQ(text.text(), "one ENO x");
  EXPECT_EQ(streamed, "one ENO x");
  EXPECT_EQ(text.ids(), (std::vector<TokenId>{1, 2, 3, 4}));  // 5 and 6 begin behind the text's end
}

TEST(TextAssembler, TheEarliestStopWins) {
  TextAssembler text({"cd", "bc"});
  EXPECT_TRUE(text.add(1, "abcd"));
  EXPECT_EQ(text.text(), "a");
}

TEST(TextAssembler, StreamsWholeCharacters) {
  EXPECT_EQ(complete_utf8("a\xC3"), 1u);
  EXPECT_EQ(complete_utf8("a\xC3\xA9"), 3u);
  EXPECT_EQ(complete_utf8("\xE2\x82"), 0u);
  EXPECT_EQ(complete_utf8("x\xF0\x9F\x98"), 1u);
  EXPECT_EQ(complete_utf8("x\xF0\x9F\x98\x80"), 5u);
  EXPECT_EQ(complete_utf8("\x80\x80\x80\x80"), 4u);  // never valid: do not hold it for ever
  EXPECT_EQ(complete_utf8("\xFF"), 1u);
  EXPECT_EQ(complete_utf8(""), 0u);
  TextAssembler text({});
  text.add(1, "\xE2\x82");
  EXPECT_EQ(text.take(false).text, "");
  text.add(2, "\xAC!");
  const auto piece = text.take(false);
  EXPECT_EQ(piece.text, "\xE2\x82\xAC!");
  EXPECT_EQ(piece.ids, (std::vector<TokenId>{1, 2}));
  text.add(3, "\xC3");
  EXPECT_EQ(text.take(true).text, "\xC3");  // at the end everything goes out
}

TEST(TextAssembler, StreamEqualsTextForRandomTokens) {
  std::mt19937 rng(5);
  for (int round = 0; round < 500; ++round) {
    const auto word = [&](int most) {
      std::string s;
      for (int n = 1 + static_cast<int>(rng() % most); n > 0; --n) s += static_cast<char>('a' + rng() % 2);
      return s;
    };
    const std::vector<std::string> stops{word(5), word(6)};
    TextAssembler text(stops);
    std::string streamed, all;
    std::vector<TokenId> ids;
    bool stopped = false;
    for (int i = 0; i < 30 && !stopped; ++i) {
      const std::string bytes = rng() % 5 == 0 ? "" : word(3);
      all += bytes;
      stopped = text.add(i, bytes);
      const auto piece = text.take(stopped || i == 29);
      streamed += piece.text;
      ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
    }
    const std::size_t first = std::min(all.find(stops[0]), all.find(stops[1]));
    EXPECT_EQ(stopped, first != std::string::npos);
    EXPECT_EQ(text.text(), all.substr(0, first));
    EXPECT_EQ(streamed, text.text());
    EXPECT_EQ(ids, text.ids());
  }
}

TEST(TextAssembler, ChecksStops) {
  EXPECT_TRUE(check_stops({"a", std::string(kMaxStopBytes, 'x')}));
  EXPECT_FALSE(check_stops({""}));
  EXPECT_FALSE(check_stops({std::string(kMaxStopBytes + 1, 'x')}));
  EXPECT_FALSE(check_stops(std::vector<std::string>(kMaxStops + 1, "a")));
}

}  // namespace
}  // namespace consort
