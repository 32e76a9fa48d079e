// Packing of file rows into tiles, and reading a row back.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/matmul/file_blocks.h"
#include "kernels/matmul/layout.h"
#include "kernels/matmul/matmul.h"

namespace consort {
namespace {

using namespace matmul_detail;

constexpr std::int64_t kMaxDim = std::int64_t{1}
                                 << 31;  // rows or columns; keeps every product within 64 bits

std::uint32_t load32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
void store32(std::uint8_t* p, std::uint32_t v) {
  std::memcpy(p, &v, 4);
}

// Writes the codes of row r (32 of them) into a block, four codes at a time.
template <int Bits>
void put_codes(const std::uint8_t* codes, int r, std::uint8_t* block) {
  if constexpr (Bits == 8) {
    for (int c = 0; c < 8; ++c) store32(block + 64 * c + 4 * r, load32(codes + 4 * c));
    return;
  }
  constexpr std::uint32_t kLow = 0x0f0f0f0fu;
  std::uint32_t planes[2] = {0, 0};
  for (int p = 0; p < 4; ++p) {
    const std::uint32_t first = load32(codes + 4 * p), second = load32(codes + 4 * (p + 4));
    store32(block + 64 * p + 4 * r, (first & kLow) | (second & kLow) << 4);
    if (Bits == 5) planes[0] |= ((first >> 4) & 0x01010101u) << p | ((second >> 4) & 0x01010101u) << (p + 4);
    if (Bits == 6) planes[0] |= ((first >> 4) & 0x03030303u) << (2 * p);
    if (Bits == 6) planes[1] |= ((second >> 4) & 0x03030303u) << (2 * p);
  }
  if (Bits >= 5) store32(block + 256 + 4 * r, planes[0]);
  if (Bits == 6) store32(block + 320 + 4 * r, planes[1]);
}

void put_codes(PackFormat f, const std::uint8_t* codes, int r, std::uint8_t* block) {
  switch (f.bits) {
    case 4:
      return put_codes<4>(codes, r, block);
    case 5:
      return put_codes<5>(codes, r, block);
    case 6:
      return put_codes<6>(codes, r, block);
    default:
      return put_codes<8>(codes, r, block);
  }
}

std::uint8_t get_code(PackFormat f, const std::uint8_t* block, int r, int k) {
  const int c = k / 4, j = 4 * r + k % 4;
  if (f.bits == 8) return block[64 * c + j];
  int code = (block[64 * (c % 4) + j] >> (c < 4 ? 0 : 4)) & 15;
  if (f.bits == 5) code |= ((block[256 + j] >> c) & 1) << 4;
  if (f.bits == 6) code |= ((block[256 + 64 * (c / 4) + j] >> (2 * (c % 4))) & 3) << 4;
  return static_cast<std::uint8_t>(code);
}

// Row r of one unit. Rows that do not exist stay as the arena gave them: zero.
void put_unit(PackFormat f, const RowUnit& row, int r, std::uint8_t* unit) {
  if (f.super) {
    std::memcpy(unit + 2 * r, &row.d, 2);
    if (f.affine) std::memcpy(unit + 2 * kTile + 2 * r, &row.dmin, 2);
  }
  for (int b = 0; b < unit_blocks(f); ++b) {
    std::uint8_t* block = unit + header_bytes(f) + b * block_bytes(f);
    put_codes(f, row.codes + kBlock * b, r, block);
    std::uint8_t* scales = block + code_bytes(f);
    if (!f.super) {
      std::memcpy(scales + 2 * r, &row.d, 2);
      if (f.affine) std::memcpy(scales + 2 * kTile + 2 * r, &row.dmin, 2);
      continue;
    }
    for (int g = 0; g < f.groups; ++g) {
      std::memcpy(scales + kTile * g + r, &row.factors[b * f.groups + g], 1);
      if (f.affine) std::memcpy(scales + kTile * (f.groups + g) + r, &row.min_factors[b * f.groups + g], 1);
    }
  }
}

void pack_block_tile(DType type, const std::uint8_t* rows, std::size_t row_stride, int live_rows,
                     std::int64_t cols, std::uint8_t* tile) {
  const PackFormat f = pack_format(type);
  const auto units = static_cast<std::size_t>(cols) / (kBlock * unit_blocks(f));
  const std::size_t file_bytes = dtype_info(type).bytes;
  RowUnit row{};
  for (std::size_t u = 0; u < units; ++u)
    for (int r = 0; r < live_rows; ++r) {
      decode_unit(type, rows + r * row_stride + u * file_bytes, row);
      put_unit(f, row, r, tile + u * unit_bytes(f));
    }
}

// Transposes live_rows rows into [cols][16]; `Element` is an unsigned integer of the element's size.
template <typename Element>
void pack_plain_tile(const std::uint8_t* rows, std::size_t row_stride, int live_rows, std::int64_t cols,
                     std::uint8_t* tile) {
  for (std::int64_t k = 0; k < cols; ++k) {
    Element column[kTile] = {};
    for (int r = 0; r < live_rows; ++r)
      std::memcpy(&column[r], rows + r * row_stride + k * sizeof(Element), sizeof(Element));
    std::memcpy(tile + k * sizeof column, column, sizeof column);
  }
}

std::int64_t tiles_of(std::int64_t rows) {
  return (rows + kTile - 1) / kTile;
}

}  // namespace

std::size_t PackedMatrix::packed_bytes(DType dtype, std::int64_t rows, std::int64_t cols) {
  if (rows <= 0 || cols <= 0 || rows > kMaxDim || cols > kMaxDim) return 0;
  if (!is_plain(dtype) && !is_block_format(dtype)) return 0;
  if (cols % static_cast<std::int64_t>(dtype_info(dtype).block) != 0) return 0;
  return static_cast<std::size_t>(tiles_of(rows)) * tile_bytes(dtype, static_cast<std::size_t>(cols));
}

Result<PackedMatrix> PackedMatrix::pack(WeightArena& arena, Exec& exec, TensorView weights) {
  const DType type = weights.dtype;
  if (!is_plain(type) && !is_block_format(type))
    return fail(ErrorKind::kUnsupported,
                "weights of type " + std::string(dtype_name(type)) + " for a matrix product");
  PackedMatrix m;
  m.dtype_ = type;
  m.rows_ = weights.rank >= 1 && weights.cols() > 0 ? weights.rows() : 0;
  m.cols_ = weights.cols();
  m.bytes_ = packed_bytes(type, m.rows_, m.cols_);
  if (m.bytes_ == 0 || weights.data == nullptr || weights.rank < 1 || weights.rank > 2 ||
      !weights.contiguous())
    return fail(ErrorKind::kInvalid,
                "weights " + describe(weights) + " are not a contiguous matrix of whole blocks");
  CONSORT_TRY(data, arena.take(m.bytes_));
  m.data_ = data;
  const auto* src = reinterpret_cast<const std::uint8_t*>(weights.data);
  auto* dst = reinterpret_cast<std::uint8_t*>(data);
  const std::size_t stride = row_bytes(type, static_cast<std::size_t>(m.cols_));
  const std::size_t tile_size = tile_bytes(type, static_cast<std::size_t>(m.cols_));
  exec.threads.parallel_for(tiles_of(m.rows_), 1, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t t = begin; t < end; ++t) {
      const auto first = static_cast<std::int64_t>(t) * kTile;
      const int live = static_cast<int>(std::min<std::int64_t>(kTile, m.rows_ - first));
      const std::uint8_t* from = src + first * stride;
      std::uint8_t* to = dst + t * tile_size;
      if (type == DType::kF32)
        pack_plain_tile<std::uint32_t>(from, stride, live, m.cols_, to);
      else if (is_plain(type))
        pack_plain_tile<std::uint16_t>(from, stride, live, m.cols_, to);
      else
        pack_block_tile(type, from, stride, live, m.cols_, to);
    }
  });
  return m;
}

Result<PackedMatrix> PackedMatrix::from_packed(std::span<const std::byte> packed, DType dtype,
                                               std::int64_t rows, std::int64_t cols) {
  const std::size_t bytes = packed_bytes(dtype, rows, cols);
  if (bytes == 0 || packed.size() != bytes || reinterpret_cast<std::uintptr_t>(packed.data()) % 64 != 0)
    return fail(ErrorKind::kInvalid,
                std::to_string(packed.size()) + " bytes are not a packed matrix of that shape");
  PackedMatrix m;
  m.data_ = packed.data();
  m.rows_ = rows;
  m.cols_ = cols;
  m.bytes_ = bytes;
  m.dtype_ = dtype;
  return m;
}

namespace {

// Scale and minimum of row r for block b, group g of a unit: the same products as the file format's decoding.
void unit_scale(PackFormat f, const std::uint8_t* unit, int b, int g, int r, float& scale, float& minimum) {
  const std::uint8_t* scales = unit + header_bytes(f) + b * block_bytes(f) + code_bytes(f);
  const std::uint8_t* d = (f.super ? unit : scales) + 2 * r;
  std::uint16_t bits = 0;
  std::memcpy(&bits, d, 2);
  scale = f16_to_f32(bits);
  minimum = 0;
  if (f.affine) {
    std::memcpy(&bits, d + 2 * kTile, 2);
    minimum = f16_to_f32(bits);
  }
  if (!f.super) return;
  scale *= static_cast<std::int8_t>(scales[kTile * g + r]);
  if (f.affine) minimum *= -static_cast<float>(static_cast<std::int8_t>(scales[kTile * (f.groups + g) + r]));
}

void read_block_row(PackFormat f, const std::uint8_t* tile, int r, std::span<float> out) {
  const std::size_t per_unit = static_cast<std::size_t>(kBlock) * unit_blocks(f);
  const int per_group = kBlock / f.groups;
  for (std::size_t k = 0; k < out.size(); k += per_group) {
    const std::uint8_t* unit = tile + k / per_unit * unit_bytes(f);
    const int b = static_cast<int>(k % per_unit) / kBlock, in_block = static_cast<int>(k % kBlock);
    float scale = 0, minimum = 0;
    unit_scale(f, unit, b, in_block / per_group, r, scale, minimum);
    const std::uint8_t* block = unit + header_bytes(f) + b * block_bytes(f);
    for (int j = 0; j < per_group; ++j) {
      const int code = get_code(f, block, r, in_block + j);
      out[k + j] = f.affine ? scale * static_cast<float>(code) + minimum
                            : scale * static_cast<float>(code - (1 << f.log2_offset));
    }
  }
}

}  // namespace

void PackedMatrix::dequantize_row(std::int64_t row, std::span<float> out) const {
  const auto* tile =
      reinterpret_cast<const std::uint8_t*>(data_) +
      static_cast<std::size_t>(row / kTile) * tile_bytes(dtype_, static_cast<std::size_t>(cols_));
  const int r = static_cast<int>(row % kTile);
  if (!is_plain(dtype_)) return read_block_row(pack_format(dtype_), tile, r, out);
  for (std::size_t k = 0; k < out.size(); ++k) {
    const std::uint8_t* at = tile + (k * kTile + r) * plain_bytes(dtype_);
    std::uint16_t half = 0;
    if (dtype_ == DType::kF32) {
      std::memcpy(&out[k], at, 4);
      continue;
    }
    std::memcpy(&half, at, 2);
    out[k] = dtype_ == DType::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
  }
}

}  // namespace consort
