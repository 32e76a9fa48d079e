#include "models/probe/cholesky.h"

#include <algorithm>
#include <cmath>

namespace consort {

void add_gram(SymmetricMatrix& matrix, std::span<const double> x, std::span<const double> weights) {
  const std::size_t n = matrix.n, rows = n == 0 ? 0 : x.size() / n;
  constexpr std::size_t kGroup =
      4;  // rows a pass over the matrix: its loads and stores cost as much as the sums
  for (std::size_t first = 0; first < rows; first += kGroup) {
    const std::size_t count = std::min(kGroup, rows - first);
    const double* r[kGroup];
    double w[kGroup];
    for (std::size_t k = 0; k < kGroup; ++k) {
      const std::size_t row = first + std::min(k, count - 1);
      r[k] = x.data() + row * n;
      w[k] = k >= count ? 0.0 : weights.empty() ? 1.0 : weights[row];
    }
    for (std::size_t i = 0; i < n; ++i) {
      double* out = matrix.row(i);
      const double a = w[0] * r[0][i], b = w[1] * r[1][i], c = w[2] * r[2][i], d = w[3] * r[3][i];
      for (std::size_t j = 0; j <= i; ++j)
        out[j] += (a * r[0][j] + b * r[1][j]) + (c * r[2][j] + d * r[3][j]);
    }
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) matrix.row(i)[j] = matrix.row(j)[i];
}

bool Cholesky::factor(SymmetricMatrix matrix) {
  lower_ = std::move(matrix);
  const std::size_t n = lower_.n;
  for (std::size_t i = 0; i < n; ++i) {
    double* row = lower_.row(i);
    for (std::size_t j = 0; j <= i; ++j) {
      const double* other = lower_.row(j);
      double sum = row[j];
      for (std::size_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i)
        row[j] = sum / other[j];
      else if (sum > 0 && std::isfinite(sum))
        row[i] = std::sqrt(sum);
      else
        return false;
    }
  }
  return true;
}

void Cholesky::solve(std::span<double> b) const {
  const std::size_t n = lower_.n;
  for (std::size_t i = 0; i < n; ++i) {
    const double* row = lower_.row(i);
    for (std::size_t k = 0; k < i; ++k) b[i] -= row[k] * b[k];
    b[i] /= row[i];
  }
  for (std::size_t i = n; i-- > 0;) {
    b[i] /= lower_.row(i)[i];
    for (std::size_t k = 0; k < i; ++k) b[k] -= lower_.row(i)[k] * b[i];
  }
}

}  // namespace consort
