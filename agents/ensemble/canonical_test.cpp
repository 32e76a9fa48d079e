#include "agents/ensemble/canonical.h"

#include <random>

#include <gtest/gtest.h>

namespace consort {
namespace {

std::string said(const CanonicalAnswer& a) {
  return (a.parsed ? a.value : "-") + " " + a.reason;
}

TEST(Canonical, Numbers) {
  const std::pair<const char*, const char*> cases[] = {
      {"so 9 * 2 = 18\n#### 18", "18 hash"},
      {"#### 3\nno wait\n#### $1,234.50", "1234.5 hash"},
      {"The answer is 42. There were 7 left.", "42 answerIs"},
      {"The answer is: **-0.50**", "-0.5 answerIs"},
      {"Answer: 5 apples", "5 answerIs"},
      {"16 - 3 - 4 = 9 eggs", "9 lastNumber"},
      {"it is 16-3", "3 lastNumber"},
      {"-5", "-5 lastNumber"},
      {"about $70,000.", "70000 lastNumber"},
      {"1,2 and 3,45", "45 lastNumber"},
      {"007", "7 lastNumber"},
      {".5", "0.5 lastNumber"},
      {"-0.00", "0 lastNumber"},
      {"12.", "12 lastNumber"},
      {"#### none, the last is 8", "8 hash"},
      {"1,000,000", "1000000 lastNumber"},
      {"model R2D2", "- noNumber"},
      {"she has \xE2\x82\xAC"
       "77 left",
       "77 lastNumber"},  // a currency sign is no letter
      {"6\xC3\x97"
       "7",
       "7 lastNumber"},  // nor is a multiplication sign
      {"\xC3\xA9"
       "5",
       "- noNumber"},  // an accented letter is
      {"A: 26\nthat is 13 * 2", "26 answerIs"},
      {"for Job A:\n$15 an hour, so $30,000", "30000 lastNumber"},  // no answer is announced
      {"0.0068181818181818181818181818", "0.00681818181818181 lastNumber"},
      {"12345678901234567.5", "12345678901234567 lastNumber"},
      {"I cannot tell", "- noNumber"},
      {"", "- noNumber"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(said(canonical_number(text)), expected) << text;
}

TEST(Canonical, Letters) {
  const std::vector<std::string> options = {"red", "not red", "the blue one", "green"};
  const std::pair<const char*, const char*> cases[] = {{"(B)", "B parenthesised"},
                                                       {"B.", "B lead"},
                                                       {"b)", "B lead"},
                                                       {"B", "B lead"},
                                                       {" \"C\"", "C lead"},
                                                       {"**D**", "D lead"},
                                                       {"The answer is (c).", "C answerIs"},
                                                       {"Answer: D", "D answerIs"},
                                                       {"D because it is so", "D lead"},
                                                       {"It is green", "D optionText"},
                                                       {"It is not red", "B optionText"},
                                                       {"Blue one!", "C optionText"},
                                                       {"I think B is right", "B bare"},
                                                       {"A dog", "- noLetter"},
                                                       {"(A) or (B)", "- ambiguous"},
                                                       {"red and green things, blue one", "C optionText"},
                                                       {"E.", "- noLetter"},
                                                       {"", "- noLetter"}};
  for (const auto& [text, expected] : cases)
    EXPECT_EQ(said(canonical_letter(text, options)), expected) << text;
  EXPECT_EQ(said(canonical_letter("E.", {})), "E lead");
}

TEST(Canonical, Booleans) {
  const std::pair<const char*, const char*> cases[] = {{"Yes, it does.", "true lead"},
                                                       {"no", "false lead"},
                                                       {"The answer is False", "false answerIs"},
                                                       {"That is not true", "false word"},
                                                       {"it is correct", "true word"},
                                                       {"it is true, not false", "true word"},
                                                       {"maybe true, maybe false", "- ambiguous"},
                                                       {"perhaps", "- noBoolean"},
                                                       {"Noon", "- noBoolean"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(said(canonical_boolean(text)), expected) << text;
}

TEST(Canonical, Texts) {
  EXPECT_EQ(said(canonical_text("  The Élysée Palace! ")), "élysée palace text");
  EXPECT_EQ(canonical_text("Don't").value, canonical_text("dont").value);
  EXPECT_EQ(canonical_text("New-York").value, "new york");
  EXPECT_NE(canonical_text("C++").value, canonical_text("C").value);
  EXPECT_EQ(said(canonical_text("the")), "- empty");
  EXPECT_EQ(said(canonical_text("...")), "- empty");
}

TEST(Canonical, MutatedTextNeverCrashes) {
  std::mt19937 random(9);
  const std::string seed =
      "The answer is (B) $1,234.50 #### -7.5\nyes not no é\xff A: red, 9,999,999,999 1e5";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seed;
    for (int e = 0; e < 5 && !text.empty(); ++e) {
      const std::size_t at = random() % text.size();
      if (random() % 2) {
        text[at] = static_cast<char>(random());
      } else {
        text.resize(at);
      }
    }
    for (const AnswerKind kind :
         {AnswerKind::kText, AnswerKind::kNumber, AnswerKind::kLetter, AnswerKind::kBoolean}) {
      const CanonicalAnswer a = canonical_answer(kind, text, {"red", "green"});
      ASSERT_EQ(a.parsed, !a.value.empty());
      ASSERT_FALSE(a.reason.empty());
    }
  }
}

}  // namespace
}  // namespace consort
