#include "models/probe/probe.h"

#include <algorithm>
#include <cmath>

namespace consort {
namespace {

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

}  // namespace

Result<std::vector<double>> Probe::apply(std::span<const float> embedding) const {
  if (embedding.size() != dimension)
    return fail(ErrorKind::kInvalid,
                "an embedding of " + std::to_string(embedding.size()) + " values, the probe wants " +
                    std::to_string(dimension),
                target);
  std::vector<double> scores(rows());
  for (std::size_t r = 0; r < rows(); ++r) {
    double sum = bias[r];
    for (std::size_t i = 0; i < dimension; ++i)
      sum += static_cast<double>(weights[r * dimension + i]) * embedding[i];
    if (!std::isfinite(sum)) return fail(ErrorKind::kInvalid, "an embedding that is not finite", target);
    scores[r] = sum;
  }
  if (kind == ProbeKind::kRidge) return scores;
  if (rows() == 1) return std::vector<double>{sigmoid(-scores[0]), sigmoid(scores[0])};
  double total = 0;
  for (double& s : scores) total += s = std::max(sigmoid(s), 1e-300);
  for (double& s : scores) s /= total;
  return scores;
}

}  // namespace consort
