// The logistic function and its companion, without overflow at either end.
#pragma once

#include <cmath>

namespace consort::fitting {

inline double sigmoid(double z) {
  if (z >= 0) return 1 / (1 + std::exp(-z));
  const double e = std::exp(z);
  return e / (1 + e);
}
// ln(1 + e^z)
inline double log_one_plus_exp(double z) {
  return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z));
}

}  // namespace consort::fitting
