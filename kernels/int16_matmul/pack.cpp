// Packing of int8 codes and of float weights into tiles.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/int16_matmul/int16_matmul.h"
#include "kernels/int16_matmul/kernel.h"
#include "kernels/lanes/lanes.h"
#include "memory/tensor/dtype.h"

namespace consort {
namespace {

using namespace int16_matmul_detail;

constexpr std::int64_t kMostCols = std::int64_t{1} << 24;  // these keep products of sizes within 64 bits
constexpr std::int64_t kMostRows = std::int64_t{1} << 31;

std::int64_t tiles_of(std::int64_t outputs) {
  return (outputs + kTile - 1) / kTile;
}

std::size_t codes_of(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(tiles_of(rows) * pairs_of(cols)) * 2 * kTile;
}
std::size_t packed_bytes(std::int64_t rows, std::int64_t cols) {
  return codes_of(rows, cols) * sizeof(std::int16_t) +
         static_cast<std::size_t>(tiles_of(rows)) * kTile * sizeof(float);
}

void read_row(DType type, const std::byte* from, std::span<float> out) {
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (type == DType::kF32) {
      std::memcpy(&out[k], from + 4 * k, 4);
      continue;
    }
    std::uint16_t half = 0;
    std::memcpy(&half, from + 2 * k, 2);
    out[k] = type == DType::kF16 ? scalar::half_to_float(half)
                                 : __builtin_bit_cast(float, static_cast<std::uint32_t>(half) << 16);
  }
}

// The least scale with which no code passes 32,767 and no piece's codes pass kPieceWeight, roundings
// included. 0 for a row of zeros, NaN when a value is not finite.
float scale_of(std::span<const float> row) {
  float scale = 0;
  for (std::size_t begin = 0; begin < row.size(); begin += kPiece) {
    double sum = 0, most = 0;
    for (const float v : row.subspan(begin, std::min<std::size_t>(kPiece, row.size() - begin))) {
      sum += std::abs(static_cast<double>(v));
      most = std::max(most, std::abs(static_cast<double>(v)));
    }
    if (!std::isfinite(sum)) return std::nanf("");
    scale = std::max(scale, static_cast<float>(std::max(sum / (kPieceWeight - kPiece), most / 32766.0)));
  }
  return scale < kTiny ? 0.0f : scale;
}

}  // namespace

Result<Int16Matrix::Place> Int16Matrix::take(WeightArena& arena, std::int64_t rows, std::int64_t cols) {
  rows_ = rows;
  cols_ = cols;
  bytes_ = packed_bytes(rows, cols);
  CONSORT_TRY(data, arena.take(bytes_));
  auto* codes = reinterpret_cast<std::int16_t*>(data);
  auto* scales = reinterpret_cast<float*>(codes + codes_of(rows, cols));
  codes_ = codes;
  scales_ = scales;
  return Place{codes, scales};
}

Result<Int16Matrix> Int16Matrix::from_packed(std::span<const std::byte> packed, std::int64_t rows,
                                             std::int64_t cols) {
  if (rows < 1 || rows > kMostRows || cols < 1 || cols > kMostCols ||
      packed.size() != packed_bytes(rows, cols) ||
      reinterpret_cast<std::uintptr_t>(packed.data()) % 64 != 0)
    return fail(ErrorKind::kInvalid,
                std::to_string(packed.size()) + " bytes are not a packed matrix of that shape");
  Int16Matrix m;
  m.rows_ = rows;
  m.cols_ = cols;
  m.bytes_ = packed.size();
  m.codes_ = reinterpret_cast<const std::int16_t*>(packed.data());
  m.scales_ = reinterpret_cast<const float*>(m.codes_ + codes_of(rows, cols));
  return m;
}

Result<Int16Matrix> Int16Matrix::pack_codes(WeightArena& arena, Exec& exec, TensorView weights,
                                            std::span<const float> scales) {
  if (weights.dtype != DType::kI8)
    return fail(ErrorKind::kUnsupported, "weights " + describe(weights) + " are not int8");
  if (weights.rank != 2 || !weights.contiguous() || weights.data == nullptr || weights.dims[0] < 1 ||
      weights.dims[0] > kMostCols || weights.dims[1] < 1)
    return fail(ErrorKind::kInvalid, "weights " + describe(weights) + " are not a matrix that fits");
  if (scales.size() != 1 && std::ssize(scales) != weights.dims[1])
    return fail(ErrorKind::kInvalid, "neither one scale nor one for each output of " + describe(weights));
  for (const float s : scales)
    if (!std::isfinite(s)) return fail(ErrorKind::kInvalid, "a scale is not finite");
  Int16Matrix m;
  CONSORT_TRY(place, m.take(arena, weights.dims[1], weights.dims[0]));
  for (std::int64_t n = 0; n < m.rows_; ++n)
    place.scales[n] = scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(n)];
  const auto* from = weights.as<const std::int8_t>();
  const auto tiles = static_cast<std::size_t>(tiles_of(m.rows_));
  exec.threads.parallel_for(tiles, 1, [&](std::size_t begin, std::size_t end, int) {
    for (auto t = static_cast<std::int64_t>(begin); t < static_cast<std::int64_t>(end); ++t) {
      const std::int64_t live = std::min<std::int64_t>(kTile, m.rows_ - t * kTile);
      std::int16_t* tile = place.codes + t * pairs_of(m.cols_) * 2 * kTile;
      for (std::int64_t k = 0; k < m.cols_; ++k)
        for (std::int64_t r = 0; r < live; ++r)
          tile[k / 2 * 2 * kTile + 2 * r + k % 2] = from[k * m.rows_ + t * kTile + r];
    }
  });
  return m;
}

Result<Int16Matrix> Int16Matrix::pack(WeightArena& arena, Exec& exec, TensorView weights) {
  const DType type = weights.dtype;
  if (type != DType::kF32 && type != DType::kF16 && type != DType::kBF16)
    return fail(ErrorKind::kUnsupported, "weights " + describe(weights) + " are not float");
  if (weights.rank != 2 || !weights.contiguous() || weights.data == nullptr || weights.dims[0] < 1 ||
      weights.dims[1] > kMostCols || weights.dims[1] < 1)
    return fail(ErrorKind::kInvalid, "weights " + describe(weights) + " are not a matrix that fits");
  Int16Matrix m;
  CONSORT_TRY(place, m.take(arena, weights.dims[0], weights.dims[1]));
  const std::size_t stride = row_bytes(type, static_cast<std::size_t>(m.cols_));
  std::atomic<bool> finite{true};
  const auto tiles = static_cast<std::size_t>(tiles_of(m.rows_));
  exec.threads.parallel_for(tiles, 1, [&](std::size_t begin, std::size_t end, int) {
    std::vector<float> row(static_cast<std::size_t>(m.cols_));
    const auto last = std::min<std::int64_t>(m.rows_, static_cast<std::int64_t>(end) * kTile);
    for (auto n = static_cast<std::int64_t>(begin) * kTile; n < last; ++n) {
      read_row(type, weights.data + static_cast<std::size_t>(n) * stride, row);
      const float scale = scale_of(row);
      place.scales[n] = scale;
      if (std::isnan(scale)) finite = false;
      if (!(scale > 0)) continue;
      std::int16_t* tile = place.codes + n / kTile * pairs_of(m.cols_) * 2 * kTile + 2 * (n % kTile);
      for (std::int64_t k = 0; k < m.cols_; ++k)
        tile[k / 2 * 2 * kTile + k % 2] =
            static_cast<std::int16_t>(std::lrint(row[static_cast<std::size_t>(k)] / scale));
    }
  });
  if (!finite) return fail(ErrorKind::kInvalid, "a weight is not finite");
  return m;
}

float Int16Matrix::value(std::int64_t output, std::int64_t input) const {
  const std::int64_t tile = output / kTile * pairs_of(cols_) * 2 * kTile;
  return scales_[output] * static_cast<float>(codes_[tile + input / 2 * 2 * kTile + 2 * (output % kTile) + input % 2]);
}

}  // namespace consort
