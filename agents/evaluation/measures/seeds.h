// Runs that differ by seed: how much of the spread is the seed's and how much the items'.
#pragma once

#include "agents/ensemble/fitting/matrix.h"

namespace consort::measures {

struct SeedSpread {
  double mean = 0;           // over seeds and items
  double seed_sd = 0;        // deviation of the seeds' means, n - 1: what "mean +- sd over seeds" prints
  double seed_variance = 0;  // of a seed's true mean: mean square between less what items alone would give,
                             // not below 0 (two-way layout without repetition)
  double item_variance = 0;  // between items' true means, in the same way
  double residual_variance = 0;  // seed by item
};
// scores: [seeds, items]. Errors: kInvalid for fewer than two seeds or items, values that are not finite.
Result<SeedSpread> seed_spread(fitting::MatrixView scores);

}  // namespace consort::measures
