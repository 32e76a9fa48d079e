// Minima of smooth convex losses over weights that are at least 0 and sum to 1. Private to fitting.
#pragma once

#include <vector>

#include "agents/ensemble/fitting/newton.h"

namespace consort::fitting {

struct SimplexEnd {
  std::vector<double> weights;
  double value = 0;
  int iterations = 0;
  bool converged =
      false;  // the duality gap w.slope - min slope, which bounds value - minimum, is at most `gap`
};

// Newton's method on the simplex: every step minimises the quadratic model there exactly (active set; Nocedal
// and Wright, section 16.5) and is halved until the loss falls enough. Members whose scores differ in scale
// by orders of magnitude cost it a few steps, where gradient methods crawl. `start`: a point of the simplex
// with a finite loss.
SimplexEnd simplex_minimum(const Bowl& bowl, std::vector<double> start, int max_iterations, double gap);

}  // namespace consort::fitting
