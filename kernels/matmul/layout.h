// The packed layout of weights. Internal to kernels/matmul.
//
// A tile holds 16 rows. Along k a tile is a sequence of units; a unit is one block of 32 columns, or for the
// K formats one super-block of 256 (a header and 8 blocks). In a block, byte 4 r + i of code vector c (64
// bytes, c = 0..7) is the unsigned code of row r at column 4 c + i, which is what vpdpbusd wants: 16 rows in
// the lanes, 4 neighbours in k summed. Codes are stored by bits:
//   nibbles  4 x 64 bytes: vector p holds code vector p in its low and p + 4 in its high nibbles (low 4 bits)
//   plane    5 bits: 64 bytes, bit c of byte j is bit 4 of byte j of vector c
//            6 bits: 2 x 64 bytes, bits 2 q, 2 q + 1 of byte j of plane h are bits 4, 5 of vector 4 h + q
//   bytes    8 bits: 8 x 64 bytes, nothing else
// then the block's scales, one per row and group: f16[16] (and f16[16] minimums), or for the K formats int8
// factors [groups][16] (and [groups][16] for minimums) of the f16 d[16] (and dmin[16]) in the unit's header.
// Weight = scale (code - 2^log2_offset), or scale code + minimum for the affine formats.
// Plain formats: a tile is [cols][16] elements. Rows past the end are zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/tensor/dtype.h"

namespace consort::matmul_detail {

inline constexpr int kTile = 16;
inline constexpr int kBlock = 32;
inline constexpr int kSuperBlocks = 8;  // blocks in a unit of the K formats

// Everything the kernels need to know about a block format; a template argument of theirs.
struct PackFormat {
  int bits = 4;         // of a stored code: 4, 5, 6, 8
  int groups = 1;       // scales in a block of 32: 1 or 2
  bool affine = false;  // has minimums
  int log2_offset = 0;  // of the symmetric formats
  bool super = false;   // scales are int8 factors of a super-block's d
  bool operator==(const PackFormat&) const = default;
};

// `static`: these are also used in files compiled for AVX-512, whose copies must not be shared by the linker.
static constexpr int code_bytes(PackFormat f) {
  return f.bits == 8 ? 512 : 256 + 64 * (f.bits - 4);
}
static constexpr int scale_bytes(PackFormat f) {
  return kTile * (f.super ? f.groups : 2) * (f.affine ? 2 : 1);
}
static constexpr int header_bytes(PackFormat f) {
  return f.super ? 2 * kTile * (f.affine ? 2 : 1) : 0;
}
static constexpr int block_bytes(PackFormat f) {
  return code_bytes(f) + scale_bytes(f);
}
static constexpr int unit_blocks(PackFormat f) {
  return f.super ? kSuperBlocks : 1;
}
static constexpr int unit_bytes(PackFormat f) {
  return header_bytes(f) + unit_blocks(f) * block_bytes(f);
}

// One entry for each block format; F(dtype, format) is expanded by the kernels into their tables.
#define CONSORT_PACK_FORMATS(F)                                                   \
  F(kQ4_0, (PackFormat{.bits = 4, .log2_offset = 3}))                             \
  F(kQ4_1, (PackFormat{.bits = 4, .affine = true}))                               \
  F(kQ5_0, (PackFormat{.bits = 5, .log2_offset = 4}))                             \
  F(kQ5_1, (PackFormat{.bits = 5, .affine = true}))                               \
  F(kQ8_0, (PackFormat{.bits = 8, .log2_offset = 7}))                             \
  F(kQ2_K, (PackFormat{.bits = 4, .groups = 2, .affine = true, .super = true}))   \
  F(kQ3_K, (PackFormat{.bits = 4, .groups = 2, .log2_offset = 2, .super = true})) \
  F(kQ4_K, (PackFormat{.bits = 4, .affine = true, .super = true}))                \
  F(kQ5_K, (PackFormat{.bits = 5, .affine = true, .super = true}))                \
  F(kQ6_K, (PackFormat{.bits = 6, .groups = 2, .log2_offset = 5, .super = true}))

static constexpr PackFormat pack_format(DType t) {
#define CONSORT_CASE(type, format) \
  if (t == DType::type) return PackFormat format;
  CONSORT_PACK_FORMATS(CONSORT_CASE)
#undef CONSORT_CASE
  return {};
}

// Plain formats are multiplied in float32, block formats in integers.
static constexpr bool is_plain(DType t) {
  return t == DType::kF32 || t == DType::kF16 || t == DType::kBF16;
}
static constexpr std::size_t plain_bytes(DType t) {
  return t == DType::kF32 ? 4 : 2;
}

// Bytes of a tile of `cols` columns; a multiple of 32.
static constexpr std::size_t tile_bytes(DType t, std::size_t cols) {
  if (is_plain(t)) return cols * kTile * plain_bytes(t);
  const PackFormat f = pack_format(t);
  return cols / (static_cast<std::size_t>(kBlock) * unit_blocks(f)) * unit_bytes(f);
}

}  // namespace consort::matmul_detail
