// Is one system better than another on the same items: exact McNemar for right and wrong, sign flips for any
// difference, Holm for many comparisons, and what difference could have been seen at all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::measures {

struct McNemar {
  std::size_t b = 0, c = 0;  // only the first right, only the second right
  double p = 1;  // two-sided, exact: min(1, 2 P(Bin(b + c, 1/2) <= min(b, c))); 1 without discordance
};
McNemar exact_mcnemar(std::size_t b, std::size_t c);
// Marks: 0 or 1. Errors: kInvalid for no items, unequal sizes, other marks.
Result<McNemar> exact_mcnemar(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second);

struct SignFlipOptions {
  int draws = 10000;  // when not exact
  std::uint64_t seed = 0;
};
struct SignFlip {
  double mean = 0;  // of the differences
  double p =
      1;  // two-sided: share of sign patterns with |sum| at least as large; (b + 1) / (m + 1) when drawn
  bool exact = false;
  std::size_t units = 0;  // clusters (or items) with a difference that is not 0
};
inline constexpr std::size_t kMostExactFlips = 16;  // 65,536 patterns

// Permutation test of mean difference 0 under symmetry (Fisher 1935; Monte Carlo: Phipson and Smyth 2010).
// Clusters flip as one (their differences are summed); empty: each item alone. Exact with up to 16 units.
// Sums within 1e-12 (relative) of the observed one count as equal. Errors: kInvalid for no items, unequal
// sizes, values that are not finite, no draws.
Result<SignFlip> sign_flip_test(std::span<const double> differences,
                                std::span<const std::int32_t> clusters = {},
                                const SignFlipOptions& options = {});

// Step-down adjustment for the family-wise error (Holm 1979), in the order given, each at most 1. Errors:
// kInvalid for no p-values, values outside [0, 1].
Result<std::vector<double>> holm(std::span<const double> p_values);

// Least difference of two accuracies on the same items that a two-sided test at `alpha` finds with `power`:
// (z_{1 - alpha/2} + z_power) sqrt(discordant) / sqrt(items), 2.8 for the defaults. discordant: expected
// share of items that only one has right. Errors: kInvalid for no items, shares outside (0, 1].
Result<double> minimum_detectable_effect(double discordant, std::size_t items, double alpha = 0.05,
                                         double power = 0.8);
// The same for any paired difference with standard deviation `deviation` a unit.
Result<double> minimum_detectable_mean(double deviation, std::size_t items, double alpha = 0.05,
                                       double power = 0.8);

}  // namespace consort::measures
