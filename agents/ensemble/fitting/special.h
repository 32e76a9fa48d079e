// Distribution functions that intervals and tests need. Pure.
#pragma once

#include <cstdint>

namespace consort::fitting {

double normal_cdf(double z);
// Inverse of normal_cdf to about 1e-15 relative (Wichura 1988, AS 241). -inf at 0, inf at 1.
// REQUIRES: 0 <= p <= 1.
double normal_quantile(double p);
// I_x(a, b), the cdf of Beta(a, b) (continued fraction by Lentz's method; about 1e-13). REQUIRES: a, b > 0,
// 0 <= x <= 1.
double incomplete_beta(double a, double b, double x);
// Inverse in x, by bisection to the last bits. REQUIRES: as above, 0 <= p <= 1.
double beta_quantile(double a, double b, double p);
// ln P(X = k) for X ~ Bin(n, 1/2).
double log_fair_binomial(std::int64_t n, std::int64_t k);

}  // namespace consort::fitting
