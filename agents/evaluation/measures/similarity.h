// Centred kernel alignment: how alike two representations of the same items are, up to rotation and scale.
#pragma once

#include "agents/ensemble/fitting/matrix.h"

namespace consort::measures {

// x: [items, a], y: [items, b], the same items in the same order. Linear kernel. Errors: kInvalid for unequal
// items, values that are not finite, too few items, a representation that does not vary.

// |Y^T X|_F^2 / (|X^T X|_F |Y^T Y|_F), columns centred (Kornblith et al. 2019). Biased upwards when items are
// fewer than dimensions. At least 2 items.
Result<double> linear_cka(fitting::MatrixView x, fitting::MatrixView y);
// The same with the unbiased estimator of HSIC (Song et al. 2012; Nguyen et al. 2021): near 0 for unrelated
// representations at any width; may be a little negative. At least 4 items.
Result<double> debiased_cka(fitting::MatrixView x, fitting::MatrixView y);

}  // namespace consort::measures
