// Rotating one embedding space onto another (Schoenemann 1966) and several onto their mean (Gower 1975).
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct Procrustes {
  std::vector<double> mean_from, mean_to;  // subtracted before and added after; zeros when not centred
  Matrix rotation;                         // [dimension, dimension], orthogonal
  double residual = 0;  // sum of squares left / sum of squares of the centred target, over the fitted items
  // (x - mean_from) R + mean_to. REQUIRES: x.size() == mean_from.size().
  std::vector<double> apply(std::span<const double> x) const;
};

// R = U V^T of the SVD of from^T to, both [items, dimension]: the orthogonal R with the least |from R - to|.
// Spaces of unequal width: pad the narrower with zeros first. Errors: kInvalid for no items, unequal shapes,
// values that are not finite.
Result<Procrustes> fit_procrustes(MatrixView from, MatrixView to, bool centre = true);

struct GeneralisedProcrustes {
  std::vector<Procrustes> spaces;  // each onto the mean
  Matrix mean;                     // [items, dimension], centred
  double residual = 0;             // mean over spaces of |X_s R_s - mean|^2 / |mean|^2
  int iterations = 0;
  bool converged = false;
};
// Rotates every space to the mean of the rotated ones until the residual moves by less than 1e-6 (at most
// `max_iterations`). Errors: kInvalid for fewer than two spaces, else as above.
Result<GeneralisedProcrustes> fit_generalised_procrustes(std::span<const MatrixView> spaces,
                                                         int max_iterations = 100);

}  // namespace consort::fitting
