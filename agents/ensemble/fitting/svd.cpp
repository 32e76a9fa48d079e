#include "agents/ensemble/fitting/svd.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "agents/ensemble/fitting/checks.h"

namespace consort::fitting {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kMostSweeps = 60;  // about ten are needed

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void rotate(std::span<double> a, std::span<double> b, double cosine, double sine) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    a[i] = cosine * x - sine * y;
    b[i] = sine * x + cosine * y;
  }
}

Matrix transposed(MatrixView m) {
  Matrix out(m.columns, m.rows());
  for (std::size_t r = 0; r < m.rows(); ++r) {
    for (std::size_t c = 0; c < m.columns; ++c) out.at(c, r) = m.at(r, c);
  }
  return out;
}

// Rows of `columns` (the columns of a tall matrix) become orthogonal; `v` collects the rotations, row by row
// too.
void orthogonalise(Matrix& columns, Matrix& v) {
  const std::size_t n = columns.rows();
  // What rounding leaves of a dot product of orthogonal columns.
  const double small = kEpsilon * std::sqrt(static_cast<double>(columns.columns));
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool rotated = false;
    for (std::size_t p = 0; p + 1 < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) {
        const auto a = columns.row(p), b = columns.row(q);
        const double aa = dot(a, a), bb = dot(b, b), ab = dot(a, b);
        if (std::abs(ab) <= small * std::sqrt(aa) * std::sqrt(bb)) continue;
        const double zeta = (bb - aa) / (2 * ab);
        const double tangent = (zeta >= 0 ? 1.0 : -1.0) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double cosine = 1 / std::hypot(1.0, tangent), sine = cosine * tangent;
        rotate(a, b, cosine, sine);
        rotate(v.row(p), v.row(q), cosine, sine);
        rotated = true;
      }
    }
    if (!rotated) return;
  }
}

// Fills row k of `basis` with a unit vector orthogonal to the rows before it.
void complete(Matrix& basis, std::size_t k) {
  for (std::size_t axis = 0; axis < basis.columns; ++axis) {
    const auto row = basis.row(k);
    std::fill(row.begin(), row.end(), 0.0);
    row[axis] = 1;
    for (int twice = 0; twice < 2; ++twice) {  // once more against rounding
      for (std::size_t j = 0; j < k; ++j) {
        const double share = dot(row, basis.row(j));
        for (std::size_t i = 0; i < row.size(); ++i) row[i] -= share * basis.row(j)[i];
      }
    }
    const double length = std::sqrt(dot(row, row));
    if (length < 1e-3 / std::sqrt(static_cast<double>(basis.columns))) continue;
    for (double& x : row) x /= length;
    return;
  }
}

}  // namespace

Result<Svd> svd(MatrixView matrix) {
  CONSORT_CHECK_OK(check_matrix(matrix, "matrix"));
  const bool wide = matrix.rows() < matrix.columns;
  // One row a column of the tall form: rotations then run over neighbouring numbers.
  Matrix columns = wide ? Matrix() : transposed(matrix);
  if (wide) {
    columns.values.assign(matrix.values.begin(), matrix.values.end());
    columns.columns = matrix.columns;
  }
  const std::size_t k = columns.rows(), length = columns.columns;
  Matrix v(k, k);
  for (std::size_t i = 0; i < k; ++i) v.at(i, i) = 1;
  orthogonalise(columns, v);
  std::vector<double> norms(k);
  for (std::size_t i = 0; i < k; ++i) norms[i] = std::sqrt(dot(columns.row(i), columns.row(i)));
  std::vector<std::size_t> order(k);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return norms[a] > norms[b]; });
  const double nothing = norms[order[0]] * kEpsilon * static_cast<double>(length);
  Matrix left(k, length), right(k, k);
  Svd made;
  for (std::size_t j = 0; j < k; ++j) {
    const std::size_t from = order[j];
    made.singular.push_back(norms[from]);
    std::copy(v.row(from).begin(), v.row(from).end(), right.row(j).begin());
    if (norms[from] > nothing) {
      for (std::size_t i = 0; i < length; ++i) left.at(j, i) = columns.at(from, i) / norms[from];
    } else {
      complete(left, j);
    }
  }
  if (wide) std::swap(left, right);
  for (std::size_t j = 0; j < k; ++j) {
    const auto u = left.row(j);
    const auto largest =
        std::max_element(u.begin(), u.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
    if (*largest >= 0) continue;
    for (double& x : u) x = -x;
    for (double& x : right.row(j)) x = -x;
  }
  made.u = transposed(left);
  made.v = transposed(right);
  return made;
}

}  // namespace consort::fitting
