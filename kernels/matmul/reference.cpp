#include "kernels/matmul/reference.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/matmul/kernel_table.h"

namespace consort {
namespace {

constexpr double kUnit = 0x1p-24;  // unit roundoff of float32

// How far each element of one row of x may be from what is multiplied.
std::vector<double> half_steps(const float* x, std::int64_t cols, bool block_format, ActivationFormat format) {
  std::vector<double> steps(cols, 0.0);
  if (!block_format || format == ActivationFormat::kFloat32) return steps;
  if (format == ActivationFormat::kBf16) {
    for (std::int64_t k = 0; k < cols; ++k) steps[k] = std::fabs(double{x[k]}) * 0x1p-8;
    return steps;
  }
  const double most = format == ActivationFormat::kInt8 ? matmul_detail::kActivationMax8 : matmul_detail::kActivationMax;
  for (std::int64_t b = 0; b < cols; b += matmul_detail::kBlock) {
    double largest = 0;
    for (int i = 0; i < matmul_detail::kBlock; ++i) largest = std::max(largest, std::fabs(double{x[b + i]}));
    // Half a step, and the rounding of x / scale near the top of the range.
    const double half = largest / most * 0.5 + largest * 4 * kUnit;
    std::fill_n(steps.begin() + b, matmul_detail::kBlock, half);
  }
  return steps;
}

}  // namespace

void matmul_reference(TensorView x, const PackedMatrix& w, const float* bias, float* expected, float* bound) {
  const std::int64_t rows = x.rows(), cols = x.cols(), outputs = w.rows();
  const bool quantised = !matmul_detail::is_plain(w.dtype());
  const bool integers =
      quantised && (w.activation() == ActivationFormat::kInt16 || w.activation() == ActivationFormat::kInt8);
  // Additions an output goes through: one a column, or two (sum and minimum) a group of 16 or 32. Decoding a weight
  // rounds twice.
  const double additions = integers ? 4.0 + 4.0 * static_cast<double>(cols) / 16
                                    : (quantised ? 4.0 : 2.0) + static_cast<double>(cols);
  std::vector<std::vector<double>> steps;
  for (std::int64_t m = 0; m < rows; ++m)
    steps.push_back(half_steps(x.as<float>() + m * cols, cols, quantised, w.activation()));
  std::vector<float> row(cols);
  for (std::int64_t n = 0; n < outputs; ++n) {
    w.dequantize_row(n, row);
    double widest = 0;  // code x scale and minimum apart are at most 3 times the widest weight of the row
    for (float v : row) widest = std::max(widest, std::fabs(double{v}));
    for (std::int64_t m = 0; m < rows; ++m) {
      const float* xm = x.as<float>() + m * cols;
      double sum = bias ? bias[n] : 0, terms = std::fabs(sum), stepped = 0;
      for (std::int64_t k = 0; k < cols; ++k) {
        sum += double{xm[k]} * row[k];
        terms += std::fabs(double{xm[k]}) * (quantised ? 3 * widest : std::fabs(double{row[k]}));
        stepped += steps[m][k] * std::fabs(double{row[k]});
      }
      expected[m * outputs + n] = static_cast<float>(sum);
      bound[m * outputs + n] = static_cast<float>(stepped + additions * kUnit * terms + 1e-30);
    }
  }
}

}  // namespace consort
