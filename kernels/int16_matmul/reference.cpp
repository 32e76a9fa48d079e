#include <algorithm>
#include <cmath>

#include "kernels/int16_matmul/int16_matmul.h"
#include "kernels/int16_matmul/kernel.h"

namespace consort::reference {

using namespace int16_matmul_detail;

void int16_matmul(TensorView x, const Int16Matrix& w, const float* bias, float* expected, float* bound) {
  const std::int64_t n = w.rows(), k = w.cols();
  for (std::int64_t m = 0; m < x.rows(); ++m) {
    const float* row = x.as<float>() + m * x.strides[0];
    for (std::int64_t o = 0; o < n; ++o) {
      double sum = 0, magnitude = 0, lost = 0;
      for (std::int64_t begin = 0; begin < k; begin += kPiece) {
        double amax = 0, weight = 0;
        for (std::int64_t i = begin; i < std::min(k, begin + kPiece); ++i) {
          const double v = w.value(o, i);
          sum += v * row[i];
          magnitude += std::abs(v * row[i]);
          weight += std::abs(v);
          amax = std::max(amax, std::abs(static_cast<double>(row[i])));
        }
        lost += 0.501 / kActivationMax * amax * weight;
      }
      if (bias) sum += bias[o];
      expected[m * n + o] = static_cast<float>(sum);
      bound[m * n + o] = static_cast<float>(lost + 0x1p-21 * magnitude + 0x1p-22 * std::abs(sum) + 1e-30);
    }
  }
}

}  // namespace consort::reference
