#include <algorithm>
#include <cmath>

#include "kernels/softmax/softmax.h"

namespace consort::reference {

double log_sum_exp(std::span<const float> x) {
  const double top = *std::max_element(x.begin(), x.end());
  double total = 0;
  for (float v : x) total += std::exp(v - top);
  return top + std::log(total);
}

std::vector<ScoredId> top_k(std::span<const float> x, int k) {
  std::vector<ScoredId> all;
  for (std::size_t i = 0; i < x.size(); ++i) all.push_back({static_cast<std::int32_t>(i), x[i]});
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  all.resize(std::min(all.size(), static_cast<std::size_t>(k)));
  return all;
}

}  // namespace consort::reference
