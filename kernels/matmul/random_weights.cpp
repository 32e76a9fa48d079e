#include "kernels/matmul/random_weights.h"

#include <cmath>
#include <cstring>

namespace consort {
namespace {

// f16 bits of a positive value below 65,504 (rounding towards zero is good enough here).
std::uint16_t f16_bits(float value, bool negative) {
  const std::uint16_t sign = negative ? 0x8000 : 0;
  if (value < 0x1p-14f) return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(value * 0x1p24f));
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent);  // value = fraction 2^exponent, fraction in [0.5, 1)
  const auto mantissa = static_cast<std::uint16_t>((fraction * 2 - 1) * 1024);
  return static_cast<std::uint16_t>(sign | (exponent + 14) << 10 | mantissa);
}

struct F16Field {
  int offset;
  float typical;
};

// Where a block has f16 fields and how large they typically are.
std::vector<F16Field> f16_fields(DType type) {
  switch (type) {
    case DType::kQ4_0:
      return {{0, 0.01f}};
    case DType::kQ4_1:
      return {{0, 0.01f}, {2, 0.05f}};
    case DType::kQ5_0:
      return {{0, 0.005f}};
    case DType::kQ5_1:
      return {{0, 0.005f}, {2, 0.05f}};
    case DType::kQ8_0:
      return {{0, 0.0006f}};
    case DType::kQ2_K:
      return {{80, 0.004f}, {82, 0.006f}};
    case DType::kQ3_K:
      return {{108, 0.001f}};
    case DType::kQ4_K:
      return {{0, 0.0003f}, {2, 0.002f}};
    case DType::kQ5_K:
      return {{0, 0.00015f}, {2, 0.002f}};
    case DType::kQ6_K:
      return {{208, 0.00002f}};
    default:
      return {};
  }
}

}  // namespace

std::vector<std::byte> random_weights(DType type, std::int64_t rows, std::int64_t cols, CaseRandom& random) {
  const std::size_t block = dtype_info(type).bytes;
  const std::size_t blocks =
      static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) / dtype_info(type).block;
  std::vector<std::byte> bytes(blocks * block);
  if (!is_block_format(type)) {
    for (std::size_t i = 0; i < blocks; ++i) {
      const float value = random.normal() * 0.05f;
      const auto wide = __builtin_bit_cast(std::uint32_t, value);
      std::uint16_t half = static_cast<std::uint16_t>(wide >> 16);
      if (type == DType::kF16) half = f16_bits(std::fabs(value) + 1e-4f, value < 0);
      if (type == DType::kF32)
        std::memcpy(bytes.data() + 4 * i, &value, 4);
      else
        std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
    return bytes;
  }
  for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    const std::uint64_t word = random.next();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  const auto fields = f16_fields(type);
  for (std::size_t b = 0; b < blocks; ++b)
    for (const F16Field& field : fields) {
      const std::uint16_t bits =
          f16_bits(field.typical * random.uniform(0.5f, 1.5f), (random.next() & 1) != 0);
      std::memcpy(bytes.data() + b * block + field.offset, &bits, 2);
    }
  return bytes;
}

}  // namespace consort
