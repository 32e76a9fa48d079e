// Newton's method for smooth convex losses of few parameters, and columns brought to one scale. Private to
// fitting.
#pragma once

#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"
#include "models/probe/cholesky.h"

namespace consort::fitting {

// A convex loss.
class Bowl {
 public:
  virtual ~Bowl() = default;
  virtual std::size_t parameters() const = 0;
  virtual double value(std::span<const double> at) const = 0;
  // Adds the gradient and the lower triangle of the Hessian to zeros.
  virtual void bend(std::span<const double> at, std::vector<double>& slope, SymmetricMatrix& curve) const = 0;
};

struct NewtonEnd {
  std::vector<double> point;
  int iterations = 0;
  bool converged = false;  // Newton decrement below 1e-12 of the loss
};
// From the origin, with step halving (Boyd and Vandenberghe, section 9.5.2).
NewtonEnd newton_minimum(const Bowl& bowl);

// Means and inverse deviations of columns; a column that does not vary gets 0, so it becomes zeros and its
// weight stays 0.
struct Columns {
  explicit Columns(MatrixView values);
  std::vector<double> means, inverse_deviations;
  Matrix standardised(MatrixView values) const;
};

// Errors: kInvalid unless penalty is finite and above 0.
Status check_penalty(double penalty);

}  // namespace consort::fitting
