// Unigram vocabularies with damage, and long words.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "models/formats/testing/synthetic_files.h"
#include "models/tokenizer/unigram.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

std::string folder_of(const std::string& name) {
  return std::string(CONSORT_SOURCE_DIR) + "/tests/golden/tokenizer/data/unigram/" + name;
}

TEST(UnigramFuzz, MutatedVocabulariesAreReadOrRefused) {
  const testing::TemporaryFolder folder;
  const std::string text =
      "A ferry\xff caf\xc3\xa9 e\xcc\x81  \xef\xac\x81sh \xed\x95\x9c \xf0\x9f\x8c\x8a</s>";
  std::size_t read = 0, refused = 0;
  for (const char* name : {"siglip", "bytes", "words"}) {
    std::ifstream in(folder_of(name) + "/tokenizer.json", std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    ASSERT_FALSE(whole.empty());
    const std::size_t head = whole.find("\"vocab\"");
    testing::Mutator mutator(33);
    for (int i = 0; i < 1000; ++i) {
      folder.file("tokenizer.json", mutator.mutate(whole, i % 4 == 0 ? whole.size() : head));
      const auto tokenizer = load_unigram(folder.path());
      tokenizer ? ++read : ++refused;
      if (!tokenizer) {
        EXPECT_FALSE(tokenizer.error().what.empty());
        continue;
      }
      for (const TokenId id : (*tokenizer)->encode(text, {.add_special = true, .parse_special = true}))
        EXPECT_TRUE((*tokenizer)->decode(std::span(&id, 1), true));
    }
  }
  std::printf("unigram vocabularies: %zu read, %zu refused\n", read, refused);
  EXPECT_GT(read, 100u);
  EXPECT_GT(refused, 500u);
}

// The compiled table of replacements alone: any bytes, any text.
TEST(UnigramFuzz, MutatedCompiledTablesStayInside) {
  std::string table;
  for (const std::uint32_t word : {std::uint32_t{256 * 4}})
    table.append(reinterpret_cast<const char*>(&word), 4);
  testing::Mutator mutator(34);
  for (int i = 0; i < 256 * 4; ++i) table += static_cast<char>(mutator.below(256));
  table += std::string("one\0two\0", 8);
  std::size_t bytes = 0;
  for (int i = 0; i < 4000; ++i) {
    PrecompiledMap map;
    if (!map.read(mutator.mutate(table, table.size()))) continue;
    for (int c = 1; c < 256; ++c)
      bytes += map.apply(std::string(1, static_cast<char>(c)) + "\xc3\xa9 x").size();
  }
  EXPECT_GT(bytes, 0u);
}

// A word of a megabyte costs about its length, not its square.
TEST(UnigramFuzz, LongWordsAreEncodedInTime) {
  const auto tokenizer = load_unigram(folder_of("bytes"));
  ASSERT_TRUE(tokenizer) << tokenizer.error().line();
  EXPECT_GT((*tokenizer)->encode(std::string(1 << 20, 'x'), {}).size(), 1000u);
}

}  // namespace
}  // namespace consort
