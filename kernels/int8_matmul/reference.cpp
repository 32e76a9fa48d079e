#include <algorithm>
#include <cmath>

#include "kernels/int8_matmul/int8_matmul.h"

namespace consort::reference {

void int8_matmul(TensorView x, const Int8Matrix& w, const float* bias, float* expected, float* bound) {
  const std::int64_t n = w.rows(), k = w.cols();
  for (std::int64_t m = 0; m < x.rows(); ++m) {
    const float* row = x.as<float>() + m * x.strides[0];
    float amax = 0;
    for (std::int64_t i = 0; i < k; ++i) amax = std::max(amax, std::abs(row[i]));
    for (std::int64_t o = 0; o < n; ++o) {
      double sum = 0, magnitude = 0, weight = 0;
      for (std::int64_t i = 0; i < k; ++i) {
        const double v = w.value(o, i);
        sum += v * row[i];
        weight += std::abs(v);
        magnitude += std::abs(v * row[i]);
      }
      if (bias) sum += bias[o];
      expected[m * n + o] = static_cast<float>(sum);
      bound[m * n + o] = static_cast<float>(0.501 / 32639 * amax * weight + 0x1p-21 * magnitude +
                                            0x1p-22 * std::abs(sum) + 1e-30);
    }
  }
}

}  // namespace consort::reference
