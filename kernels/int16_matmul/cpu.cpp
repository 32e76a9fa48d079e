// The portable route, and the definition of the arithmetic that the vector routes repeat bit for bit.
#include <cmath>

#include "kernels/int16_matmul/kernel.h"

namespace consort::scalar {

using namespace int16_matmul_detail;

void int16_quantise_row(const QuantiseArgs& args) {
  for (std::int64_t begin = 0; begin < args.cols; begin += kPiece) {
    const std::int64_t end = begin + kPiece < args.cols ? begin + kPiece : args.cols;
    std::uint32_t largest = 0;  // magnitudes compare like their bits; a NaN is above infinity
    for (std::int64_t k = begin; k < end; ++k) {
      const std::uint32_t magnitude = magnitude_bits(args.x[k]);
      largest = magnitude > largest ? magnitude : largest;
    }
    const PieceFactors factors = piece_factors(largest);
    *(args.scales + begin / kPiece) = factors.scale;
    for (std::int64_t k = begin; k < end; ++k) args.codes[k] = quantise_one(args.x[k], factors.inverse);
  }
  clear_rest(args);
}

void int16_rows_by_tile(const Rows& x, const Tile& w) {
  for (std::int64_t m = 0; m < x.rows; ++m) {
    float total[kTile] = {};
    for (std::int64_t begin = 0; begin < w.pairs; begin += kPiece / 2) {
      const std::int64_t end = begin + kPiece / 2 < w.pairs ? begin + kPiece / 2 : w.pairs;
      std::int32_t sum[kTile] = {};
      for (std::int64_t c = begin; c < end; ++c) {
        const std::int16_t* pair = x.codes + m * x.stride + 2 * c;
        const std::int16_t* codes = w.codes + c * 2 * kTile;
        for (int r = 0; r < kTile; ++r) sum[r] += pair[0] * codes[2 * r] + pair[1] * codes[2 * r + 1];
      }
      const float scale = x.scales[m * x.scale_stride + begin / (kPiece / 2)];
      for (int r = 0; r < kTile; ++r) total[r] = std::fma(static_cast<float>(sum[r]), scale, total[r]);
    }
    for (int r = 0; r < w.live; ++r)
      w.out[m * w.out_stride + r] = std::fma(total[r], w.scales[r], w.bias ? w.bias[r] : 0.0f);
  }
}

}  // namespace consort::scalar
