#include "agents/evaluation/measures/seeds.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {

Result<SeedSpread> seed_spread(fitting::MatrixView scores) {
  CONSORT_CHECK_OK(fitting::check_matrix(scores, "scores"));
  const std::size_t seeds = scores.rows(), items = scores.columns;
  if (seeds < 2 || items < 2)
    return fail(ErrorKind::kInvalid, "spread over seeds needs two seeds and two items");
  const auto s = static_cast<double>(seeds), n = static_cast<double>(items);
  std::vector<double> of_seed(seeds, 0.0), of_item(items, 0.0);
  SeedSpread made;
  for (std::size_t a = 0; a < seeds; ++a) {
    for (std::size_t i = 0; i < items; ++i) {
      of_seed[a] += scores.at(a, i) / n;
      of_item[i] += scores.at(a, i) / s;
      made.mean += scores.at(a, i) / (s * n);
    }
  }
  double between_seeds = 0, between_items = 0, left = 0;  // sums of squares
  for (const double v : of_seed) between_seeds += (v - made.mean) * (v - made.mean);
  for (const double v : of_item) between_items += (v - made.mean) * (v - made.mean);
  for (std::size_t a = 0; a < seeds; ++a) {
    for (std::size_t i = 0; i < items; ++i) {
      const double off = scores.at(a, i) - of_seed[a] - of_item[i] + made.mean;
      left += off * off;
    }
  }
  made.residual_variance = left / ((s - 1) * (n - 1));
  made.seed_sd = std::sqrt(between_seeds / (s - 1));
  made.seed_variance = std::max(0.0, between_seeds / (s - 1) - made.residual_variance / n);
  made.item_variance = std::max(0.0, between_items / (n - 1) - made.residual_variance / s);
  return made;
}

}  // namespace consort::measures
