// Split conformal prediction sets for classes (Vovk; Sadinle et al. 2019 LAC; Romano et al. 2020 APS;
// Angelopoulos et al. 2021 RAPS; research note A5). Fit on items that neither members nor pool were fitted
// on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

enum class ConformalScore {
  kLac,   // 1 - p_y: smallest sets, may be empty
  kAps,   // mass of the classes ranked above y, plus u p_y
  kRaps,  // APS + lambda * max(0, rank - k_reg), rank from 1
};

struct ConformalOptions {
  ConformalScore score = ConformalScore::kLac;
  double alpha = 0.1;      // wanted miss rate, in (0, 1)
  double lambda = 0.01;    // RAPS
  double k_reg = 5;        // RAPS
  bool randomised = true;  // APS, RAPS: u uniform by (seed, item); false: u = 1 (conservative)
  std::uint64_t seed = 0;
};

struct ConformalModel {
  ConformalOptions options;
  double threshold = 0;   // q; +infinity: too few calibration items, every set is the whole
  std::size_t items = 0;  // calibration items
};

// The ceil((n + 1)(1 - alpha))-th smallest of n scores; +infinity when that is beyond n. Errors: kInvalid for
// no scores, NaN, alpha outside (0, 1).
Result<double> conformal_quantile(std::span<const double> scores, double alpha);

// log_p: [items, classes] ln p; truth: [items]. Errors: kInvalid for no items, rows that are no
// distributions, wrong labels, alpha outside (0, 1), negative lambda or k_reg.
Result<ConformalModel> fit_conformal(MatrixView log_p, std::span<const std::int32_t> truth,
                                     const ConformalOptions& options);

// The classes whose score is at most the threshold, likeliest first (ties: lower class). u of row i is drawn
// by (seed, model.items + i), so that no number of the calibration comes twice. Errors: kInvalid for rows
// that are no distributions.
Result<std::vector<std::vector<std::int32_t>>> conformal_sets(const ConformalModel& model, MatrixView log_p);

struct ClassCoverage {
  std::size_t items = 0;
  double coverage = 0;  // NaN without items
};
struct SetReport {
  double coverage = 0;  // share of items whose set holds the truth
  double mean_size = 0;
  std::size_t empty = 0;  // items with an empty set
  std::vector<ClassCoverage> classes;
  std::vector<std::size_t> sizes;  // [size] items with a set of that size, 0 .. classes
};
// Errors: kInvalid for no items, unequal sizes, wrong labels or classes.
Result<SetReport> report_sets(std::span<const std::vector<std::int32_t>> sets,
                              std::span<const std::int32_t> truth, std::size_t classes);

// Coverage over draws of n calibration items is Beta(n + 1 - l, l) with l = floor((n + 1) alpha) (Vovk 2012):
// its mean and the central `level` band. Errors: kInvalid when l is 0 (too few items: the sets are whole),
// alpha or level outside (0, 1).
struct CoverageBand {
  double mean = 0, low = 0, high = 0;
};
Result<CoverageBand> coverage_band(std::size_t calibration_items, double alpha, double level = 0.95);

// Merges the sets of several members for one item: the classes in more than half of them. Keeps 1 - 2 alpha
// only (Cherubin 2019). Sorted by class. Errors: kInvalid for no sets.
Result<std::vector<std::int32_t>> majority_set(std::span<const std::vector<std::int32_t>> sets);

}  // namespace consort::fitting
