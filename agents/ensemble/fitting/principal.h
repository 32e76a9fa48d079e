// Principal directions of rows: a few features in place of an embedding's hundreds. Orthogonal iteration (Golub
// and Van Loan, section 8.2.4) on the centred rows, in double, from a fixed start.
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct PrincipalAxes {
  std::vector<double> centre;  // [columns]
  Matrix axes;                 // [count, columns], orthonormal, by falling variance
  // [count]: the row's coordinates. REQUIRES: as many values as columns.
  std::vector<double> coordinates(std::span<const double> row) const;
};

// `count` is cut to the columns and to rows - 1. Errors: kInvalid for fewer than two rows, values that are not
// finite.
Result<PrincipalAxes> principal_axes(MatrixView rows, std::size_t count);

}  // namespace consort::fitting
