#include "agents/evaluation/measures/similarity.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {
namespace {

using fitting::Matrix;
using fitting::MatrixView;

Status check(MatrixView x, MatrixView y, std::size_t least) {
  CONSORT_CHECK_OK(fitting::check_matrix(x, "a representation"));
  CONSORT_CHECK_OK(fitting::check_matrix(y, "a representation"));
  CONSORT_CHECK_OK(fitting::check_same_size(x.rows(), y.rows(), "items of both representations"));
  if (x.rows() >= least) return {};
  return fail(ErrorKind::kInvalid, "alignment needs at least " + std::to_string(least) + " items");
}

tl::unexpected<Error> constant() {
  return fail(ErrorKind::kInvalid, "a representation does not vary over the items");
}

// Columns shifted to mean 0; false when nothing is left of any.
bool centred(MatrixView m, Matrix& out) {
  out = Matrix(m.rows(), m.columns);
  double left = 0, largest = 0;
  for (std::size_t c = 0; c < m.columns; ++c) {
    double mean = 0;
    for (std::size_t r = 0; r < m.rows(); ++r) mean += m.at(r, c) / static_cast<double>(m.rows());
    for (std::size_t r = 0; r < m.rows(); ++r) {
      out.at(r, c) = m.at(r, c) - mean;
      left = std::max(left, std::abs(out.at(r, c)));
      largest = std::max(largest, std::abs(m.at(r, c)));
    }
  }
  return left > 1e-12 * largest;
}

// |a^T b|_F^2
double cross(const Matrix& a, const Matrix& b) {
  double sum = 0;
  std::vector<double> row(b.columns);
  for (std::size_t i = 0; i < a.columns; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t r = 0; r < a.rows(); ++r) {
      for (std::size_t j = 0; j < b.columns; ++j) row[j] += a.at(r, i) * b.at(r, j);
    }
    for (const double v : row) sum += v * v;
  }
  return sum;
}

// Gram matrix with an empty diagonal, as the unbiased estimator wants it.
Matrix hollow_gram(const Matrix& x) {
  const std::size_t n = x.rows();
  Matrix k(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      double sum = 0;
      for (std::size_t c = 0; c < x.columns; ++c) sum += x.at(i, c) * x.at(j, c);
      k.at(i, j) = k.at(j, i) = sum;
    }
  }
  return k;
}

// HSIC_1 of Song et al. 2012, equation 5, times n (n - 3), which cancels in the ratio.
double unbiased_hsic(const Matrix& k, const Matrix& l) {
  const auto n = static_cast<double>(k.rows());
  double trace = 0, all_k = 0, all_l = 0, both = 0;
  for (std::size_t i = 0; i < k.rows(); ++i) {
    double row_k = 0, row_l = 0;
    for (std::size_t j = 0; j < k.rows(); ++j) {
      trace += k.at(i, j) * l.at(j, i);
      row_k += k.at(i, j);
      row_l += l.at(i, j);
    }
    all_k += row_k;
    all_l += row_l;
    both += row_k * row_l;
  }
  return trace + all_k * all_l / ((n - 1) * (n - 2)) - 2 / (n - 2) * both;
}

}  // namespace

Result<double> linear_cka(MatrixView x, MatrixView y) {
  CONSORT_CHECK_OK(check(x, y, 2));
  Matrix a, b;
  if (!centred(x, a) || !centred(y, b)) return constant();
  return cross(a, b) / std::sqrt(cross(a, a) * cross(b, b));
}

Result<double> debiased_cka(MatrixView x, MatrixView y) {
  CONSORT_CHECK_OK(check(x, y, 4));
  Matrix a, b;  // the estimator does not depend on the mean; without it less is lost to rounding
  if (!centred(x, a) || !centred(y, b)) return constant();
  const Matrix k = hollow_gram(a), l = hollow_gram(b);
  const double own_k = unbiased_hsic(k, k), own_l = unbiased_hsic(l, l);
  if (!(own_k > 0 && own_l > 0)) return constant();
  return unbiased_hsic(k, l) / std::sqrt(own_k * own_l);
}

}  // namespace consort::measures
