// Every prepared picture of tests/golden/vision: pixels byte for byte, sizes, and the kind of error of broken
// ones.
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "models/image/decode.h"
#include "models/image/preprocess.h"

namespace consort {
namespace {

const std::string kFolder = CONSORT_SOURCE_DIR "/tests/golden/vision/";

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<nlohmann::json> records(const std::string& name) {
  std::ifstream file(kFolder + name);
  std::vector<nlohmann::json> out;
  for (std::string line; std::getline(file, line);) out.push_back(nlohmann::json::parse(line));
  EXPECT_FALSE(out.empty()) << name;
  return out;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string sha256(std::span<const std::uint8_t> bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes.data(), bytes.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex;
}

TEST(GoldenImages, EdgeCasesDecodeAsRecorded) {
  const std::map<std::string, std::string> kinds = {{"truncated", "truncated picture"},
                                                    {"corrupt", "damaged picture"},
                                                    {"not-an-image", "not a picture"},
                                                    {"too-large", "picture too large"}};
  for (const auto& record : records("edge-cases.jsonl")) {
    const auto name = record["file"].get<std::string>(), expect = record["expect"].get<std::string>();
    const std::string text = file_text(kFolder + name);
    const auto image = decode_image(bytes_of(text));
    if (expect != "ok") {
      ASSERT_FALSE(image) << name;
      EXPECT_TRUE(image.error().what.starts_with(kinds.at(expect))) << name << ": " << image.error().line();
      continue;
    }
    ASSERT_TRUE(image) << name << ": " << image.error().line();
    EXPECT_EQ(image->width, record["width"].get<int>()) << name;
    EXPECT_EQ(image->height, record["height"].get<int>()) << name;
    EXPECT_EQ(sha256(image->rgb), record["rgb_sha256"].get<std::string>()) << name;
    const auto info = image_info(bytes_of(text));
    ASSERT_TRUE(info) << name;
    EXPECT_EQ(info->width, image->width) << name;
    EXPECT_EQ(info->height, image->height) << name;
  }
}

TEST(GoldenImages, PhotosDecodeAndResizeByteForByte) {
  std::size_t seen = 0;
  for (const auto& record : records("photos.jsonl")) {
    if (!record["source"].contains("stored")) continue;
    const auto name = record["source"]["stored"].get<std::string>();
    if (!std::ifstream(kFolder + name)) continue;  // those that are kept
    ++seen;
    const std::string text = file_text(kFolder + name);
    const auto image = decode_image(bytes_of(text));
    ASSERT_TRUE(image) << name << ": " << image.error().line();
    EXPECT_EQ(sha256(image->rgb), record["rgb_sha256"].get<std::string>()) << name;
    const auto pixels = preprocess(*image, PreprocessPlan{});
    ASSERT_TRUE(pixels) << name;
    std::vector<std::uint8_t> planes;  // the record has one channel after the other
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t i = c; i < pixels->size(); i += 3) planes.push_back((*pixels)[i]);
    EXPECT_EQ(sha256(planes), record["input_sha256_u8"].get<std::string>()) << name;
  }
  EXPECT_GE(seen, 4u);
}

TEST(GoldenImages, EveryPrefixOfEveryFormatIsAnError) {
  for (const char* name :
       {"edge/baseline-420-odd.jpg", "edge/tall-9x300.png", "edge/lossy.webp", "edge/progressive.jpg"}) {
    const std::string text = file_text(kFolder + name);
    for (std::size_t n = 0; n < text.size(); n += 1 + text.size() / 400) {
      const std::string cut = text.substr(0, n);
      EXPECT_FALSE(decode_image(bytes_of(cut))) << name << " cut at " << n << " of " << text.size();
    }
  }
}

}  // namespace
}  // namespace consort
