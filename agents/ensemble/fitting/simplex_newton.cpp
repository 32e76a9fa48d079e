#include "agents/ensemble/fitting/simplex_newton.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace consort::fitting {
namespace {

// w.slope - min slope: no point of the simplex is lower than value less this.
double duality_gap(std::span<const double> w, std::span<const double> slope) {
  double mean = 0;
  for (std::size_t m = 0; m < w.size(); ++m) mean += w[m] * slope[m];
  return mean - *std::min_element(slope.begin(), slope.end());
}

std::vector<double> slope_at(const SymmetricMatrix& h, std::span<const double> slope,
                             std::span<const double> from, std::span<const double> at) {
  std::vector<double> out(slope.begin(), slope.end());
  for (std::size_t a = 0; a < out.size(); ++a) {
    for (std::size_t b = 0; b < out.size(); ++b) out[a] += h.row(a)[b] * (at[b] - from[b]);
  }
  return out;
}

// The step within the free weights that solves the quadratic model when only their sum is held; zeros
// elsewhere.
std::vector<double> free_step(const SymmetricMatrix& h, std::span<const double> slope,
                              const std::vector<bool>& free) {
  std::vector<std::size_t> places;
  for (std::size_t m = 0; m < free.size(); ++m) {
    if (free[m]) places.push_back(m);
  }
  SymmetricMatrix part(places.size());
  std::vector<double> x, y(places.size(), 1.0), step(free.size(), 0.0);
  for (std::size_t a = 0; a < places.size(); ++a) {
    for (std::size_t b = 0; b < places.size(); ++b) part.row(a)[b] = h.row(places[a])[places[b]];
    x.push_back(-slope[places[a]]);
  }
  Cholesky factors;
  if (!factors.factor(part)) return step;
  factors.solve(x);
  factors.solve(y);
  double sum_x = 0, sum_y = 0;
  for (std::size_t a = 0; a < places.size(); ++a) {
    sum_x += x[a];
    sum_y += y[a];
  }
  for (std::size_t a = 0; a < places.size(); ++a) step[places[a]] = x[a] - sum_x / sum_y * y[a];
  return step;
}

// The minimum over the simplex of slope.(z - w) + (z - w)' h (z - w) / 2, from z = w.
std::vector<double> quadratic_minimum(const SymmetricMatrix& h, std::span<const double> slope,
                                      std::span<const double> w) {
  std::vector<double> z(w.begin(), w.end());
  std::vector<bool> free(z.size());
  for (std::size_t m = 0; m < z.size(); ++m) free[m] = z[m] > 0;
  const std::size_t most_changes = 50 * z.size() + 50;
  for (std::size_t change = 0; change < most_changes; ++change) {
    const std::vector<double> here = slope_at(h, slope, w, z), step = free_step(h, here, free);
    double length = 1;
    std::size_t blocking = z.size();
    for (std::size_t m = 0; m < z.size(); ++m) {
      if (!free[m] || step[m] >= 0 || -z[m] / step[m] >= length) continue;
      length = -z[m] / step[m];
      blocking = m;
    }
    for (std::size_t m = 0; m < z.size(); ++m) z[m] = std::max(0.0, z[m] + length * step[m]);
    if (blocking < z.size()) {
      z[blocking] = 0;
      free[blocking] = false;
      continue;
    }
    // All free ones share one slope now; a weight at 0 with a lower one wants to rise.
    const std::vector<double> there = slope_at(h, slope, w, z);
    double level = 0, total = 0;
    for (std::size_t m = 0; m < z.size(); ++m) {
      level += z[m] * there[m];
      total += z[m];
    }
    level /= total;
    std::size_t rising = z.size();
    double lowest = level - 1e-13 * (1 + std::abs(level));
    for (std::size_t m = 0; m < z.size(); ++m) {
      if (free[m] || there[m] >= lowest) continue;
      lowest = there[m];
      rising = m;
    }
    if (rising == z.size()) break;
    free[rising] = true;
  }
  double sum = 0;
  for (const double v : z) sum += v;
  for (double& v : z) v /= sum;
  return z;
}

// Symmetric, and solvable where members are alike.
void complete(SymmetricMatrix& curve) {
  double trace = 0;
  for (std::size_t a = 0; a < curve.n; ++a) {
    for (std::size_t b = 0; b < a; ++b) curve.row(b)[a] = curve.row(a)[b];
    trace += curve.row(a)[a];
  }
  const double ridge = 1e-12 * trace / static_cast<double>(curve.n) + 1e-300;
  for (std::size_t a = 0; a < curve.n; ++a) curve.row(a)[a] += ridge;
}

}  // namespace

SimplexEnd simplex_minimum(const Bowl& bowl, std::vector<double> start, int max_iterations, double gap) {
  constexpr double kLeastStep = 1e-12, kShare = 1e-4;  // of the promised descent that a step must keep
  constexpr double kRounding = 1e-14;                  // of the loss: descents below it cannot be seen
  SimplexEnd end;
  end.weights = std::move(start);
  end.value = bowl.value(end.weights);
  const std::size_t n = end.weights.size();
  for (;; ++end.iterations) {
    std::vector<double> slope(n, 0.0);
    SymmetricMatrix curve(n);
    bowl.bend(end.weights, slope, curve);
    // Steps sum to 0, so a level common to all slopes is idle; without it nothing is lost to rounding near
    // the end.
    const double level = *std::min_element(slope.begin(), slope.end());
    for (double& g : slope) g -= level;
    end.converged = duality_gap(end.weights, slope) <= gap;
    if (end.converged || end.iterations >= max_iterations) return end;
    complete(curve);
    const std::vector<double> target = quadratic_minimum(curve, slope, end.weights);
    double promised = 0;
    for (std::size_t m = 0; m < n; ++m) promised += slope[m] * (target[m] - end.weights[m]);
    if (!(promised < 0)) return end;
    std::vector<double> next(n);
    double length = 1, value = 0;
    for (; length > kLeastStep; length /= 2) {
      for (std::size_t m = 0; m < n; ++m) {
        next[m] = length == 1 ? target[m] : end.weights[m] + length * (target[m] - end.weights[m]);
      }
      value = bowl.value(next);
      if (value <= end.value + kShare * length * promised + kRounding * (1 + std::abs(end.value))) break;
    }
    if (length <= kLeastStep) return end;
    end.weights = std::move(next);
    end.value = value;
  }
}

}  // namespace consort::fitting
