#include "memory/retrieval/analyzer.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consort {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> plain(std::string_view text) {
  return analyze(text, {.english_stemming = false});
}

TEST(Analyzer, WordsOfManyScripts) {
  EXPECT_THAT(plain("The Lighthouse, built in 1874."),
              ElementsAre("the", "lighthouse", "built", "in", "1874"));
  EXPECT_THAT(plain("keeper's dog's 3.5 km, 1,000 m; a.b x_y"),
              ElementsAre("keeper's", "dog's", "3.5", "km", "1,000", "m", "a", "b", "x_y"));
  EXPECT_THAT(plain("Straße CAFÉ cafe\u0301"), ElementsAre("strasse", "café", "café"));
  EXPECT_THAT(plain("東京都 です"), ElementsAre("東京", "京都", "です"));
  EXPECT_THAT(plain("犬"), ElementsAre("犬"));
  EXPECT_THAT(plain("ﬁne ① Ⅳ"), ElementsAre("fine", "1", "iv"));
  EXPECT_THAT(plain(""), IsEmpty());
  EXPECT_THAT(plain("... --- 🙂"), IsEmpty());
  EXPECT_THAT(plain("a\xff\xfe b"), ElementsAre("a", "b"));
}

TEST(Analyzer, StemmingMakesFormsOfAWordMeet) {
  const AnalyzerOptions options;
  EXPECT_EQ(analyze("lighthouses", options), analyze("Lighthouse", options));
  EXPECT_EQ(analyze("keeper's keepers", options), (std::vector<std::string>{"keeper", "keeper"}));
  EXPECT_EQ(analyze("painted painting paints", options),
            (std::vector<std::string>{"paint", "paint", "paint"}));
}

// The examples that the paper gives for its steps, run through the whole algorithm.
TEST(Porter, ExamplesOfThePaper) {
  const std::vector<std::pair<std::string, std::string>> cases{{"caresses", "caress"},
                                                               {"ponies", "poni"},
                                                               {"ties", "ti"},
                                                               {"caress", "caress"},
                                                               {"cats", "cat"},
                                                               {"feed", "feed"},
                                                               {"agreed", "agre"},
                                                               {"plastered", "plaster"},
                                                               {"bled", "bled"},
                                                               {"motoring", "motor"},
                                                               {"sing", "sing"},
                                                               {"conflated", "conflat"},
                                                               {"troubled", "troubl"},
                                                               {"sized", "size"},
                                                               {"hopping", "hop"},
                                                               {"tanned", "tan"},
                                                               {"falling", "fall"},
                                                               {"hissing", "hiss"},
                                                               {"fizzed", "fizz"},
                                                               {"failing", "fail"},
                                                               {"filing", "file"},
                                                               {"happy", "happi"},
                                                               {"sky", "sky"},
                                                               {"relational", "relat"},
                                                               {"conditional", "condit"},
                                                               {"rational", "ration"},
                                                               {"valenci", "valenc"},
                                                               {"digitizer", "digit"},
                                                               {"conformabli", "conform"},
                                                               {"radicalli", "radic"},
                                                               {"differentli", "differ"},
                                                               {"vileli", "vile"},
                                                               {"analogousli", "analog"},
                                                               {"vietnamization", "vietnam"},
                                                               {"predication", "predic"},
                                                               {"operator", "oper"},
                                                               {"feudalism", "feudal"},
                                                               {"decisiveness", "decis"},
                                                               {"hopefulness", "hope"},
                                                               {"callousness", "callous"},
                                                               {"formaliti", "formal"},
                                                               {"sensitiviti", "sensit"},
                                                               {"sensibiliti", "sensibl"},
                                                               {"triplicate", "triplic"},
                                                               {"formative", "form"},
                                                               {"formalize", "formal"},
                                                               {"electriciti", "electr"},
                                                               {"electrical", "electr"},
                                                               {"hopeful", "hope"},
                                                               {"goodness", "good"},
                                                               {"revival", "reviv"},
                                                               {"allowance", "allow"},
                                                               {"inference", "infer"},
                                                               {"airliner", "airlin"},
                                                               {"gyroscopic", "gyroscop"},
                                                               {"adjustable", "adjust"},
                                                               {"defensible", "defens"},
                                                               {"irritant", "irrit"},
                                                               {"replacement", "replac"},
                                                               {"adjustment", "adjust"},
                                                               {"dependent", "depend"},
                                                               {"adoption", "adopt"},
                                                               {"homologou", "homolog"},
                                                               {"communism", "commun"},
                                                               {"activate", "activ"},
                                                               {"angulariti", "angular"},
                                                               {"homologous", "homolog"},
                                                               {"effective", "effect"},
                                                               {"bowdlerize", "bowdler"},
                                                               {"probate", "probat"},
                                                               {"rate", "rate"},
                                                               {"cease", "ceas"},
                                                               {"controll", "control"},
                                                               {"roll", "roll"},
                                                               {"generalizations", "gener"},
                                                               {"oscillators", "oscil"}};
  for (const auto& [word, stem] : cases) EXPECT_EQ(porter_stem(word), stem) << word;
  EXPECT_EQ(porter_stem("is"), "is");
  EXPECT_EQ(porter_stem("Ünlü"), "Ünlü");
}

TEST(Analyzer, AnyBytesAreFine) {
  std::mt19937 random(11);
  for (int i = 0; i < 3000; ++i) {
    std::string text(random() % 60, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 3 == 0 ? random() % 256 : "aZ9' .,\xc3\xa9\xe6\x9d"[random() % 12]);
    for (const auto& term : analyze(text, {.english_stemming = i % 2 == 0})) {
      EXPECT_FALSE(term.empty());
      EXPECT_TRUE(is_utf8(term));
    }
  }
}

}  // namespace
}  // namespace consort
