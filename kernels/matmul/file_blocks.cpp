#include "kernels/matmul/file_blocks.h"

#include <cstring>

namespace consort::matmul_detail {
namespace {

using Bytes = const std::uint8_t*;

std::uint16_t u16(Bytes p) {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}
std::uint32_t u32(Bytes p) {
  return u16(p) | static_cast<std::uint32_t>(u16(p + 2)) << 16;
}

// Q4_0, Q4_1, Q5_0, Q5_1: nibble j of the low halves is element j, of the high halves element j + 16; a fifth
// bit for element j is bit j of `high`.
void nibbles32(Bytes qs, std::uint32_t high, RowUnit& out) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kNibbles = 15 * kOnes;
  // Bit j of a byte becomes bit 4 of byte j.
  const auto fifth = [](std::uint64_t bits) {
    const std::uint64_t spread = ((bits & 255) * kOnes) & 0x8040201008040201u;
    return ((spread + 0x7f * kOnes) >> 7 & kOnes) << 4;
  };
  for (int i = 0; i < 2; ++i) {  // eight bytes at a time, little-endian as the file
    std::uint64_t both;
    std::memcpy(&both, qs + 8 * i, 8);
    const std::uint64_t low = (both & kNibbles) | fifth(high >> (8 * i));
    const std::uint64_t upper = (both >> 4 & kNibbles) | fifth(high >> (8 * i + 16));
    std::memcpy(out.codes + 8 * i, &low, 8);
    std::memcpy(out.codes + 8 * i + 16, &upper, 8);
  }
}

// The 6-bit factors of Q4_K and Q5_K: 8 of the scale and 8 of the minimum in 12 bytes.
void factors_6bit(Bytes s, RowUnit& out) {
  for (int j = 0; j < 4; ++j) {
    out.factors[j] = static_cast<std::int8_t>(s[j] & 63);
    out.min_factors[j] = static_cast<std::int8_t>(s[j + 4] & 63);
    out.factors[j + 4] = static_cast<std::int8_t>((s[j + 8] & 15) | (s[j] >> 6) << 4);
    out.min_factors[j + 4] = static_cast<std::int8_t>((s[j + 8] >> 4) | (s[j + 4] >> 6) << 4);
  }
}

void decode_q2_k(Bytes p, RowUnit& out) {
  const Bytes scales = p, qs = p + 16;
  out.d = u16(p + 80);
  out.dmin = u16(p + 82);
  for (int g = 0; g < 16; ++g) {
    out.factors[g] = static_cast<std::int8_t>(scales[g] & 15);
    out.min_factors[g] = static_cast<std::int8_t>(scales[g] >> 4);
  }
  for (int s = 0; s < 8; ++s)  // runs of 32: shift 2 (s % 4) within bytes of half s / 4
    for (int l = 0; l < 32; ++l) out.codes[32 * s + l] = (qs[s / 4 * 32 + l] >> (2 * (s % 4))) & 3;
}

void decode_q3_k(Bytes p, RowUnit& out) {
  const Bytes hmask = p, qs = p + 32, scales = p + 96;
  out.d = u16(p + 108);
  for (int g = 0; g < 16; ++g) {
    const int low = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4;
    const int high = (scales[8 + g % 4] >> (2 * (g / 4))) & 3;
    out.factors[g] = static_cast<std::int8_t>((low | high << 4) - 32);
  }
  for (int s = 0; s < 8; ++s)
    for (int l = 0; l < 32; ++l) {
      const int low = (qs[s / 4 * 32 + l] >> (2 * (s % 4))) & 3;
      out.codes[32 * s + l] = static_cast<std::uint8_t>(low | ((hmask[l] >> s) & 1) << 2);
    }
}

void decode_q4_k(Bytes p, RowUnit& out) {
  out.d = u16(p);
  out.dmin = u16(p + 2);
  factors_6bit(p + 4, out);
  for (int s = 0; s < 8; ++s)
    for (int l = 0; l < 32; ++l) out.codes[32 * s + l] = (p[16 + s / 2 * 32 + l] >> (s % 2 * 4)) & 15;
}

void decode_q5_k(Bytes p, RowUnit& out) {
  out.d = u16(p);
  out.dmin = u16(p + 2);
  factors_6bit(p + 4, out);
  for (int s = 0; s < 8; ++s)
    for (int l = 0; l < 32; ++l) {
      const int low = (p[48 + s / 2 * 32 + l] >> (s % 2 * 4)) & 15;
      out.codes[32 * s + l] = static_cast<std::uint8_t>(low | ((p[16 + l] >> s) & 1) << 4);
    }
}

void decode_q6_k(Bytes p, RowUnit& out) {
  std::memcpy(out.factors, p + 192, 16);
  out.d = u16(p + 208);
  for (int s = 0; s < 8; ++s)
    for (int l = 0; l < 32; ++l) {
      const int low = (p[s / 4 * 64 + s % 2 * 32 + l] >> (s % 4 / 2 * 4)) & 15;
      const int high = (p[128 + s / 4 * 32 + l] >> (2 * (s % 4))) & 3;
      out.codes[32 * s + l] = static_cast<std::uint8_t>(low | high << 4);
    }
}

}  // namespace

void decode_unit(DType type, const std::uint8_t* p, RowUnit& out) {
  switch (type) {
    case DType::kQ4_0:
      out.d = u16(p);
      return nibbles32(p + 2, 0, out);
    case DType::kQ4_1:
      out.d = u16(p);
      out.dmin = u16(p + 2);
      return nibbles32(p + 4, 0, out);
    case DType::kQ5_0:
      out.d = u16(p);
      return nibbles32(p + 6, u32(p + 2), out);
    case DType::kQ5_1:
      out.d = u16(p);
      out.dmin = u16(p + 2);
      return nibbles32(p + 8, u32(p + 4), out);
    case DType::kQ8_0:
      out.d = u16(p);
      for (int j = 0; j < 32; ++j) out.codes[j] = p[2 + j] ^ 0x80;  // two's complement plus 128
      return;
    case DType::kQ2_K:
      return decode_q2_k(p, out);
    case DType::kQ3_K:
      return decode_q3_k(p, out);
    case DType::kQ4_K:
      return decode_q4_k(p, out);
    case DType::kQ5_K:
      return decode_q5_k(p, out);
    case DType::kQ6_K:
      return decode_q6_k(p, out);
    default:
      return;
  }
}

float f16_to_f32(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000) << 16;
  const std::uint32_t exponent = (h >> 10) & 31, fraction = h & 1023;
  if (exponent == 31) return __builtin_bit_cast(float, sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return __builtin_bit_cast(float, sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero and subnormals: exact
  return sign ? -magnitude : magnitude;
}

}  // namespace consort::matmul_detail
