#include "agents/ensemble/fitting/principal.h"

#include <algorithm>
#include <cmath>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/random.h"

namespace consort::fitting {
namespace {

constexpr int kMostRounds = 60;
constexpr double kStill = 1e-9;  // largest change of an axis' direction, 1 - |cos|
constexpr double kNothing = 1e-12;

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Gram-Schmidt, twice; rows without a direction of their own become 0.
void orthonormalise(Matrix& axes) {
  for (std::size_t k = 0; k < axes.rows(); ++k) {
    const std::span<double> row = axes.row(k);
    const double before = std::sqrt(dot(row, row));
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t j = 0; j < k; ++j) {
        const double along = dot(row, axes.row(j));
        for (std::size_t c = 0; c < row.size(); ++c) row[c] -= along * axes.row(j)[c];
      }
    const double length = std::sqrt(dot(row, row));
    const double scale = length > kNothing * before && length > 0 ? 1 / length : 0;
    for (double& v : row) v *= scale;
  }
}

// axes <- axes (X'X), with X the centred rows.
Matrix multiplied(const MatrixView& rows, const PrincipalAxes& now) {
  Matrix out(now.axes.rows(), rows.columns);
  std::vector<double> centred(rows.columns);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    for (std::size_t c = 0; c < rows.columns; ++c) centred[c] = rows.at(i, c) - now.centre[c];
    for (std::size_t k = 0; k < out.rows(); ++k) {
      const double along = dot(centred, now.axes.row(k));
      for (std::size_t c = 0; c < rows.columns; ++c) out.at(k, c) += along * centred[c];
    }
  }
  return out;
}

}  // namespace

std::vector<double> PrincipalAxes::coordinates(std::span<const double> row) const {
  std::vector<double> centred(row.begin(), row.end()), out;
  for (std::size_t c = 0; c < centred.size(); ++c) centred[c] -= centre[c];
  for (std::size_t k = 0; k < axes.rows(); ++k) out.push_back(dot(centred, axes.row(k)));
  return out;
}

Result<PrincipalAxes> principal_axes(MatrixView rows, std::size_t count) {
  CONSORT_CHECK_OK(check_matrix(rows, "rows"));
  if (rows.rows() < 2) return fail(ErrorKind::kInvalid, "principal directions need two rows at least");
  count = std::min({count, rows.columns, rows.rows() - 1});
  PrincipalAxes out;
  out.centre.assign(rows.columns, 0.0);
  for (std::size_t i = 0; i < rows.rows(); ++i)
    for (std::size_t c = 0; c < rows.columns; ++c)
      out.centre[c] += rows.at(i, c) / static_cast<double>(rows.rows());
  out.axes = Matrix(count, rows.columns);
  SeededStream start(1);
  for (double& v : out.axes.values) v = start.uniform() - 0.5;
  orthonormalise(out.axes);
  for (int round = 0; round < kMostRounds; ++round) {
    Matrix next = multiplied(rows, out);
    orthonormalise(next);
    double moved = 0;
    for (std::size_t k = 0; k < count; ++k)
      moved = std::max(moved, 1 - std::abs(dot(next.row(k), out.axes.row(k))));
    out.axes = std::move(next);
    if (moved < kStill) break;
  }
  return out;
}

}  // namespace consort::fitting
