#include <bit>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "scheduler/value/utf8.h"
#include "scheduler/value/value.h"

namespace consort {
namespace {

std::string round_trip(std::string_view text) {
  const auto v = parse_json(text);
  return v ? write_json(*v) : v.error().line();
}

TEST(Json, RoundTripsText) {
  for (const char* text :
       {"null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "0.1", "-0.0",
        "1e+300", "1e-07", "5e-324", "1.0", "\"\"", R"("a\"\\\n\r\t\b\fé€😀\u0001")", "[]", "{}",
        "[1,[2,[]],{}]", R"({"z":1,"a":{"y":null,"b":[true]}})"}) {
    EXPECT_EQ(round_trip(text), text);
  }
  EXPECT_EQ(round_trip(" [ 1 , 2 ]\n"), "[1,2]");
  EXPECT_EQ(round_trip(R"("\u00e9\ud83d\ude00\/")"), "\"é😀/\"");
  EXPECT_EQ(round_trip("-0"), "-0.0");
  EXPECT_EQ(round_trip("9223372036854775808"), "9223372036854775808.0");
  EXPECT_EQ(round_trip("1E2"), "100.0");
  EXPECT_EQ(round_trip("1e-400"), "0.0");
}

TEST(Json, IntegersStayIntegers) {
  EXPECT_TRUE(parse_json("9007199254740993")->is_integer());
  EXPECT_EQ(parse_json("9007199254740993")->as_integer(), 9007199254740993);
  EXPECT_FALSE(parse_json("1.0")->is_integer());
  EXPECT_FALSE(parse_json("1e0")->is_integer());
}

TEST(Json, DoublesReadBackBitForBit) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto d = std::bit_cast<double>(random());
    if (!std::isfinite(d)) continue;
    const auto back = parse_json(write_json(Value(d)));
    ASSERT_TRUE(back);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(back->as_number()), std::bit_cast<std::uint64_t>(d));
    ASSERT_EQ(back->type(), Value::Type::kNumber);
  }
  EXPECT_EQ(write_json(Value(std::nan(""))), "null");
}

TEST(Json, ErrorsNameLineAndColumn) {
  const std::pair<const char*, const char*> cases[] = {{"", "line 1, column 1"},
                                                       {"[1,\n 2,]", "line 2, column 4"},
                                                       {"{\"é\" 1}", "line 1, column 6"},
                                                       {"{\"a\":1,\n\"a\":2}", "line 2, column 1"},
                                                       {"1 2", "line 1, column 3"},
                                                       {"[\"a\x01\"]", "line 1, column 4"},
                                                       {"\"\\x\"", "line 1, column 3"},
                                                       {"\"\\ud800\"", "line 1, column 8"},
                                                       {"\"\\udc00\"", "column 8"},
                                                       {"01", "line 1, column 2"},
                                                       {"-", "line 1, column 2"},
                                                       {"1.", "line 1, column 3"},
                                                       {"1e", "line 1, column 3"},
                                                       {"1e999", "line 1, column 1"},
                                                       {"nul", "line 1, column 1"},
                                                       {"[1", "line 1, column 3"},
                                                       {"\"abc", "line 1, column 5"},
                                                       {"[\"\xff\"]", "line 1, column 3"},
                                                       {"\"\xed\xa0\x80\"", "column 2"},
                                                       {"\"\xc0\xaf\"", "column 2"},
                                                       {"NaN", "line 1, column 1"},
                                                       {"'a'", "line 1, column 1"},
                                                       {"[1,]", "line 1, column 4"},
                                                       {"{,}", "line 1, column 2"},
                                                       {"\xef\xbb\xbf{}", "column 1"},
                                                       {"\"\\u12", "column 4"},
                                                       {"\"\\u12g4\"", "column 4"},
                                                       {"+1", "column 1"},
                                                       {".5", "column 1"},
                                                       {"\"\\", "column 3"},
                                                       {"[1 2]", "column 4"},
                                                       {"{\"a\":}", "column 6"}};
  for (const auto& [text, place] : cases) {
    const auto v = parse_json(text, "file.json");
    ASSERT_FALSE(v) << text;
    EXPECT_EQ(v.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(v.error().where.find(place), std::string::npos) << text << ": " << v.error().line();
    EXPECT_EQ(v.error().where.rfind("file.json, ", 0), 0u);
  }
}

TEST(Json, DuplicateKeysAreFoundInLargeObjectsToo) {
  std::string text = "{";
  for (int i = 0; i < 3000; ++i) text += "\"k" + std::to_string(i) + "\":1,\n";
  const auto twice = parse_json(text + "\"k17\":2}");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().what, "key \"k17\" stands twice in one object");
  EXPECT_EQ(twice.error().where, "line 3001, column 1");
  EXPECT_EQ(parse_json(text + "\"k3000\":2}")->size(), 3001u);
}

TEST(Json, DepthIsBounded) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(kMaxJsonDepth)));
  EXPECT_FALSE(parse_json(nested(kMaxJsonDepth + 1)));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '{')));
}

TEST(Json, PrettyTextReadsBack) {
  const auto v = parse_json(R"({"a":[1,{"b":[]}],"c":{}})");
  EXPECT_EQ(write_json_pretty(*v),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
  EXPECT_EQ(*parse_json(write_json_pretty(*v)), *v);
}

TEST(Json, MutatedTextNeverCrashesAndAcceptedTextRoundTrips) {
  const std::string seed =
      R"({"document":{"dsl":"1.0.0","n":[1,-2.5e3,true,null,"é\u00e9\n"]},"do":[{"a":{"set":{"x":"${ .y }"}}}],"k":9007199254740993})";
  std::mt19937 random(42);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seed;
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int e = 0; e < edits && !text.empty(); ++e) {
      const std::size_t at = random() % text.size();
      switch (random() % 5) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 5);
          break;
        case 2:
          text.insert(at, 1, "{}[]\",:0123456789eE.-\\u"[random() % 22]);
          break;
        case 3:
          text.resize(at);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
      }
    }
    const auto v = parse_json(text);
    if (!v) {
      ASSERT_FALSE(v.error().where.empty());
      continue;
    }
    ++accepted;
    const auto again = parse_json(write_json(*v));
    ASSERT_TRUE(again) << text;
    ASSERT_EQ(*again, *v);
  }
  EXPECT_GT(accepted, 100);
}

TEST(Utf8, CountsAndRefuses) {
  EXPECT_EQ(utf8::length("aé€😀"), 4u);
  EXPECT_EQ(utf8::offset_of("aé€😀", 2), 3u);
  EXPECT_EQ(utf8::offset_of("aé", 9), 3u);
  EXPECT_EQ(utf8::find_invalid("ab\xff"), 2u);
  for (const char* bad :
       {"\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xed\xbf\xbf", "\xe2\x82", "\x80"}) {
    EXPECT_FALSE(utf8::valid(bad));
  }
  std::string all;
  for (char32_t c : {U'a', U'\u00e9', U'\u20ac', U'\U0001f600', U'\U0010ffff'}) utf8::append(all, c);
  EXPECT_TRUE(utf8::valid(all));
}

}  // namespace
}  // namespace consort
