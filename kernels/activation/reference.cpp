#include <cmath>

#include "kernels/activation/activation.h"
#include "kernels/lanes/rows.h"

namespace consort::reference {

void gated_activation(GateKind kind, TensorView gate, TensorView up, TensorView out) {
  const RowsOf gates(gate), ups(up), outs(out);
  for (std::size_t r = 0; r < gates.rows; ++r)
    for (std::size_t i = 0; i < gates.cols; ++i) {
      const double x = gates[r][i];
      const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
      const double y = kind == GateKind::kSilu ? x / (1 + std::exp(-x)) : 0.5 * x * (1 + std::tanh(inner));
      outs[r][i] = static_cast<float>(y * ups[r][i]);
    }
}

void activate(Activation kind, TensorView x) {
  const RowsOf xs(x);
  for (std::size_t r = 0; r < xs.rows; ++r)
    for (std::size_t i = 0; i < xs.cols; ++i) {
      const double v = xs[r][i], inner = std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v);
      xs[r][i] =
          static_cast<float>(kind == Activation::kQuickGelu  ? v / (1 + std::exp(-1.702 * v))
                             : kind == Activation::kGeluTanh ? 0.5 * v * (1 + std::tanh(inner))
                                                             : 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))));
    }
}

void gelu_erf(TensorView x, TensorView bias) {
  const RowsOf xs(x);
  for (std::size_t r = 0; r < xs.rows; ++r)
    for (std::size_t i = 0; i < xs.cols; ++i) {
      const double v = xs[r][i] + (bias.data != nullptr ? static_cast<double>(bias.as<float>()[i]) : 0.0);
      xs[r][i] = static_cast<float>(0.5 * v * (1 + std::erf(v / std::sqrt(2.0))));
    }
}

}  // namespace consort::reference
