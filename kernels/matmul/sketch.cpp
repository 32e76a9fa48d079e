// Making a sketch, and the portable route over its tiles.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "kernels/matmul/file_blocks.h"
#include "kernels/matmul/largest.h"
#include "kernels/matmul/sketch_layout.h"
#include "memory/base/checked.h"

namespace consort {
namespace {

using namespace matmul_detail;

constexpr float kLargestWeight = 9e5f;  // / 15 is within f16
constexpr int kTop = 15;                // codes 1 to 31 stand for -15 to 15

using Columns = float[kBlock][kTile];  // a block of 16 rows, rows beside each other

// Block b of a packed tile as floats.
void block_values(const PackedMatrix& w, const std::uint8_t* tile, std::int64_t b, Columns& out) {
  if (w.dtype() == DType::kQ8_0) {
    const PackFormat f = pack_format(DType::kQ8_0);
    const std::uint8_t* block = tile + b * block_bytes(f);
    float scale[kTile];
    for (int r = 0; r < kTile; ++r) {
      std::uint16_t half;
      std::memcpy(&half, block + code_bytes(f) + 2 * r, 2);
      scale[r] = f16_to_f32(half);
    }
    for (int c = 0; c < 8; ++c)
      for (int r = 0; r < kTile; ++r)
        for (int i = 0; i < 4; ++i)
          out[4 * c + i][r] = scale[r] * static_cast<float>(block[64 * c + 4 * r + i] - 128);
    return;
  }
  for (int k = 0; k < kBlock; ++k)
    for (int r = 0; r < kTile; ++r) {
      const std::uint8_t* at = tile + ((b * kBlock + k) * kTile + r) * plain_bytes(w.dtype());
      std::uint16_t half = 0;
      std::memcpy(w.dtype() == DType::kF32 ? static_cast<void*>(&out[k][r]) : static_cast<void*>(&half), at,
                  plain_bytes(w.dtype()));
      if (w.dtype() == DType::kF16) out[k][r] = f16_to_f32(half);
      if (w.dtype() == DType::kBF16) out[k][r] = bf16_to_f32(half);
    }
}

// The nearest f16 of a number that is not negative; below the normal ones the next larger.
std::uint16_t positive_f16(float v) {
  if (v == 0) return 0;
  if (v < 0x1p-14f)  // below the normal ones: multiples of 2^-24
    return static_cast<std::uint16_t>(std::ceil(v * 0x1p24f));
  std::uint32_t bits;
  std::memcpy(&bits, &v, 4);
  bits += 0xfff + ((bits >> 13) & 1);  // round half to even
  return static_cast<std::uint16_t>((bits >> 13) - ((127 - 15) << 10));
}

// The nearest whole number of one below 2^22; vectors of it need no call.
float nearest(float v) {
  constexpr float kShift = 0x1.8p23f;
  return (v + kShift) - kShift;
}

// One block of a tile; adds the squares of its weights to `squares`. False when it has no sketch.
bool sketch_block(const Columns& v, std::uint8_t* codes, std::uint8_t* scales, std::uint8_t* rests,
                  double* squares) {
  float most[kTile] = {}, scale[kTile], inverse[kTile], left[kTile] = {}, sum[kTile] = {};
  for (int k = 0; k < kBlock; ++k)
    for (int r = 0; r < kTile; ++r) most[r] = std::max(most[r], std::fabs(v[k][r]));
  for (int r = 0; r < kTile; ++r) {
    if (!(most[r] < kLargestWeight)) return false;
    const std::uint16_t half = positive_f16(most[r] / kTop);
    std::memcpy(scales + 2 * r, &half, 2);
    scale[r] = f16_to_f32(half);
    inverse[r] = scale[r] > 0 ? 1 / scale[r] : 0;
  }
  std::uint8_t made[8][64];
  for (int k = 0; k < kBlock; ++k)
    for (int r = 0; r < kTile; ++r) {
      const float q = std::clamp(nearest(v[k][r] * inverse[r]), -15.0f, 15.0f);
      const float rest = v[k][r] - q * scale[r];
      left[r] += rest * rest;
      sum[r] += v[k][r] * v[k][r];
      made[k / 4][4 * r + k % 4] = static_cast<std::uint8_t>(static_cast<int>(q) + 16);
    }
  for (int r = 0; r < kTile; ++r) {
    squares[r] += sum[r];
    // A hundred-thousandth covers the roundings of the sum.
    const float units = std::sqrt(left[r]) * 1.00001f * inverse[r] * kRestUnits;
    if (!(units < 254)) return false;
    rests[r] = static_cast<std::uint8_t>(std::ceil(units));
  }
  for (int c = 0; c < 8; ++c)
    for (int j = 0; j < 64; ++j) {
      codes[64 * (c % 4) + j] |= static_cast<std::uint8_t>((made[c][j] & 15) << (c < 4 ? 0 : 4));
      codes[256 + j] |= static_cast<std::uint8_t>((made[c][j] >> 4) << c);
    }
  return true;
}

// Where the norms begin behind the tiles, and what both take.
struct Extent {
  std::size_t norms = 0, bytes = 0;
};
Extent extent_of(std::int64_t rows, std::int64_t cols) {
  const auto tiles = static_cast<std::size_t>((rows + kTile - 1) / kTile);
  Extent extent;
  extent.norms = round_up(sketch_tile_bytes(cols / kBlock) * tiles, 64);
  extent.bytes = extent.norms + tiles * kTile * sizeof(float);
  return extent;
}

}  // namespace

Result<RowSketch> RowSketch::from_packed(std::span<const std::byte> packed, std::int64_t rows,
                                         std::int64_t cols) {
  constexpr std::int64_t kMost = std::int64_t{1} << 28;  // keeps the sizes within 64 bits
  if (rows < 1 || rows > kMost || cols < kBlock || cols > kMost || cols % kBlock != 0 ||
      packed.size() != extent_of(rows, cols).bytes ||
      reinterpret_cast<std::uintptr_t>(packed.data()) % 64 != 0)
    return fail(ErrorKind::kInvalid, std::to_string(packed.size()) + " bytes are not a sketch of that shape");
  RowSketch sketch;
  sketch.data_ = packed.data();
  sketch.norms_ = reinterpret_cast<const float*>(packed.data() + extent_of(rows, cols).norms);
  sketch.bytes_ = packed.size();
  return sketch;
}

Result<RowSketch> RowSketch::make(WeightArena& arena, Exec& exec, const PackedMatrix& w) {
  const DType type = w.dtype();
  if (w.empty() || (type != DType::kQ8_0 && !is_plain(type)) || w.cols() % kBlock != 0) return RowSketch{};
  const std::int64_t blocks = w.cols() / kBlock, tiles = (w.rows() + kTile - 1) / kTile;
  const std::size_t tile_size = sketch_tile_bytes(blocks);
  const Extent extent = extent_of(w.rows(), w.cols());
  CONSORT_TRY(data, arena.take(extent.bytes));
  auto* norms = reinterpret_cast<float*>(data + extent.norms);
  std::atomic<bool> fits{true};
  exec.threads.parallel_for(static_cast<std::size_t>(tiles), 4, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t t = begin; t < end && fits; ++t) {
      const auto* from = reinterpret_cast<const std::uint8_t*>(w.data()) +
                         t * tile_bytes(type, static_cast<std::size_t>(w.cols()));
      auto* to = reinterpret_cast<std::uint8_t*>(data) + t * tile_size;
      double squares[kTile] = {};
      Columns values;
      for (std::int64_t b = 0; b < blocks; ++b) {
        block_values(w, from, b, values);
        if (!sketch_block(values, to + kSketchCodes * b, to + kSketchCodes * blocks + 2 * kTile * b,
                          to + (kSketchCodes + 2 * kTile) * blocks + kTile * b, squares))
          fits = false;
      }
      for (int r = 0; r < kTile; ++r)
        norms[t * kTile + static_cast<std::size_t>(r)] = static_cast<float>(std::sqrt(squares[r]) * 1.00001);
    }
  });
  if (!fits) return RowSketch{};  // the arena keeps the room; such weights are hardly a model's
  return from_packed({data, extent.bytes}, w.rows(), w.cols());
}

namespace matmul_detail {

SketchTile sketch_tile_of(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return sketch_tile_scalar;
    case Isa::kAvx2:
      return sketch_tile_avx2;
    case Isa::kAvx512:
      return sketch_tile_avx512;
  }
  return sketch_tile_scalar;
}

void sketch_tile_scalar(const std::uint8_t* tile, std::int64_t blocks, const float* row_norms, int live,
                        const SketchRow* x, int count, float* upper, float* lower) {
  for (int m = 0; m < count; ++m) {
    float product[kTile] = {}, rest[kTile] = {};
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::uint8_t* codes = tile + kSketchCodes * b;
      const std::uint8_t* scales = tile + kSketchCodes * blocks + 2 * kTile * b;
      const std::uint8_t* rests = tile + (kSketchCodes + 2 * kTile) * blocks + kTile * b;
      for (int r = 0; r < kTile; ++r) {
        std::int32_t sum = x[m].offsets[b];
        for (int k = 0; k < kBlock; ++k) {
          const int c = k / 4, j = 4 * r + k % 4;
          const int code = ((codes[64 * (c % 4) + j] >> (c < 4 ? 0 : 4)) & 15) | ((codes[256 + j] >> c) & 1)
                                                                                     << 4;
          sum += code * x[m].bytes[kBlock * b + k];
        }
        std::uint16_t half;
        std::memcpy(&half, scales + 2 * r, 2);
        const float scale = f16_to_f32(half);
        product[r] = std::fma(static_cast<float>(sum), scale * x[m].scales[b], product[r]);
        rest[r] = std::fma(static_cast<float>(rests[r]), scale * x[m].norms[b], rest[r]);
      }
    }
    upper[m] = lower[m] = -std::numeric_limits<float>::infinity();
    for (int r = 0; r < live; ++r) {
      const float bound = std::fma(row_norms[r], x[m].slack, rest[r]);
      upper[m] = std::max(upper[m], product[r] + bound);
      lower[m] = std::max(lower[m], product[r] - bound);
    }
  }
}

}  // namespace matmul_detail
}  // namespace consort
