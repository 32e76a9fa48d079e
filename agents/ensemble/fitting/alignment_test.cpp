// Singular values and rotations; expected numbers: numpy 2 (linalg.svd) and scipy 1.17
// (orthogonal_procrustes).
#include <cmath>

#include <gtest/gtest.h>

#include "agents/ensemble/fitting/procrustes.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/svd.h"

namespace consort::fitting {
namespace {

Matrix random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  SeededStream stream(seed);
  Matrix m(rows, columns);
  for (double& v : m.values) v = 2 * stream.uniform() - 1;
  return m;
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows(), b.columns);
  for (std::size_t r = 0; r < a.rows(); ++r) {
    for (std::size_t c = 0; c < b.columns; ++c) {
      for (std::size_t k = 0; k < a.columns; ++k) out.at(r, c) += a.at(r, k) * b.at(k, c);
    }
  }
  return out;
}

void expect_orthonormal_columns(const Matrix& m) {
  for (std::size_t a = 0; a < m.columns; ++a) {
    for (std::size_t b = 0; b <= a; ++b) {
      double dot = 0;
      for (std::size_t r = 0; r < m.rows(); ++r) dot += m.at(r, a) * m.at(r, b);
      EXPECT_NEAR(dot, a == b ? 1 : 0, 1e-13);
    }
  }
}

void expect_decomposes(const Matrix& m) {
  const auto parts = svd(m);
  ASSERT_TRUE(parts);
  expect_orthonormal_columns(parts->u);
  expect_orthonormal_columns(parts->v);
  for (std::size_t r = 0; r < m.rows(); ++r) {
    for (std::size_t c = 0; c < m.columns; ++c) {
      double sum = 0;
      for (std::size_t k = 0; k < parts->singular.size(); ++k) {
        sum += parts->u.at(r, k) * parts->singular[k] * parts->v.at(c, k);
      }
      EXPECT_NEAR(sum, m.at(r, c), 1e-13 * (1 + parts->singular[0]));
    }
  }
  for (std::size_t k = 1; k < parts->singular.size(); ++k)
    EXPECT_LE(parts->singular[k], parts->singular[k - 1]);
}

TEST(Svd, AgreesWithNumpyAndComposesAgain) {
  const Matrix m = *matrix_of({{2, 0, 1}, {1, 3, -1}, {0, 1, 4}, {2, -2, 1}});
  const auto parts = svd(m);
  ASSERT_TRUE(parts);
  EXPECT_NEAR(parts->singular[0], 4.481256378904309, 1e-14);
  EXPECT_NEAR(parts->singular[1], 3.719301605664851, 1e-14);
  EXPECT_NEAR(parts->singular[2], 2.843437502852536, 1e-14);
  expect_decomposes(m);
  expect_decomposes(random_matrix(30, 12, 1));
  expect_decomposes(random_matrix(12, 30, 2));                       // wide
  expect_decomposes(*matrix_of({{1, 2, 3}, {2, 4, 6}, {3, 6, 9}}));  // rank 1
  expect_decomposes(*matrix_of({{0, 0}, {0, 0}}));
  expect_decomposes(*matrix_of({{5}}));
  EXPECT_FALSE(svd({}));
  EXPECT_FALSE(svd(*matrix_of({{NAN}})));
}

TEST(Procrustes, AgreesWithScipy) {
  const Matrix from = *matrix_of({{1, 2, 0}, {0, 1, 3}, {4, -1, 2}, {2, 2, 2}, {-1, 0, 1}});
  const Matrix to = *matrix_of({{2, 0.5, 1}, {1, 2.5, .2}, {3, 1, -2}, {2.2, 1.8, 0}, {0, 1, 1.5}});
  const auto fit = fit_procrustes(from, to);
  ASSERT_TRUE(fit);
  const double want[] = {0.8111000363348742,   -0.12740875807311108, -0.5708622771070387,
                         0.5706296726009533,   0.386695072248718,    0.7244644213802973,
                         -0.12844651729375525, 0.9133640727907066,   -0.38635160505720495};
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(fit->rotation.values[i], want[i], 1e-12);
  EXPECT_NEAR(fit->residual, 0.2195886318025179, 1e-12);
  expect_orthonormal_columns(fit->rotation);
}

TEST(Procrustes, FindsAPlantedRotation) {
  const Matrix x = random_matrix(40, 8, 3), turn = svd(random_matrix(8, 8, 4))->u;
  Matrix y = product(x, turn);
  for (std::size_t r = 0; r < y.rows(); ++r) {
    for (double& v : y.row(r)) v += 5;
  }
  const auto fit = fit_procrustes(x, y);
  ASSERT_TRUE(fit);
  EXPECT_LT(fit->residual, 1e-24);
  const std::vector<double> moved = fit->apply(x.row(7));
  for (std::size_t c = 0; c < 8; ++c) EXPECT_NEAR(moved[c], y.at(7, c), 1e-12);
  EXPECT_GT(fit_procrustes(x, y, false)->residual, 0.1);  // the shift is not a rotation
  // A narrower space padded with zeros: the rotation stays whole.
  Matrix padded = x;
  for (std::size_t r = 0; r < padded.rows(); ++r) padded.at(r, 6) = padded.at(r, 7) = 0;
  expect_orthonormal_columns(fit_procrustes(padded, y)->rotation);
  EXPECT_FALSE(fit_procrustes(x, random_matrix(40, 7, 1)));
  EXPECT_FALSE(fit_procrustes(x, random_matrix(39, 8, 1)));
  EXPECT_FALSE(fit_procrustes({}, {}));
}

TEST(GeneralisedProcrustes, BringsTurnedCopiesTogether) {
  const Matrix x = random_matrix(30, 5, 6);
  const Matrix b = product(x, svd(random_matrix(5, 5, 7))->u), c = product(x, svd(random_matrix(5, 5, 8))->u);
  const std::vector<MatrixView> spaces = {x, b, c};
  const auto fit = fit_generalised_procrustes(spaces);
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->converged);
  EXPECT_LT(fit->residual, 1e-20);
  const auto first = fit->spaces[0].apply(x.row(3)), third = fit->spaces[2].apply(c.row(3));
  for (std::size_t k = 0; k < 5; ++k) {
    EXPECT_NEAR(first[k], third[k], 1e-12);
    EXPECT_NEAR(first[k], fit->mean.at(3, k), 1e-12);
  }
  // Noise: the mean of the turned spaces is nearer to each than they are to one another.
  Matrix noisy = b;
  SeededStream stream(1);
  for (double& v : noisy.values) v += 0.3 * (stream.uniform() - 0.5);
  const std::vector<MatrixView> pair = {x, noisy};
  const auto loose = fit_generalised_procrustes(pair);
  EXPECT_TRUE(loose->converged);
  EXPECT_GT(loose->residual, 0);
  EXPECT_LT(loose->residual, fit_procrustes(x, noisy)->residual);
  EXPECT_FALSE(fit_generalised_procrustes(std::span<const MatrixView>(pair).first(1)));
}

}  // namespace
}  // namespace consort::fitting
