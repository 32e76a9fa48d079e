// Does confidence mean what it says: reliability bins and the errors from them. Report proper scores first
// and these second; 15 bins on 500 items are noise (research note B).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::measures {

enum class Binning {
  kEqualWidth,  // [0, 1] in equal parts; a confidence at an inner border is in the upper part, 1 in the last
  kEqualMass,   // sorted items in parts of equal number (adaptive; Nguyen and O'Connor 2015); items of equal
                // confidence stay together, so parts may be fewer and uneven
};
inline constexpr std::size_t kCalibrationBins = 15;

struct ReliabilityBin {
  double low = 0, high = 0;  // equal width: borders; equal mass: least and largest confidence in it
  std::size_t count = 0;
  double confidence = 0, accuracy = 0;  // means; 0 when empty
};
// confidence: each in [0, 1]; correct: 0 or 1. Equal width gives all bins, empty ones too. Errors: kInvalid
// for no items, unequal sizes, NaN, confidences outside [0, 1], other marks, no bins.
Result<std::vector<ReliabilityBin>> reliability_bins(std::span<const double> confidence,
                                                     std::span<const std::uint8_t> correct,
                                                     Binning binning = Binning::kEqualMass,
                                                     std::size_t bins = kCalibrationBins);

struct CalibrationError {
  double ece = 0;       // sum_b n_b / n |confidence_b - accuracy_b| (Naeini et al. 2015)
  double debiased = 0;  // the same less what chance alone adds to each bin: 2 |gap| - E|gap + noise|, noise
                        // normal with variance acc (1 - acc) / n_b (Kumar, Liang, Ma 2019), not below 0
  double squared_debiased = 0;  // sum_b n_b / n (gap^2 - acc (1 - acc) / (n_b - 1)), bins of two and more
                                // (Kumar 2019, section 5): unbiased, so it may be negative
  double largest = 0;           // MCE: the largest gap of a bin that has items
  std::vector<ReliabilityBin> bins;
};
// Errors: as reliability_bins.
Result<CalibrationError> calibration_error(std::span<const double> confidence,
                                           std::span<const std::uint8_t> correct,
                                           Binning binning = Binning::kEqualMass,
                                           std::size_t bins = kCalibrationBins);

// Mean over classes of the ECE of p_k against [truth = k] (Kull et al. 2019). log_p: [items, classes]; truth:
// [items]. Errors: kInvalid for no items, rows that are no distributions, wrong labels.
Result<double> classwise_ece(fitting::MatrixView log_p, std::span<const std::int32_t> truth,
                             Binning binning = Binning::kEqualMass, std::size_t bins = kCalibrationBins);

}  // namespace consort::measures
