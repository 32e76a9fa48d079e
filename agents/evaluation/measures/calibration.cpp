#include "agents/evaluation/measures/calibration.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {
namespace {

using Marks = std::span<const std::uint8_t>;

void add(ReliabilityBin& bin, double confidence, bool correct) {
  ++bin.count;
  bin.confidence += confidence;
  bin.accuracy += correct ? 1 : 0;
}

std::vector<ReliabilityBin> equal_width(std::span<const double> confidence, Marks correct, std::size_t bins) {
  std::vector<ReliabilityBin> out(bins);
  const auto width = static_cast<double>(bins);
  for (std::size_t b = 0; b < bins; ++b) {
    out[b].low = static_cast<double>(b) / width;
    out[b].high = static_cast<double>(b + 1) / width;
  }
  for (std::size_t i = 0; i < confidence.size(); ++i) {
    // By the borders themselves: 0.3 * 10 may round to either side of 3.
    auto b = std::min(bins - 1, static_cast<std::size_t>(confidence[i] * width));
    if (b > 0 && confidence[i] < out[b].low) --b;
    if (b + 1 < bins && confidence[i] >= out[b].high) ++b;
    add(out[b], confidence[i], correct[i] != 0);
  }
  return out;
}

std::vector<ReliabilityBin> equal_mass(std::span<const double> confidence, Marks correct, std::size_t bins) {
  std::vector<std::size_t> order(confidence.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return confidence[a] < confidence[b]; });
  std::vector<ReliabilityBin> out;
  const std::size_t n = order.size();
  std::size_t part = bins;  // of the item that began the last bin
  for (std::size_t k = 0; k < n; ++k) {
    const double c = confidence[order[k]];
    const std::size_t own = k * bins / n;
    const bool tied = k > 0 && confidence[order[k - 1]] == c;
    if (out.empty() || (own != part && !tied)) {
      out.push_back({c, c, 0, 0, 0});
      part = own;
    }
    out.back().high = c;
    add(out.back(), c, correct[order[k]] != 0);
  }
  return out;
}

// Mean of |X| for X normal (mean, deviation).
double folded_mean(double mean, double deviation) {
  if (deviation <= 0) return std::abs(mean);
  const double z = mean / deviation;
  return deviation * std::sqrt(2 / std::numbers::pi) * std::exp(-z * z / 2) +
         mean * std::erf(z / std::numbers::sqrt2);
}

}  // namespace

Result<std::vector<ReliabilityBin>> reliability_bins(std::span<const double> confidence, Marks correct,
                                                     Binning binning, std::size_t bins) {
  CONSORT_CHECK_OK(fitting::check_finite(confidence, "confidences"));
  CONSORT_CHECK_OK(fitting::check_same_size(confidence.size(), correct.size(), "confidences and marks"));
  CONSORT_CHECK_OK(fitting::check_marks(correct, "marks"));
  if (bins == 0) return fail(ErrorKind::kInvalid, "calibration needs at least one bin");
  for (const double c : confidence) {
    if (c < 0 || c > 1) return fail(ErrorKind::kInvalid, "confidences must lie in [0, 1]");
  }
  std::vector<ReliabilityBin> out = binning == Binning::kEqualWidth ? equal_width(confidence, correct, bins)
                                                                    : equal_mass(confidence, correct, bins);
  for (ReliabilityBin& bin : out) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return out;
}

Result<CalibrationError> calibration_error(std::span<const double> confidence, Marks correct, Binning binning,
                                           std::size_t bins) {
  CONSORT_TRY(made_bins, reliability_bins(confidence, correct, binning, bins));
  CalibrationError made;
  made.bins = std::move(made_bins);
  const auto n = static_cast<double>(confidence.size());
  for (const ReliabilityBin& bin : made.bins) {
    if (bin.count == 0) continue;
    const auto count = static_cast<double>(bin.count);
    const double share = count / n, gap = std::abs(bin.confidence - bin.accuracy);
    const double variance = bin.accuracy * (1 - bin.accuracy);
    made.ece += share * gap;
    made.debiased += share * (2 * gap - folded_mean(gap, std::sqrt(variance / count)));
    if (bin.count > 1) made.squared_debiased += share * (gap * gap - variance / (count - 1));
    made.largest = std::max(made.largest, gap);
  }
  made.debiased = std::max(0.0, made.debiased);
  return made;
}

Result<double> classwise_ece(fitting::MatrixView log_p, std::span<const std::int32_t> truth, Binning binning,
                             std::size_t bins) {
  CONSORT_CHECK_OK(fitting::check_log_distributions(log_p, "ln p"));
  CONSORT_CHECK_OK(fitting::check_labels(truth, log_p.rows(), log_p.columns));
  double sum = 0;
  for (std::size_t c = 0; c < log_p.columns; ++c) {
    std::vector<double> p;
    std::vector<std::uint8_t> is;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      p.push_back(std::min(1.0, std::exp(log_p.at(i, c))));
      is.push_back(static_cast<std::size_t>(truth[i]) == c ? 1 : 0);
    }
    CONSORT_TRY(error, calibration_error(p, is, binning, bins));
    sum += error.ece;
  }
  return sum / static_cast<double>(log_p.columns);
}

}  // namespace consort::measures
