// The portable route, and the definition of the arithmetic that the vector routes repeat bit for bit.
#include <cmath>
#include <cstring>

#include "kernels/matmul/file_blocks.h"
#include "kernels/matmul/kernel_table.h"

namespace consort::matmul_detail {
namespace {

void quantise_block(const float* x, float most, ActivationBlock& block, float& scale, std::int32_t* sums) {
  std::uint32_t largest = 0;  // magnitudes compare like their bits; a NaN is above infinity
  for (int i = 0; i < kBlock; ++i) {
    const std::uint32_t magnitude = __builtin_bit_cast(std::uint32_t, x[i]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  const float amax = __builtin_bit_cast(float, largest);
  const bool finite = largest < 0x7f800000u;
  const bool zero = !finite || amax < kTiny;
  scale = !finite ? __builtin_nanf("") : zero ? 0.0f : amax / most;
  const float inverse = zero ? 0.0f : most / amax;
  sums[0] = sums[1] = 0;
  for (int i = 0; i < kBlock; ++i) {
    const auto q = zero ? 0 : static_cast<std::int32_t>(std::lrintf(x[i] * inverse));
    block.high[i] = static_cast<std::int8_t>((q + 128) >> 8);
    block.low[i] = static_cast<std::int8_t>(q - block.high[i] * 256);
    sums[i / 16] += q;
  }
}

void quantise(const PanelToQuantise& p, std::int64_t first, std::int64_t last) {
  for (std::int64_t b = first; b < last; ++b)
    quantise_block(p.x + b * kBlock, p.most, p.blocks[b], p.scales[b], p.sums + 2 * b);
}

void unpack_codes(PackFormat f, const std::uint8_t* block, std::uint8_t* out) {
  for (int c = 0; c < 8; ++c)
    for (int j = 0; j < 64; ++j) {
      if (f.bits == 8) {
        out[64 * c + j] = block[64 * c + j];
        continue;
      }
      int code = (block[64 * (c % 4) + j] >> (c < 4 ? 0 : 4)) & 15;
      if (f.bits == 5) code |= ((block[256 + j] >> c) & 1) << 4;
      if (f.bits == 6) code |= ((block[256 + 64 * (c / 4) + j] >> (2 * (c % 4))) & 3) << 4;
      out[64 * c + j] = static_cast<std::uint8_t>(code);
    }
}

float f16_at(const std::uint8_t* p, int i) {
  std::uint16_t bits;
  std::memcpy(&bits, p + 2 * i, 2);
  return f16_to_f32(bits);
}

void unpack_scales(PackFormat f, const std::uint8_t* unit, const std::uint8_t* scales, float* out,
                   float* minimums) {
  const std::uint8_t* d = f.super ? unit : scales;
  for (int g = 0; g < f.groups; ++g)
    for (int r = 0; r < kTile; ++r) {
      float scale = f16_at(d, r), minimum = f.affine ? f16_at(d + 2 * kTile, r) : 0.0f;
      if (f.super) {
        scale *= static_cast<std::int8_t>(scales[kTile * g + r]);
        if (f.affine)
          minimum *= -static_cast<float>(static_cast<std::int8_t>(scales[kTile * (f.groups + g) + r]));
      }
      out[kTile * g + r] = scale;
      if (f.affine) minimums[kTile * g + r] = minimum;
    }
}

void unpack(DType type, const std::uint8_t* tile, std::int64_t cols, const UnpackedTile& to) {
  const PackFormat f = pack_format(type);
  for (std::int64_t b = 0; b < cols / kBlock; ++b) {
    const std::uint8_t* unit = tile + b / unit_blocks(f) * unit_bytes(f);
    const std::uint8_t* block = unit + header_bytes(f) + b % unit_blocks(f) * block_bytes(f);
    unpack_codes(f, block, to.codes + 512 * b);
    unpack_scales(f, unit, block + code_bytes(f), to.scales + b * f.groups * kTile,
                  f.affine ? to.minimums + b * f.groups * kTile : nullptr);
  }
}

// sums[r] += codes of row r times x over vectors [first, last) of one block.
void dot_codes(const std::uint8_t* codes, const ActivationBlock& x, int first, int last, std::int32_t* sums) {
  for (int c = first; c < last; ++c) {
    std::int32_t four[4];
    for (int i = 0; i < 4; ++i) four[i] = x.high[4 * c + i] * 256 + x.low[4 * c + i];
    for (int r = 0; r < kTile; ++r) {
      const std::uint8_t* w = codes + 64 * c + 4 * r;
      sums[r] += w[0] * four[0] + w[1] * four[1] + w[2] * four[2] + w[3] * four[3];
    }
  }
}

// acc += one tile times one row of x, in the order of k.
void tile_row(PackFormat f, const UnpackedTile& w, const Activations& x, const std::uint32_t* corrections,
              std::int64_t row, float* acc) {
  for (std::int64_t b = 0; b < x.row_blocks; ++b) {
    const std::int64_t at = row * x.row_blocks + b;
    for (int g = 0; g < f.groups; ++g) {
      const std::uint32_t correction = corrections[at * f.groups + g];
      std::int32_t sums[kTile];
      for (int r = 0; r < kTile; ++r) sums[r] = f.affine ? 0 : static_cast<std::int32_t>(correction);
      dot_codes(w.codes + 512 * b, x.blocks[at], 8 / f.groups * g, 8 / f.groups * (g + 1), sums);
      const float* scales = w.scales + (b * f.groups + g) * kTile;
      const float* minimums = w.minimums + (b * f.groups + g) * kTile;
      for (int r = 0; r < kTile; ++r) {
        acc[r] = std::fma(static_cast<float>(sums[r]), scales[r] * x.scales[at], acc[r]);
        if (f.affine) acc[r] = std::fma(minimums[r], __builtin_bit_cast(float, correction), acc[r]);
      }
    }
  }
}

void store(const float* acc, std::int64_t row, int first, const OutTile& out) {
  float* to = out.out + row * out.out_stride;
  for (int r = 0; r < kTile && first + r < out.live; ++r)
    to[first + r] = out.bias ? acc[r] + out.bias[first + r] : acc[r];
}

void unpacked_rows(DType type, const UnpackedTile* w, int tiles, const Activations& x,
                   const std::uint32_t* corrections, std::int64_t rows, const OutTile& out) {
  for (int t = 0; t < tiles; ++t)
    for (std::int64_t m = 0; m < rows; ++m) {
      float acc[kTile] = {};
      tile_row(pack_format(type), w[t], x, corrections, m, acc);
      store(acc, m, kTile * t, out);
    }
}

void decode_block(PackFormat f, const std::uint8_t* codes, const float* scales, const float* minimums, float* out) {
  for (int c = 0; c < 8; ++c) {
    const int g = f.groups == 2 ? c / 4 : 0;
    for (int r = 0; r < kTile; ++r)
      for (int i = 0; i < 4; ++i) {
        const int code = codes[64 * c + 4 * r + i];
        const float scale = scales[kTile * g + r];
        out[(4 * c + i) * kTile + r] =
            f.affine ? std::fma(scale, static_cast<float>(code), minimums[kTile * g + r])
                     : scale * static_cast<float>(code - (1 << f.log2_offset));
      }
  }
}

float plain_value(DType type, const std::uint8_t* p) {
  if (type == DType::kF32) {
    float value;
    std::memcpy(&value, p, 4);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, p, 2);
  return type == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

void plain_rows(DType type, const std::uint8_t* tile, int tiles, const PlainRows& x, std::int64_t cols,
                std::int64_t rows, const OutTile& out) {
  for (int t = 0; t < tiles; ++t) {
    const std::uint8_t* w = tile + t * tile_bytes(type, static_cast<std::size_t>(cols));
    for (std::int64_t m = 0; m < rows; ++m) {
      float acc[kTile] = {};
      for (std::int64_t k = 0; k < cols; ++k)
        for (int r = 0; r < kTile; ++r)
          acc[r] = std::fma(plain_value(type, w + (k * kTile + r) * plain_bytes(type)), x.x[m * x.stride + k],
                            acc[r]);
      store(acc, m, kTile * t, out);
    }
  }
}

}  // namespace

void decode_scalar(DType type, const std::uint8_t* tile, std::int64_t cols, float* out) {
  const PackFormat f = pack_format(type);
  std::uint8_t codes[512];
  float scales[2 * kTile], minimums[2 * kTile];
  for (std::int64_t b = 0; b < cols / kBlock; ++b) {
    const std::uint8_t* unit = tile + b / unit_blocks(f) * unit_bytes(f);
    const std::uint8_t* block = unit + header_bytes(f) + b % unit_blocks(f) * block_bytes(f);
    unpack_codes(f, block, codes);
    unpack_scales(f, unit, block + code_bytes(f), scales, minimums);
    decode_block(f, codes, scales, minimums, out + b * kBlock * kTile);
  }
}

const KernelTable& scalar_kernels() {
  static constexpr IntegerRoute int16{.quantise = quantise, .unpack = unpack, .unpacked_rows = unpacked_rows};
  static constexpr IntegerRoute int8{
      .most = kActivationMax8, .quantise = quantise, .unpack = unpack, .unpacked_rows = unpacked_rows};
  static constexpr KernelTable table{
      .int16 = int16, .int8 = int8, .decode = decode_scalar, .plain_rows = plain_rows};
  return table;
}

}  // namespace consort::matmul_detail
