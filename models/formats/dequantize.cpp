// The block layouts and their arithmetic follow ggml's definition (GGUF specification, "block formats"): the
// order of the float operations below is part of the format, since results must agree bit for bit.
#include "models/formats/dequantize.h"

#include <bit>
#include <cstdint>
#include <cstring>

namespace consort {
namespace {

using Byte = std::uint8_t;

std::uint16_t load_u16(const Byte* p) {
  std::uint16_t v;
  std::memcpy(&v, p, 2);
  return v;
}
std::uint32_t load_u32(const Byte* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}

// IEEE 754 binary16 to binary32, exact; NaN payloads are kept.
float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t exponent = (h >> 10) & 0x1fu;
  const std::uint32_t mantissa = h & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // subnormal: mantissa units of 2^-24
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}
float half_at(const Byte* p) {
  return half_to_float(load_u16(p));
}

// Blocks of 32: d (f16), then 16 bytes of nibbles: low nibbles are elements 0..15, high nibbles 16..31.
void block_q4_0(const Byte* b, float* y) {
  const float d = half_at(b);
  for (int j = 0; j < 16; ++j) {
    y[j] = static_cast<float>((b[2 + j] & 0x0f) - 8) * d;
    y[j + 16] = static_cast<float>((b[2 + j] >> 4) - 8) * d;
  }
}
void block_q4_1(const Byte* b, float* y) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int j = 0; j < 16; ++j) {
    y[j] = static_cast<float>(b[4 + j] & 0x0f) * d + m;
    y[j + 16] = static_cast<float>(b[4 + j] >> 4) * d + m;
  }
}
// As q4 with a fifth bit for each element in a 32-bit word.
void block_q5_0(const Byte* b, float* y) {
  const float d = half_at(b);
  const std::uint32_t high = load_u32(b + 2);
  for (int j = 0; j < 16; ++j) {
    const int h0 = static_cast<int>((high >> j) & 1u) << 4, h1 = static_cast<int>((high >> (j + 16)) & 1u)
                                                                 << 4;
    y[j] = static_cast<float>(((b[6 + j] & 0x0f) | h0) - 16) * d;
    y[j + 16] = static_cast<float>(((b[6 + j] >> 4) | h1) - 16) * d;
  }
}
void block_q5_1(const Byte* b, float* y) {
  const float d = half_at(b), m = half_at(b + 2);
  const std::uint32_t high = load_u32(b + 4);
  for (int j = 0; j < 16; ++j) {
    const int h0 = static_cast<int>((high >> j) & 1u) << 4, h1 = static_cast<int>((high >> (j + 16)) & 1u)
                                                                 << 4;
    y[j] = static_cast<float>((b[8 + j] & 0x0f) | h0) * d + m;
    y[j + 16] = static_cast<float>((b[8 + j] >> 4) | h1) * d + m;
  }
}
void block_q8_0(const Byte* b, float* y) {
  const float d = half_at(b);
  for (int j = 0; j < 32; ++j) y[j] = static_cast<float>(static_cast<std::int8_t>(b[2 + j])) * d;
}

// Super-blocks of 256.
// q2_k: scales[16] (low nibble scale, high nibble minimum), qs[64], d, dmin.
void block_q2_k(const Byte* b, float* y) {
  const Byte* scales = b;
  const Byte* q = b + 16;
  const float d = half_at(b + 80), dmin = half_at(b + 82);
  int sub = 0;
  for (int half = 0; half < 2; ++half, q += 32) {
    for (int shift = 0; shift < 8; shift += 2) {
      for (int part = 0; part < 2; ++part, ++sub) {
        const float scale = d * static_cast<float>(scales[sub] & 0x0f);
        const float minimum = dmin * static_cast<float>(scales[sub] >> 4);
        for (int l = 0; l < 16; ++l)
          *y++ = scale * static_cast<float>((q[part * 16 + l] >> shift) & 3) - minimum;
      }
    }
  }
}

// q3_k: hmask[32], qs[64], scales[12] (sixteen 6-bit values), d.
void block_q3_k(const Byte* b, float* y) {
  const Byte* hmask = b;
  const Byte* q = b + 32;
  const Byte* packed = b + 96;
  const float d = half_at(b + 108);
  int scales[16];
  for (int j = 0; j < 16; ++j) {
    const int low = j < 8 ? packed[j] & 0x0f : packed[j - 8] >> 4;
    const int high = (packed[8 + j % 4] >> (2 * (j / 4))) & 3;
    scales[j] = (low | (high << 4)) - 32;
  }
  int sub = 0;
  for (int half = 0; half < 2; ++half, q += 32) {
    for (int plane = 0; plane < 4; ++plane) {
      const int mask = 1 << (half * 4 + plane);
      for (int part = 0; part < 2; ++part, ++sub) {
        const float scale = d * static_cast<float>(scales[sub]);
        for (int l = 0; l < 16; ++l) {
          const int at = part * 16 + l;
          const int value = ((q[at] >> (2 * plane)) & 3) - ((hmask[at] & mask) ? 0 : 4);
          *y++ = scale * static_cast<float>(value);
        }
      }
    }
  }
}

// The eight 6-bit scales and minima of q4_k and q5_k, packed into 12 bytes.
void scale_and_minimum(const Byte* packed, int j, int& scale, int& minimum) {
  if (j < 4) {
    scale = packed[j] & 63;
    minimum = packed[j + 4] & 63;
  } else {
    scale = (packed[j + 4] & 0x0f) | ((packed[j - 4] >> 6) << 4);
    minimum = (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4);
  }
}

// q4_k: d, dmin, scales[12], qs[128]; q5_k: d, dmin, scales[12], qh[32], qs[128].
template <bool kFifthBit>
void block_q45_k(const Byte* b, float* y) {
  const float d = half_at(b), dmin = half_at(b + 2);
  const Byte* packed = b + 4;
  const Byte* high = b + 16;
  const Byte* q = b + (kFifthBit ? 48 : 16);
  for (int group = 0; group < 4; ++group, q += 32) {
    for (int part = 0; part < 2; ++part) {
      const int sub = group * 2 + part;
      int scale = 0, minimum = 0;
      scale_and_minimum(packed, sub, scale, minimum);
      const float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
      for (int l = 0; l < 32; ++l) {
        int value = part == 0 ? q[l] & 0x0f : q[l] >> 4;
        if (kFifthBit) value += ((high[l] >> sub) & 1) << 4;
        *y++ = s * static_cast<float>(value) - m;
      }
    }
  }
}

// q6_k: ql[128], qh[64], scales[16] (int8), d.
void block_q6_k(const Byte* b, float* y) {
  const Byte* low = b;
  const Byte* high = b + 128;
  const auto* scales = reinterpret_cast<const std::int8_t*>(b + 192);
  const float d = half_at(b + 208);
  for (int half = 0; half < 2; ++half, y += 128, low += 64, high += 32, scales += 8) {
    for (int l = 0; l < 32; ++l) {
      const int values[4] = {
          (low[l] & 0x0f) | (((high[l] >> 0) & 3) << 4), (low[l + 32] & 0x0f) | (((high[l] >> 2) & 3) << 4),
          (low[l] >> 4) | (((high[l] >> 4) & 3) << 4), (low[l + 32] >> 4) | (((high[l] >> 6) & 3) << 4)};
      for (int part = 0; part < 4; ++part)
        y[part * 32 + l] =
            d * static_cast<float>(scales[part * 2 + l / 16]) * static_cast<float>(values[part] - 32);
    }
  }
}

template <typename Decode>
void each_block(DType type, const Byte* src, float* dst, std::size_t elements, Decode decode) {
  const DTypeInfo info = dtype_info(type);
  for (std::size_t i = 0; i < elements; i += info.block, src += info.bytes) decode(src, dst + i);
}

template <typename T>
void each_number(const Byte* src, float* dst, std::size_t elements) {
  for (std::size_t i = 0; i < elements; ++i) {
    T value;
    std::memcpy(&value, src + i * sizeof(T), sizeof(T));
    dst[i] = static_cast<float>(value);
  }
}

}  // namespace

void dequantize_row(DType type, const void* src, float* dst, std::size_t elements) {
  const auto* bytes = static_cast<const Byte*>(src);
  switch (type) {
    case DType::kF32:
      std::memcpy(dst, bytes, elements * sizeof(float));
      return;
    case DType::kF16:
      for (std::size_t i = 0; i < elements; ++i) dst[i] = half_at(bytes + 2 * i);
      return;
    case DType::kBF16:
      for (std::size_t i = 0; i < elements; ++i)
        dst[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load_u16(bytes + 2 * i)) << 16);
      return;
    case DType::kF64:
      return each_number<double>(bytes, dst, elements);
    case DType::kI8:
      return each_number<std::int8_t>(bytes, dst, elements);
    case DType::kU8:
    case DType::kBool:
      return each_number<std::uint8_t>(bytes, dst, elements);
    case DType::kI16:
      return each_number<std::int16_t>(bytes, dst, elements);
    case DType::kI32:
      return each_number<std::int32_t>(bytes, dst, elements);
    case DType::kI64:
      return each_number<std::int64_t>(bytes, dst, elements);
    case DType::kQ4_0:
      return each_block(type, bytes, dst, elements, block_q4_0);
    case DType::kQ4_1:
      return each_block(type, bytes, dst, elements, block_q4_1);
    case DType::kQ5_0:
      return each_block(type, bytes, dst, elements, block_q5_0);
    case DType::kQ5_1:
      return each_block(type, bytes, dst, elements, block_q5_1);
    case DType::kQ8_0:
      return each_block(type, bytes, dst, elements, block_q8_0);
    case DType::kQ2_K:
      return each_block(type, bytes, dst, elements, block_q2_k);
    case DType::kQ3_K:
      return each_block(type, bytes, dst, elements, block_q3_k);
    case DType::kQ4_K:
      return each_block(type, bytes, dst, elements, block_q45_k<false>);
    case DType::kQ5_K:
      return each_block(type, bytes, dst, elements, block_q45_k<true>);
    case DType::kQ6_K:
      return each_block(type, bytes, dst, elements, block_q6_k);
  }
}

}  // namespace consort
