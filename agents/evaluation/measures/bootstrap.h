// Intervals by resampling items, or clusters of items that belong together (one document's questions, one
// task's items). The same seed gives the same bytes; percent points are the caller's business.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "memory/base/status.h"

namespace consort::measures {

enum class IntervalKind {
  kPercentile,
  kBca,  // bias-corrected and accelerated (Efron 1987); falls back to the percentile where it is undefined
};

struct BootstrapOptions {
  int resamples = 10000;  // at least 100
  double level = 0.95;    // in (0, 1)
  IntervalKind kind = IntervalKind::kPercentile;
  std::uint64_t seed = 0;
};

struct Interval {
  double estimate = 0;        // on the data as they are
  double low = 0, high = 0;   // quantiles of the resamples, linear between order statistics
  double standard_error = 0;  // deviation of the resamples
  std::size_t items = 0, clusters = 0;
};

// clusters: one number an item, equal numbers belong together; empty: each item alone. A resample draws as
// many clusters as there are, with replacement, with all their items; a mean is then sum over count. Errors
// of all here: kInvalid for no items, unequal sizes, values that are not finite, options out of range, fewer
// than two clusters.

Result<Interval> bootstrap_mean(std::span<const double> values, std::span<const std::int32_t> clusters = {},
                                const BootstrapOptions& options = {});
// Of mean(a - b): both measured on the same items.
Result<Interval> paired_bootstrap(std::span<const double> a, std::span<const double> b,
                                  std::span<const std::int32_t> clusters = {},
                                  const BootstrapOptions& options = {});

// Any statistic of a list of items (places, with repetitions): AUROC, macro-F1, ECE, a difference of them.
// Called resamples times, and once a cluster for BCa; must be a pure function and finite. Errors: also a
// statistic that is not finite on the data; resamples where it is not (a class missing) are drawn again, up
// to 100 times each.
using ItemStatistic = std::function<double(std::span<const std::size_t> items)>;
Result<Interval> bootstrap_statistic(std::size_t items, const ItemStatistic& statistic,
                                     std::span<const std::int32_t> clusters = {},
                                     const BootstrapOptions& options = {});

}  // namespace consort::measures
