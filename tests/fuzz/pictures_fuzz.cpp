#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "models/image/decode.h"
#include "models/image/preprocess.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

using consort::testing::Mutator;

std::string seed_file(const std::string& name) {
  std::ifstream file(std::string(CONSORT_SOURCE_DIR) + "/tests/golden/vision/edge/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// CRC-32 of zlib and PNG (source: PNG specification, annex D).
std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

// Gives every chunk of a PNG the checksum of what it now holds, so that damage reaches what lies behind the
// check.
std::string with_right_checksums(std::string png) {
  for (std::size_t at = 8; at + 12 <= png.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(png[at + i]);
    if (length > png.size() - at - 12) break;
    const std::uint32_t crc = crc32(std::string_view(png).substr(at + 4, length + 4));
    for (std::size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i));
    at += length + 12;
  }
  return png;
}

// Decodes mutants of the seeds. Their claimed sizes are mostly kept small, so that 2,000 take seconds; the
// large ones have their own tests.
void decode_mutants(const std::vector<std::string>& seeds, std::uint64_t seed, int rounds) {
  Mutator mutator(seed);
  std::size_t read = 0, refused = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::string whole = seed_file(seeds[static_cast<std::size_t>(i) % seeds.size()]);
    std::string bytes = mutator.mutate(whole, i % 2 ? 700 : whole.size());
    if (whole.starts_with("\x89PNG") && i % 3) bytes = with_right_checksums(std::move(bytes));
    const auto view = std::as_bytes(std::span(bytes));
    const auto info = image_info(view);
    if (info && info->width * info->height > 4'000'000) continue;
    const auto image = decode_image(view);
    if (!image) {
      ++refused;
      EXPECT_FALSE(image.error().what.empty());
      continue;
    }
    ++read;
    ASSERT_EQ(image->rgb.size(), static_cast<std::size_t>(3 * image->width * image->height));
    ASSERT_EQ(preprocess(*image, PreprocessPlan{}).value().size(), 3u * 224 * 224);
  }
  std::printf("%s and others: %zu read, %zu refused\n", seeds.front().c_str(), read, refused);
  EXPECT_GT(refused, 100u);
}

TEST(PicturesFuzz, MutatedJpegs) {
  decode_mutants({"baseline-422.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg", "exif-6.jpg"}, 21, 2500);
}
TEST(PicturesFuzz, MutatedPngs) {
  decode_mutants({"palette-trns.png", "tall-9x300.png", "interlaced.png", "gray16.png", "one-bit.png"}, 22,
                 2500);
}
TEST(PicturesFuzz, MutatedWebps) {
  decode_mutants({"lossy.webp", "lossless.webp"}, 23, 2500);
}

// Sizes in the header against the limit, and below it without pixels behind them.
TEST(PicturesFuzz, ClaimedSizesAreCheckedBeforeMemoryIsTaken) {
  const auto claim = [](std::string png, std::uint32_t width, std::uint32_t height) {
    for (int i = 0; i < 4; ++i) {
      png[16 + static_cast<std::size_t>(i)] = static_cast<char>(width >> (24 - 8 * i));
      png[20 + static_cast<std::size_t>(i)] = static_cast<char>(height >> (24 - 8 * i));
    }
    return decode_image(std::as_bytes(std::span(png)));
  };
  const std::string png = seed_file("one-pixel.png");
  for (const auto& [width, height] :
       {std::pair{100'000u, 100'000u}, {1u, 0x7fffffffu}, {0x80000000u, 1u}, {20'000u, 5'001u}}) {
    const auto image = claim(png, width, height);
    ASSERT_FALSE(image);
    EXPECT_TRUE(image.error().what.starts_with("picture too large")) << image.error().line();
  }
  EXPECT_TRUE(claim(png, 0, 5).error().what.starts_with("damaged picture"));
  EXPECT_TRUE(claim(png, 10'000, 10'000).error().what.starts_with("truncated picture"));
  std::string jpeg = seed_file("gray.jpg");
  const std::size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xff\xff\xff");
  const auto image = decode_image(std::as_bytes(std::span(jpeg)));
  ASSERT_FALSE(image);
  EXPECT_TRUE(image.error().what.starts_with("picture too large")) << image.error().line();
}

}  // namespace
}  // namespace consort
