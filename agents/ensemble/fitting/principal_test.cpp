#include "agents/ensemble/fitting/principal.h"

#include <gtest/gtest.h>

#include <cmath>

#include "agents/ensemble/fitting/random.h"

namespace consort::fitting {
namespace {

// Spread 5, 2 and 0.1 along three orthogonal directions that are no axes, around (1, 2, 3).
Matrix cloud(std::size_t items) {
  SeededStream random(3);
  const double h = std::sqrt(0.5);
  Matrix rows(items, 3);
  for (std::size_t i = 0; i < items; ++i) {
    const double a = 5 * (random.uniform() - 0.5), b = 2 * (random.uniform() - 0.5), c = 0.1 * (random.uniform() - 0.5);
    rows.at(i, 0) = 1 + h * a - h * b;
    rows.at(i, 1) = 2 + h * a + h * b;
    rows.at(i, 2) = 3 + c;
  }
  return rows;
}

TEST(PrincipalAxes, FindTheDirectionsOfTheLargestSpread) {
  const auto found = principal_axes(cloud(2000), 2);
  ASSERT_TRUE(found) << found.error().line();
  ASSERT_EQ(found->axes.rows(), 2u);
  EXPECT_NEAR(std::abs(found->axes.at(0, 0)), std::sqrt(0.5), 0.02);
  EXPECT_NEAR(found->axes.at(0, 0), found->axes.at(0, 1), 0.05);
  EXPECT_NEAR(found->axes.at(1, 0), -found->axes.at(1, 1), 0.05);
  EXPECT_NEAR(found->centre[2], 3, 0.01);
  const std::vector<double> middle = found->coordinates(found->centre);
  EXPECT_NEAR(middle[0], 0, 1e-12);
  const std::vector<double> away = found->coordinates(std::vector<double>{2, 3, 3});
  EXPECT_NEAR(std::abs(away[0]), std::sqrt(2.0), 0.1);
  EXPECT_NEAR(away[1], 0, 0.1);
}

TEST(PrincipalAxes, FewRowsGiveFewAxesAndNoSpreadNone) {
  Matrix three(3, 3);
  three.at(0, 0) = 1;
  const auto found = principal_axes(three, 9);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->axes.rows(), 2u);
  EXPECT_NEAR(std::abs(found->axes.at(0, 0)), 1, 1e-9);
  for (const double v : found->axes.row(1)) EXPECT_EQ(v, 0);  // nothing varies there
  EXPECT_FALSE(principal_axes(Matrix(1, 3), 1));
  three.at(1, 1) = std::nan("");
  EXPECT_FALSE(principal_axes(three, 1));
}

}  // namespace
}  // namespace consort::fitting
