#include "scheduler/expression/regex.h"

#include <chrono>
#include <random>

#include <gtest/gtest.h>

namespace consort {
namespace {

bool matches(std::string_view pattern, std::string_view text, const RegexOptions& options = {}) {
  const auto regex = Regex::compile(pattern, options);
  EXPECT_TRUE(regex) << pattern << ": " << (regex ? "" : regex.error().line());
  return regex && regex->search(text);
}

RegexOptions ecma() {
  RegexOptions options;
  options.unicode_classes = options.dollar_before_newline = false;
  return options;
}

TEST(Regex, MatchesAnywhereUnlessAnchored) {
  EXPECT_TRUE(matches("b+", "abbc"));
  EXPECT_FALSE(matches("^b+$", "abbc"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("a{2,3}?c", "aac"));
  EXPECT_FALSE(matches("^a{2,3}$", "aaaa"));
  EXPECT_TRUE(matches("(?<year>\\d{4})-(0[1-9]|1[0-2])", "on 2024-11"));
}

TEST(Regex, ClassesDifferBetweenDialects) {
  EXPECT_TRUE(matches("^\\w$", "é"));
  EXPECT_FALSE(matches("^\\w$", "é", ecma()));
  EXPECT_TRUE(matches("^\\d$", "\u0664"));
  EXPECT_FALSE(matches("^\\d$", "\u0664", ecma()));
  EXPECT_TRUE(matches("a$", "a\n"));
  EXPECT_FALSE(matches("a$", "a\n", ecma()));
  EXPECT_TRUE(matches("^[[a]$", "[", ecma()));
  EXPECT_TRUE(matches("^\\W$", "é", ecma()));
  EXPECT_TRUE(matches("^[^\\s\\d]+$", "ab"));
  EXPECT_TRUE(matches("^.$", "\xF0\x9F\x98\x80", ecma()));
}

TEST(Regex, RefusesWhatItDoesNotDo) {
  for (const char* pattern : {"(?=a)", "(?!a)", "(?<=a)", "(?>a)", "(?i)a", "(a)\\1", "a++", "[[:alpha:]]",
                              "[a&&b]", "\\p{Nope}", "\\R", "\\K"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex) << pattern;
    EXPECT_EQ(regex.error().kind, ErrorKind::kUnsupported) << pattern;
  }
  for (const char* pattern :
       {"(", ")", "[a", "*a", "a**", "a{3,1}", "\\", "[b-a]", "\\x{110000}", "a{1001}", "(?<n", "\\xg"}) {
    const auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex) << pattern;
    EXPECT_EQ(regex.error().kind, ErrorKind::kInvalid) << pattern;
  }
  EXPECT_FALSE(Regex::compile("((((a{100}){100}){100}){100})"));
  EXPECT_FALSE(Regex::compile(std::string(5000, 'a')));
  EXPECT_FALSE(Regex::compile(std::string(2000, '(')));
}

TEST(Regex, PatternsThatBlowUpBacktrackersAreLinear) {
  const std::string text(20'000, 'a');
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(matches("^(a+)+$", text + "b"));
  EXPECT_FALSE(matches("^(a|a)*$", text + "b"));
  EXPECT_FALSE(matches("(a*)*b", text));
  EXPECT_TRUE(matches("(a?){50}a{50}", text));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 20.0);
}

TEST(Regex, MutatedPatternsNeverCrash) {
  std::mt19937 random(5);
  const std::string seed = "^(?:[a-z\\d_]{2,3}|\\bfoo\\p{Lu}+?|[^\\]x]*\\.\\x41)(é|$)";
  int compiled = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string pattern = seed;
    for (std::uint32_t e = 0; e <= random() % 4; ++e) {
      const std::size_t at = random() % pattern.size();
      if (random() % 2) {
        pattern[at] = "()[]{}|*+?\\^$.-,:<>abz019\xc3"[random() % 26];
      } else {
        pattern.insert(at, pattern.substr(random() % pattern.size(), 4));
      }
    }
    const auto regex = Regex::compile(pattern, i % 2 ? RegexOptions() : ecma());
    if (!regex) continue;
    ++compiled;
    (void)regex->search("ab foo\nBAR é 123 \xff");
  }
  EXPECT_GT(compiled, 300);
}

}  // namespace
}  // namespace consort
