#include "memory/retrieval/text_splitter.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "memory/retrieval/analyzer.h"

namespace consort {
namespace {

using ::testing::ElementsAre;

TEST(Sentences, PointsThatEndNothing) {
  EXPECT_THAT(
      split_sentences(
          "Dr. Haddad runs it. He came in 2009! Did he? \"Yes.\" J. R. Thorne said 3.5 km. e.g. here."),
      ElementsAre("Dr. Haddad runs it.", "He came in 2009!", "Did he?", "\"Yes.\"",
                  "J. R. Thorne said 3.5 km. e.g. here."));
  EXPECT_THAT(split_sentences("no end"), ElementsAre("no end"));
  EXPECT_TRUE(split_sentences("  ").empty());
}

constexpr char kNote[] = R"(# The lighthouse

The lighthouse was built in 1874.
It stands 31 metres   high.

## Keepers

- Marit Olsen, since 2009
- Jon Vik, before that

```
code   stays  as it is
```

### Dogs ###

Pepper. A brown dog.
)";

TEST(Splitter, ParagraphsWithTitleSectionAndLine) {
  const auto pieces = split_text(kNote);
  ASSERT_EQ(pieces.size(), 5u);
  EXPECT_EQ(pieces[0].text, "The lighthouse was built in 1874. It stands 31 metres high.");
  EXPECT_EQ(pieces[0].title, "The lighthouse");
  EXPECT_EQ(pieces[0].section, "");
  EXPECT_EQ(pieces[0].line, 3u);
  EXPECT_EQ(pieces[1].text, "Marit Olsen, since 2009");
  EXPECT_EQ(pieces[1].section, "Keepers");
  EXPECT_EQ(pieces[3].text, "code   stays  as it is");
  EXPECT_EQ(pieces[4].section, "Keepers / Dogs");
  EXPECT_EQ(pieces[4].position, 4u);
}

TEST(Splitter, SentencesAndLongTexts) {
  const auto pieces = split_text(kNote, {SplitOptions::Unit::kSentence, 800});
  ASSERT_GE(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].text, "The lighthouse was built in 1874.");
  EXPECT_EQ(pieces[1].text, "It stands 31 metres high.");
  const auto cut = split_text("One two three four. Five six seven eight. " + std::string(50, 'x') + "ü",
                              {.max_bytes = 20});
  EXPECT_EQ(cut[0].text, "One two three four.");
  EXPECT_EQ(cut[1].text, "Five six seven");
  for (const auto& piece : cut) EXPECT_LE(piece.text.size(), 20u);
}

TEST(Splitter, AnyBytesAreCutAndNothingIsLost) {
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 300, '\0');
    for (char& c : text)
      c = i % 3 == 0 ? static_cast<char>(random()) : "ab. \n#-`*>=\xc3\xbc\x01Z!1"[random() % 17];
    const SplitOptions options{i % 2 ? SplitOptions::Unit::kSentence : SplitOptions::Unit::kParagraph,
                               16 + random() % 40};
    for (const auto& piece : split_text(text, options)) {
      EXPECT_FALSE(piece.text.empty());
      EXPECT_TRUE(is_utf8(piece.text));
      EXPECT_LE(piece.text.size(), options.max_bytes);
    }
  }
}

}  // namespace
}  // namespace consort
