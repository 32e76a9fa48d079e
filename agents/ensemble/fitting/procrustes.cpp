#include "agents/ensemble/fitting/procrustes.h"

#include <cmath>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/svd.h"

namespace consort::fitting {
namespace {

std::vector<double> column_means(MatrixView m) {
  std::vector<double> means(m.columns, 0.0);
  for (std::size_t r = 0; r < m.rows(); ++r) {
    for (std::size_t c = 0; c < m.columns; ++c) means[c] += m.at(r, c);
  }
  for (double& v : means) v /= static_cast<double>(m.rows());
  return means;
}

Matrix shifted(MatrixView m, std::span<const double> by) {
  Matrix out(m.rows(), m.columns);
  for (std::size_t r = 0; r < m.rows(); ++r) {
    for (std::size_t c = 0; c < m.columns; ++c) out.at(r, c) = m.at(r, c) - by[c];
  }
  return out;
}

Matrix product(MatrixView a, MatrixView b) {
  Matrix out(a.rows(), b.columns);
  for (std::size_t r = 0; r < a.rows(); ++r) {
    for (std::size_t k = 0; k < a.columns; ++k) {
      const double x = a.at(r, k);
      for (std::size_t c = 0; c < b.columns; ++c) out.at(r, c) += x * b.at(k, c);
    }
  }
  return out;
}

double square_sum(MatrixView m) {
  double sum = 0;
  for (const double v : m.values) sum += v * v;
  return sum;
}

double square_distance(MatrixView a, MatrixView b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    sum += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  return sum;
}

// The orthogonal R with the least |from R - to|.
Result<Matrix> best_rotation(MatrixView from, MatrixView to) {
  Matrix cross(from.columns, to.columns);  // from^T to
  for (std::size_t r = 0; r < from.rows(); ++r) {
    for (std::size_t a = 0; a < from.columns; ++a) {
      for (std::size_t b = 0; b < to.columns; ++b) cross.at(a, b) += from.at(r, a) * to.at(r, b);
    }
  }
  CONSORT_TRY(parts, svd(cross));
  Matrix rotation(from.columns, to.columns);  // U V^T
  for (std::size_t a = 0; a < rotation.rows(); ++a) {
    for (std::size_t b = 0; b < rotation.columns; ++b) {
      for (std::size_t k = 0; k < parts.singular.size(); ++k)
        rotation.at(a, b) += parts.u.at(a, k) * parts.v.at(b, k);
    }
  }
  return rotation;
}

Status check_pair(MatrixView a, MatrixView b) {
  CONSORT_CHECK_OK(check_matrix(a, "a space"));
  CONSORT_CHECK_OK(check_matrix(b, "a space"));
  if (a.columns == b.columns && a.rows() == b.rows()) return {};
  return fail(ErrorKind::kInvalid, "spaces to be aligned need the same items and dimension", "",
              "pad the narrower space with zeros");
}

double share_left(double left, double all) {
  return all > 0 ? left / all : (left > 0 ? INFINITY : 0.0);
}

}  // namespace

std::vector<double> Procrustes::apply(std::span<const double> x) const {
  std::vector<double> out = mean_to;
  for (std::size_t a = 0; a < mean_from.size(); ++a) {
    for (std::size_t b = 0; b < out.size(); ++b) out[b] += (x[a] - mean_from[a]) * rotation.at(a, b);
  }
  return out;
}

Result<Procrustes> fit_procrustes(MatrixView from, MatrixView to, bool centre) {
  CONSORT_CHECK_OK(check_pair(from, to));
  Procrustes made;
  made.mean_from = centre ? column_means(from) : std::vector<double>(from.columns, 0.0);
  made.mean_to = centre ? column_means(to) : std::vector<double>(to.columns, 0.0);
  const Matrix x = shifted(from, made.mean_from), y = shifted(to, made.mean_to);
  CONSORT_TRY(rotation, best_rotation(x, y));
  made.rotation = std::move(rotation);
  made.residual = share_left(square_distance(product(x, made.rotation), y), square_sum(y));
  return made;
}

Result<GeneralisedProcrustes> fit_generalised_procrustes(std::span<const MatrixView> spaces,
                                                         int max_iterations) {
  if (spaces.size() < 2) return fail(ErrorKind::kInvalid, "aligning spaces to their mean needs two or more");
  GeneralisedProcrustes made;
  std::vector<Matrix> centred;
  for (const MatrixView& space : spaces) {
    CONSORT_CHECK_OK(check_pair(space, spaces[0]));
    Procrustes& p = made.spaces.emplace_back();
    p.mean_from = column_means(space);
    p.mean_to.assign(space.columns, 0.0);
    centred.push_back(shifted(space, p.mean_from));
  }
  made.mean = centred[0];
  double before = INFINITY;
  constexpr double kLeastMove = 1e-6;
  while (made.iterations < max_iterations && !made.converged) {
    Matrix sum(made.mean.rows(), made.mean.columns);
    std::vector<Matrix> turned;
    for (std::size_t s = 0; s < centred.size(); ++s) {
      CONSORT_TRY(rotation, best_rotation(centred[s], made.mean));
      turned.push_back(product(centred[s], rotation));
      made.spaces[s].rotation = std::move(rotation);
      for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += turned.back().values[i];
    }
    const auto count = static_cast<double>(centred.size());
    for (double& v : sum.values) v /= count;
    made.mean = std::move(sum);
    made.residual = 0;
    const double size = square_sum(made.mean);
    for (std::size_t s = 0; s < turned.size(); ++s) {
      made.spaces[s].residual = share_left(square_distance(turned[s], made.mean), size);
      made.residual += made.spaces[s].residual / count;
    }
    made.converged = std::abs(before - made.residual) < kLeastMove;
    before = made.residual;
    ++made.iterations;
  }
  return made;
}

}  // namespace consort::fitting
