#include "models/tokenizer/special_matcher.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace consort {
namespace {

using Entries = std::vector<SpecialMatcher::Entry>;

// The definition: token after token, longest first, each cut out of what is left, from the left.
std::vector<std::pair<std::size_t, TokenId>> by_definition(Entries entries, std::string_view text,
                                                           bool parse) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](auto& a, auto& b) { return a.text.size() > b.text.size(); });
  std::vector<bool> taken(text.size(), false);
  std::vector<std::pair<std::size_t, TokenId>> out;
  for (const auto& entry : entries) {
    if (entry.control && !parse) continue;
    for (std::size_t at = 0; at + entry.text.size() <= text.size(); ++at) {
      if (text.substr(at, entry.text.size()) != entry.text) continue;
      const auto begin = taken.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = begin + static_cast<std::ptrdiff_t>(entry.text.size());
      if (std::find(begin, end, true) != end) continue;
      std::fill(begin, end, true);
      out.emplace_back(at, entry.id);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(SpecialMatcher, EqualsItsDefinitionOnRandomTexts) {
  // Lengths differ, so that the order among equally long overlapping tokens does not matter.
  const Entries entries = {{"a", 1, false},   {"ab", 2, true},     {"bca", 3, false},
                           {"caba", 4, true}, {"cccab", 5, false}, {"abcabc", 6, true}};
  const SpecialMatcher matcher(entries);
  std::mt19937 random(6);
  for (int round = 0; round < 5000; ++round) {
    std::string text(random() % 24, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    for (const bool parse : {false, true}) {
      std::vector<std::pair<std::size_t, TokenId>> found;
      for (const SpecialMatch& m : matcher.find(text, parse)) found.emplace_back(m.begin, m.id);
      ASSERT_EQ(found, by_definition(entries, text, parse)) << text << " " << parse;
    }
  }
}

TEST(SpecialMatcher, LongRunsStayCheap) {
  std::vector<std::string> texts;
  Entries entries;
  for (int n = 2; n <= 31; ++n) texts.push_back(std::string(static_cast<std::size_t>(n), ' '));
  for (std::size_t i = 0; i < texts.size(); ++i)
    entries.push_back({texts[i], static_cast<TokenId>(i), false});
  const SpecialMatcher matcher(entries);
  const auto found = matcher.find(std::string(1'000'000, ' '), false);
  ASSERT_EQ(found.size(), 32259u);  // 32,258 runs of 31 and one of 2
  EXPECT_EQ(found.front().end, 31u);
  EXPECT_EQ(found.back().id, 0);
}

TEST(SpecialMatcher, Exact) {
  const Entries entries = {{"<a>", 1, true}, {"<a>b", 2, false}, {"", 3, true}};
  const SpecialMatcher matcher(entries);
  EXPECT_EQ(matcher.exact("<a>"), 1);
  EXPECT_EQ(matcher.exact("<a>b"), 2);
  EXPECT_EQ(matcher.exact("<a"), -1);
  EXPECT_EQ(matcher.exact(""), -1);
  EXPECT_EQ(SpecialMatcher().exact("x"), -1);
  EXPECT_TRUE(SpecialMatcher().find("x", true).empty());
}

}  // namespace
}  // namespace consort
