#include "agents/ensemble/numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace consort::ensemble {

double ordered_sum(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const double v : values) sum += v;
  return sum;
}

double log_sum_exp(std::vector<double> values) {
  if (values.empty()) return -std::numeric_limits<double>::infinity();
  const double top = *std::max_element(values.begin(), values.end());
  if (!std::isfinite(top)) return top;
  for (double& v : values) v = std::exp(v - top);
  return top + std::log(ordered_sum(std::move(values)));
}

std::vector<double> log_softmax(std::vector<double> values) {
  const double total = log_sum_exp(values);
  for (double& v : values) v -= total;
  return values;
}

double entropy_of_logs(const std::vector<double>& log_probabilities) {
  std::vector<double> terms;
  for (const double lp : log_probabilities) {
    if (std::isfinite(lp)) terms.push_back(-std::exp(lp) * lp);
  }
  return std::max(0.0, ordered_sum(std::move(terms)));
}

double on_grid(double value) {
  return std::isfinite(value) ? std::nearbyint(value / kTieWidth) : value;
}

}  // namespace consort::ensemble
