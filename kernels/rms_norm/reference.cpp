#include <cmath>

#include "kernels/lanes/rows.h"
#include "kernels/rms_norm/rms_norm.h"

namespace consort::reference {

void rms_norm(TensorView x, TensorView weight, float eps, TensorView out) {
  const RowsOf xs(x), outs(out);
  for (std::size_t r = 0; r < xs.rows; ++r) {
    double squares = 0;
    for (std::size_t i = 0; i < xs.cols; ++i) squares += static_cast<double>(xs[r][i]) * xs[r][i];
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(xs.cols) + eps);
    for (std::size_t i = 0; i < xs.cols; ++i)
      outs[r][i] = static_cast<float>(xs[r][i] * factor * weight.as<float>()[i]);
  }
}

}  // namespace consort::reference
