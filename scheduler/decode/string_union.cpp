#include "scheduler/decode/string_union.h"

#include <algorithm>
#include <cmath>

namespace consort {

std::vector<std::string> string_union(std::span<const std::vector<NextString>> members) {
  std::vector<std::string> all;
  for (const auto& member : members)
    for (const NextString& s : member) all.push_back(s.bytes);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<double> over_union(std::span<const double> logprobs, double temperature) {
  std::vector<double> p(logprobs.size(), 0.0);
  if (logprobs.empty()) return p;
  const double top = *std::max_element(logprobs.begin(), logprobs.end());
  if (!std::isfinite(top)) return p;
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] = std::exp((logprobs[i] - top) / temperature);
  for (double& v : p) v /= sum;
  return p;
}

std::vector<double> mix_over_union(std::span<const std::vector<double>> members,
                                   std::span<const double> weights) {
  std::vector<double> mixed;
  for (std::size_t m = 0; m < members.size(); ++m) {
    if (!(weights[m] > 0)) continue;
    mixed.resize(members[m].size(), 0.0);
    for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] += weights[m] * members[m][i];
  }
  return mixed;
}

std::size_t likeliest_of(std::span<const double> p) {
  return static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
}

std::size_t drawn_of(std::span<const double> p, double uniform) {
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!(p[i] > 0)) continue;
    sum += p[i];
    last = i;
    if (uniform < sum) break;
  }
  return last;  // rounding may have left a little above the sum
}

}  // namespace consort
