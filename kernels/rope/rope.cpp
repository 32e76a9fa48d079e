#include "kernels/rope/rope.h"

#include <cmath>

#include "kernels/lanes/rows.h"
#include "kernels/rope/kernel.h"

namespace consort {

std::vector<double> rope_frequencies(int dims, double base, double scale) {
  std::vector<double> frequencies;
  for (int i = 0; i < dims / 2; ++i) frequencies.push_back(scale * std::pow(base, -2.0 * i / dims));
  return frequencies;
}

void rope_angles(Exec& exec, std::span<const std::int32_t> positions, std::span<const double> frequencies,
                 RopeStyle style, TensorView cos, TensorView sin) {
  const std::size_t half = frequencies.size(), step = style == RopeStyle::kInterleaved ? 2 : 1;
  const std::size_t other = style == RopeStyle::kInterleaved ? 1 : half;
  const RowsOf cosines(cos), sines(sin);
  // One sine and cosine in double cost about as much as 64 streamed elements.
  for_rows(exec, positions.size(), half * 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t)
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = positions[t] * frequencies[i];
        const float c = static_cast<float>(std::cos(angle)), s = static_cast<float>(std::sin(angle));
        cosines[t][i * step] = cosines[t][i * step + other] = c;
        sines[t][i * step] = -s;
        sines[t][i * step + other] = s;
      }
  });
}

void rope(Exec& exec, TensorView x, TensorView cos, TensorView sin, RopeStyle style) {
  const RowsOf cosines(cos), sines(sin), xs(x);
  const std::size_t heads = static_cast<std::size_t>(x.dims[1]);
  for_rows(exec, static_cast<std::size_t>(x.dims[0]), heads * xs.cols,
           [&](std::size_t begin, std::size_t end) {
             for (std::size_t t = begin; t < end; ++t)
               for (std::size_t h = 0; h < heads; ++h)
                 CONSORT_ISA_CALL(exec.isa, rope_head, xs[t * heads + h], cosines[t], sines[t], cosines.cols,
                                  style);
           });
}

}  // namespace consort
