#include "agents/ensemble/fitting/gate.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/newton.h"

namespace consort::fitting {
namespace {

void log_softmax(std::span<double> z) {
  const double top = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (const double v : z) sum += std::exp(v - top);
  for (double& v : z) v -= top + std::log(sum);
}

// Where the loss stands at some parameters: its value, slope, and one of two curvatures.
struct Ground {
  double value = 0;
  std::vector<double> slope;
  SymmetricMatrix curve;
};

enum class Curvature { kLoss, kBound };

// Parameters: member after member, its weights over standardised columns, then its bias.
class GateLoss {
 public:
  GateLoss(const Matrix& x, MatrixView log_p, double penalty)
      : x_(x), log_p_(log_p), penalty_(penalty), own_(x.columns + 1) {}

  std::size_t parameters() const { return log_p_.columns * own_; }

  // Of the data alone.
  double nll(std::span<const double> at) const {
    double sum = 0;
    std::vector<double> gate(log_p_.columns), joint(log_p_.columns);
    for (std::size_t i = 0; i < x_.rows(); ++i) sum -= step(i, at, gate, joint);
    return sum;
  }
  double value(std::span<const double> at) const { return nll(at) + ridge(at); }

  Ground ground(std::span<const double> at, Curvature curvature) const {
    Ground g{ridge(at), std::vector<double>(parameters(), 0.0), SymmetricMatrix(parameters())};
    std::vector<double> gate(log_p_.columns), share(log_p_.columns);
    for (std::size_t i = 0; i < x_.rows(); ++i) {
      g.value -= step(i, at, gate, share);
      add_step(g, i, gate, share, curvature);
    }
    add_ridge(g, at);
    for (std::size_t a = 0; a < parameters(); ++a)
      for (std::size_t b = 0; b < a; ++b) g.curve.row(b)[a] = g.curve.row(a)[b];
    return g;
  }

 private:
  double feature(std::size_t i, std::size_t a) const { return a < x_.columns ? x_.at(i, a) : 1.0; }

  // ln p of the pool; `gate`: the members' weights; `share`: how much of the pool's probability is each
  // one's.
  double step(std::size_t i, std::span<const double> at, std::vector<double>& gate,
              std::vector<double>& share) const {
    for (std::size_t m = 0; m < gate.size(); ++m) {
      gate[m] = 0;
      for (std::size_t a = 0; a < own_; ++a) gate[m] += at[m * own_ + a] * feature(i, a);
    }
    log_softmax(gate);
    double top = -HUGE_VAL, sum = 0;
    for (std::size_t m = 0; m < gate.size(); ++m) {
      share[m] = gate[m] + log_p_.at(i, m);
      top = std::max(top, share[m]);
    }
    for (std::size_t m = 0; m < gate.size(); ++m) {
      gate[m] = std::exp(gate[m]);
      share[m] = std::exp(share[m] - top);
      sum += share[m];
    }
    for (double& s : share) s /= sum;
    return top + std::log(sum);
  }

  // The slope is the same for the loss and its bound; the loss bends less, by what the shares say.
  void add_step(Ground& g, std::size_t i, const std::vector<double>& gate, const std::vector<double>& share,
                Curvature curvature) const {
    const bool loss = curvature == Curvature::kLoss;
    for (std::size_t m = 0; m < gate.size(); ++m) {
      for (std::size_t a = 0; a < own_; ++a) g.slope[m * own_ + a] += (gate[m] - share[m]) * feature(i, a);
      for (std::size_t k = 0; k <= m; ++k) {
        double bend = (m == k ? gate[m] : 0) - gate[m] * gate[k];
        if (loss) bend -= (m == k ? share[m] : 0) - share[m] * share[k];
        for (std::size_t a = 0; a < own_; ++a) {
          const double along = bend * feature(i, a);
          const std::size_t most = m == k ? a + 1 : own_;
          auto row = g.curve.row(m * own_ + a);
          for (std::size_t b = 0; b < most; ++b) row[k * own_ + b] += along * feature(i, b);
        }
      }
    }
  }

  // A shift of all biases changes no weight: their sum is held at 0, which costs nothing.
  double ridge(std::span<const double> at) const {
    double sum = 0, biases = 0;
    for (std::size_t m = 0; m < log_p_.columns; ++m) {
      for (std::size_t a = 0; a < x_.columns; ++a) sum += at[m * own_ + a] * at[m * own_ + a];
      biases += at[m * own_ + x_.columns];
    }
    return penalty_ * sum + penalty_ * biases * biases;
  }
  void add_ridge(Ground& g, std::span<const double> at) const {
    double biases = 0;
    for (std::size_t m = 0; m < log_p_.columns; ++m) biases += at[m * own_ + x_.columns];
    for (std::size_t m = 0; m < log_p_.columns; ++m) {
      for (std::size_t a = 0; a < x_.columns; ++a) {
        g.slope[m * own_ + a] += 2 * penalty_ * at[m * own_ + a];
        g.curve.row(m * own_ + a)[m * own_ + a] += 2 * penalty_;
      }
      g.slope[m * own_ + x_.columns] += 2 * penalty_ * biases;
      for (std::size_t k = 0; k <= m; ++k)
        g.curve.row(m * own_ + x_.columns)[k * own_ + x_.columns] += 2 * penalty_;
    }
  }

  const Matrix& x_;
  MatrixView log_p_;
  double penalty_;
  std::size_t own_;
};

Status check(MatrixView features, MatrixView log_p, double penalty) {
  CONSORT_CHECK_OK(check_matrix(features, "features"));
  if (log_p.columns < 2 || log_p.values.empty() || log_p.values.size() % log_p.columns != 0)
    return fail(ErrorKind::kInvalid, "a gate needs steps with a value for each of at least two members");
  CONSORT_CHECK_OK(check_same_size(features.rows(), log_p.rows(), "steps of features and of members"));
  for (std::size_t i = 0; i < log_p.rows(); ++i) {
    double top = -HUGE_VAL;
    for (const double lp : log_p.row(i)) {
      if (!(lp <= 1e-6)) return fail(ErrorKind::kInvalid, "ln p of a step must be at most 0");
      top = std::max(top, lp);
    }
    if (!std::isfinite(top))
      return fail(ErrorKind::kInvalid, "every member gives step " + std::to_string(i) + " probability 0", "",
                  "give members a floor");
  }
  return check_penalty(penalty);
}

// The step from here, and what it promises; empty when the curvature has no bottom.
std::vector<double> direction_of(const Ground& g, double& decrement) {
  Cholesky factors;
  if (!factors.factor(g.curve)) return {};
  std::vector<double> direction = g.slope;
  factors.solve(direction);
  decrement = 0;
  for (std::size_t a = 0; a < direction.size(); ++a) decrement += g.slope[a] * direction[a];
  return direction;
}

struct Descent {
  std::vector<double> point;
  int iterations = 0;
  bool converged = false;
  double slope = 0;
};

Descent descend(const GateLoss& loss) {
  constexpr int kMostIterations = 200;
  constexpr double kPrecision = 1e-12, kLeastStep = 1e-10, kRounding = 1e-14;
  Descent d;
  d.point.assign(loss.parameters(), 0.0);
  std::vector<double> next(loss.parameters());
  for (;; ++d.iterations) {
    Ground here = loss.ground(d.point, Curvature::kLoss);
    d.slope = 0;
    for (const double s : here.slope) d.slope = std::max(d.slope, std::abs(s));
    double decrement = 0;
    std::vector<double> direction = direction_of(here, decrement);
    if (direction.empty() || !(decrement >= 0))
      direction = direction_of(loss.ground(d.point, Curvature::kBound), decrement);
    d.converged = !direction.empty() && decrement <= kPrecision * (1 + std::abs(here.value));
    if (direction.empty() || d.converged || d.iterations >= kMostIterations) return d;
    double step = 1;
    for (; step > kLeastStep; step /= 2) {
      for (std::size_t a = 0; a < next.size(); ++a) next[a] = d.point[a] - step * direction[a];
      const double rounding = kRounding * (1 + std::abs(here.value));
      if (loss.value(next) <= here.value - 1e-4 * step * decrement + rounding) break;
    }
    if (step <= kLeastStep) return d;
    std::swap(d.point, next);
  }
}

}  // namespace

std::vector<double> GateModel::log_weights(std::span<const double> features) const {
  std::vector<double> z = biases;
  for (std::size_t m = 0; m < z.size(); ++m)
    for (std::size_t j = 0; j < features.size(); ++j) z[m] += weights.at(m, j) * features[j];
  log_softmax(z);
  return z;
}

Result<GateModel> fit_gate(MatrixView features, MatrixView log_p_truth, double penalty) {
  CONSORT_CHECK_OK(check(features, log_p_truth, penalty));
  const Columns columns(features);
  const Matrix x = columns.standardised(features);
  const GateLoss loss(x, log_p_truth, penalty);
  const Descent end = descend(loss);
  const auto steps = static_cast<double>(x.rows());
  const std::size_t members = log_p_truth.columns, own = x.columns + 1;
  GateModel made;
  made.weights = Matrix(members, x.columns);
  made.biases.assign(members, 0.0);
  made.nll = loss.nll(end.point) / steps;
  made.slope = end.slope / steps;
  made.iterations = end.iterations;
  made.converged = end.converged;
  double mean = 0;
  for (std::size_t m = 0; m < members; ++m) {
    made.biases[m] = end.point[m * own + x.columns];
    for (std::size_t j = 0; j < x.columns; ++j) {
      made.weights.at(m, j) = end.point[m * own + j] * columns.inverse_deviations[j];
      made.biases[m] -= made.weights.at(m, j) * columns.means[j];
    }
    mean += made.biases[m] / static_cast<double>(members);
  }
  for (double& b : made.biases) b -= mean;
  return made;
}

}  // namespace consort::fitting
