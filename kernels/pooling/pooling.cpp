#include "kernels/pooling/pooling.h"

#include <cmath>
#include <cstring>

#include "kernels/lanes/rows.h"

namespace consort {

void mean_pool(Exec&, TensorView x, std::span<const int> lengths, TensorView out) {
  const RowsOf xs(x), outs(out);
  std::size_t row = 0;
  for (std::size_t text = 0; text < lengths.size(); ++text) {
    float* sum = outs[text];
    std::memset(sum, 0, xs.cols * sizeof(float));
    for (int t = 0; t < lengths[text]; ++t, ++row)
      for (std::size_t i = 0; i < xs.cols; ++i) sum[i] += xs[row][i];
    const float factor = 1.0f / static_cast<float>(lengths[text]);
    for (std::size_t i = 0; i < xs.cols; ++i) sum[i] *= factor;
  }
}

void l2_normalise(Exec&, TensorView x) {
  const RowsOf xs(x);
  for (std::size_t r = 0; r < xs.rows; ++r) {
    double squares = 0;
    for (std::size_t i = 0; i < xs.cols; ++i) squares += static_cast<double>(xs[r][i]) * xs[r][i];
    if (squares == 0) continue;
    const float factor = static_cast<float>(1.0 / std::sqrt(squares));
    for (std::size_t i = 0; i < xs.cols; ++i) xs[r][i] *= factor;
  }
}

}  // namespace consort
