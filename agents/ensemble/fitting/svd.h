// Singular values of small dense matrices by one-sided Jacobi rotations (Hestenes 1958; Golub and Van Loan,
// section 8.6.3): slow for large matrices, accurate to the last bits, the same order of operations always.
#pragma once

#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct Svd {
  Matrix u;                      // [rows, k], columns orthonormal (also those of zero singular values)
  std::vector<double> singular;  // k = min(rows, columns), descending, >= 0
  Matrix v;                      // [columns, k]
};

// matrix = u diag(singular) v^T. Largest entry of each column of u is made positive, so that signs are
// settled. Errors: kInvalid for an empty matrix, values that are not finite.
Result<Svd> svd(MatrixView matrix);

}  // namespace consort::fitting
