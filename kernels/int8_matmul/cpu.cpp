// The portable route, and the definition of the arithmetic that the vector routes repeat bit for bit.
#include <cmath>

#include "kernels/int8_matmul/kernel.h"

namespace consort::scalar {

using namespace int8_matmul_detail;

void int8_quantise_row(const QuantiseArgs& args) {
  std::uint32_t largest = 0;  // magnitudes compare like their bits; a NaN is above infinity
  for (std::int64_t k = 0; k < args.cols; ++k) {
    const std::uint32_t magnitude = __builtin_bit_cast(std::uint32_t, args.x[k]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  const RowFactors factors = row_factors(largest);
  *args.scale = RowScale{factors.scale, 0, 0};
  quantise_tail(args, factors.inverse, 0);
}

void int8_panel_by_tiles(const Panel& x, const Tiles& w) {
  for (int t = 0; t < w.tiles; ++t)
    for (int m = 0; m < x.rows; ++m) {
      // Unsigned: the sums with codes of weight + 128 may pass 32 bits on the way, the difference does not.
      std::uint32_t high[kTile] = {}, low[kTile] = {};
      for (std::int64_t c = 0; c < w.groups; ++c) {
        const std::uint8_t* codes = w.codes + (t * w.groups + c) * 64;
        const std::int8_t* group = x.groups + c * kGroupBytes + 8 * m;
        for (int r = 0; r < kTile; ++r)
          for (int i = 0; i < 4; ++i) {
            high[r] += static_cast<std::uint32_t>(codes[4 * r + i] * group[i]);
            low[r] += static_cast<std::uint32_t>(codes[4 * r + i] * group[4 + i]);
          }
      }
      const RowScale& row = x.scales[m];
      for (int r = 0; r < kTile && kTile * t + r < w.live; ++r) {
        const auto h = static_cast<std::int32_t>(high[r] - 128u * static_cast<std::uint32_t>(row.high_sum));
        const auto l = static_cast<std::int32_t>(low[r] - 128u * static_cast<std::uint32_t>(row.low_sum));
        const float sum = std::fma(static_cast<float>(h), 256.0f, static_cast<float>(l));
        w.out[m * w.out_stride + kTile * t + r] =
            std::fma(sum, row.scale * w.scales[kTile * t + r], w.bias ? w.bias[kTile * t + r] : 0.0f);
      }
    }
}

}  // namespace consort::scalar
