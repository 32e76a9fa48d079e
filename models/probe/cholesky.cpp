#include "models/probe/cholesky.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/isa.h"
#include "models/probe/gram_rows.h"

namespace consort {
namespace {

// Four sums side by side: one alone waits for its own additions.
double dot(const double* a, const double* b, std::size_t n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  std::size_t k = 0;
  for (; k + 4 <= n; k += 4) {
    s0 += a[k] * b[k];
    s1 += a[k + 1] * b[k + 1];
    s2 += a[k + 2] * b[k + 2];
    s3 += a[k + 3] * b[k + 3];
  }
  for (; k < n; ++k) s0 += a[k] * b[k];
  return (s0 + s1) + (s2 + s3);
}

}  // namespace

void add_gram(SymmetricMatrix& matrix, std::span<const double> x) {
  const bool wide = isa_supported(Isa::kAvx2);
  const std::size_t n = matrix.n, rows = n == 0 ? 0 : x.size() / n;
  const std::vector<double> zeros(rows % kGramRows == 0 ? 0 : n, 0.0);
  for (std::size_t first = 0; first < rows; first += kGramRows) {
    const double* group[kGramRows];
    for (std::size_t k = 0; k < kGramRows; ++k)
      group[k] = first + k < rows ? x.data() + (first + k) * n : zeros.data();
    (wide ? add_gram_rows_avx2 : add_gram_rows)(matrix.values.data(), n, group);
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) matrix.row(i)[j] = matrix.row(j)[i];
}

void add_gram_rows(double* matrix, std::size_t n, const double* const* rows) {
  gram_rows(matrix, n, rows);
}

bool Cholesky::factor(SymmetricMatrix matrix) {
  lower_ = std::move(matrix);
  const std::size_t n = lower_.n;
  for (std::size_t i = 0; i < n; ++i) {
    double* row = lower_.row(i);
    for (std::size_t j = 0; j <= i; ++j) {
      const double* other = lower_.row(j);
      const double sum = row[j] - dot(row, other, j);
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
