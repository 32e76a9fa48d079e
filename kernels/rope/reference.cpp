#include <cmath>

#include "kernels/lanes/rows.h"
#include "kernels/rope/rope.h"

namespace consort::reference {

void rope(TensorView x, std::span<const std::int32_t> positions, std::span<const double> frequencies,
          RopeStyle style) {
  const RowsOf xs(x);
  const std::size_t heads = static_cast<std::size_t>(x.dims[1]), half = frequencies.size();
  for (std::size_t r = 0; r < xs.rows; ++r)
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = positions[r / heads] * frequencies[i];
      float& a = xs[r][style == RopeStyle::kInterleaved ? 2 * i : i];
      float& b = xs[r][style == RopeStyle::kInterleaved ? 2 * i + 1 : i + half];
      const double old_a = a, old_b = b;
      a = static_cast<float>(old_a * std::cos(angle) - old_b * std::sin(angle));
      b = static_cast<float>(old_b * std::cos(angle) + old_a * std::sin(angle));
    }
}

}  // namespace consort::reference
