#include "models/formats/dequantize.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace consort {
namespace {

// Random blocks and what the `gguf` Python package decodes them to (tests/golden/formats/make_golden.py).
class DequantizeGolden : public ::testing::TestWithParam<DType> {};

TEST_P(DequantizeGolden, AgreesBitForBit) {
  const std::string name(dtype_name(GetParam()));
  std::ifstream in(std::string(CONSORT_SOURCE_DIR) + "/tests/golden/formats/" + name + ".bin",
                   std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::uint32_t rows = 0, elements = 0;
  ASSERT_GE(bytes.size(), 8u) << "golden file for " << name << " is missing";
  std::memcpy(&rows, bytes.data(), 4);
  std::memcpy(&elements, bytes.data() + 4, 4);
  const std::size_t packed = row_bytes(GetParam(), elements);
  ASSERT_EQ(bytes.size(), 8 + rows * (packed + elements * 4));
  const char* want = bytes.data() + 8 + rows * packed;
  std::vector<float> got(elements);
  for (std::uint32_t r = 0; r < rows; ++r) {
    dequantize_row(GetParam(), bytes.data() + 8 + r * packed, got.data(), elements);
    ASSERT_EQ(std::memcmp(got.data(), want + r * elements * 4, elements * 4), 0) << name << " row " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(AllTypes, DequantizeGolden,
                         ::testing::Values(DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                                           DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K,
                                           DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K),
                         [](const auto& info) { return std::string(dtype_name(info.param)); });

TEST(Dequantize, HalfCoversSubnormalsInfinitiesAndSignedZero) {
  const std::uint16_t halves[] = {0x0001, 0x83ff, 0x0400, 0x7c00, 0xfc00, 0x8000, 0x3c00, 0x7bff};
  const float want[] = {0x1p-24f, -1023 * 0x1p-24f, 0x1p-14f, __builtin_inff(), -__builtin_inff(), -0.0f,
                        1.0f,     65504.0f};
  float got[8];
  dequantize_row(DType::kF16, halves, got, 8);
  EXPECT_EQ(std::memcmp(got, want, sizeof got), 0);
}

TEST(Dequantize, PlainIntegersBecomeFloats) {
  const std::int8_t bytes[] = {-128, 0, 127};
  float got[3];
  dequantize_row(DType::kI8, bytes, got, 3);
  EXPECT_EQ(got[0], -128.0f);
  EXPECT_EQ(got[2], 127.0f);
}

}  // namespace
}  // namespace consort
