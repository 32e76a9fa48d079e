#include <cmath>

#include "kernels/lanes/rows.h"
#include "kernels/layer_norm/layer_norm.h"

namespace consort::reference {

void layer_norm(TensorView x, TensorView weight, TensorView bias, float eps, TensorView out) {
  const RowsOf xs(x), outs(out);
  const double n = static_cast<double>(xs.cols);
  for (std::size_t r = 0; r < xs.rows; ++r) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < xs.cols; ++i) mean += xs[r][i] / n;
    for (std::size_t i = 0; i < xs.cols; ++i) variance += (xs[r][i] - mean) * (xs[r][i] - mean) / n;
    for (std::size_t i = 0; i < xs.cols; ++i)
      outs[r][i] = static_cast<float>((xs[r][i] - mean) / std::sqrt(variance + eps) * weight.as<float>()[i] +
                                      bias.as<float>()[i]);
  }
}

}  // namespace consort::reference
