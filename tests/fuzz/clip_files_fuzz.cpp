#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "models/image/preprocessor_config.h"
#include "models/tokenizer/clip_bpe.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

namespace fs = std::filesystem;
using consort::testing::Mutator;

const fs::path kClip = fs::path(CONSORT_SOURCE_DIR) / "tests/golden/vision/clip";

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

class ClipFilesFuzz : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directory(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const char* name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::trunc) << bytes;
  }
  // Loads what lies in the folder; what loads must also encode.
  void load() {
    const auto tokenizer = load_clip_bpe(folder_.string());
    if (!tokenizer) {
      ++refused_;
      EXPECT_FALSE(tokenizer.error().what.empty());
      return;
    }
    ++read_;
    const std::string text = "A photo of\xff a c\xc3\xa4t, 100% \xf0\x9f\x90\xb1 <|endoftext|>";
    for (const TokenId id : (*tokenizer)->encode(text, {.add_special = true, .parse_special = true}))
      EXPECT_TRUE((*tokenizer)->decode(std::span(&id, 1), true));
  }
  fs::path folder_ = fs::temp_directory_path() / ("consort-clip-fuzz-" + std::to_string(::getpid()));
  std::size_t read_ = 0, refused_ = 0;
};

TEST_F(ClipFilesFuzz, MutatedTokenizersAreReadOrRefused) {
  const std::string one = text_of(kClip / "tokenizer.json"), vocabulary = text_of(kClip / "vocab.json"),
                    merges = text_of(kClip / "merges.txt");
  Mutator mutator(31);
  for (int i = 0; i < 1200; ++i) {
    write("tokenizer.json", mutator.mutate(one, one.size()));
    load();
  }
  fs::remove(folder_ / "tokenizer.json");
  for (int i = 0; i < 1200; ++i) {
    write("vocab.json", i % 2 ? vocabulary : mutator.mutate(vocabulary, vocabulary.size()));
    write("merges.txt", i % 2 ? mutator.mutate(merges, merges.size()) : merges);
    load();
  }
  std::printf("tokenizers of CLIP: %zu read, %zu refused\n", read_, refused_);
  EXPECT_GT(read_, 50u);
  EXPECT_GT(refused_, 500u);
}

TEST_F(ClipFilesFuzz, MutatedPreprocessorSettingsAreReadOrRefused) {
  const std::string whole = text_of(kClip / "preprocessor_config.json");
  Mutator mutator(32);
  for (int i = 0; i < 2000; ++i) {
    write("preprocessor_config.json", mutator.mutate(whole, whole.size()));
    const auto settings = read_image_preprocessing(folder_.string(), 48, ImagePreprocessing{});
    settings ? ++read_ : ++refused_;
    if (!settings) continue;
    const Image image{3, 2, std::vector<std::uint8_t>(18, 7)};
    const auto pixels = preprocess(image, settings->plan);
    EXPECT_TRUE(!pixels || pixels->size() == 3u * 48 * 48);
  }
  EXPECT_GT(refused_, 500u);
}

// A word of a megabyte costs about its length, not its square.
TEST_F(ClipFilesFuzz, LongWordsAreEncodedInTime) {
  const auto tokenizer = load_clip_bpe(kClip.string());
  ASSERT_TRUE(tokenizer) << tokenizer.error().line();
  EXPECT_GT((*tokenizer)->encode(std::string(1 << 20, 'x'), {}).size(), 1u << 16);
}

}  // namespace
}  // namespace consort
