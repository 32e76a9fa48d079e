// Cascades: a cheap stage answers, unsure items go to a strong one (research note A4). The curve over all
// thresholds, and the choice of one on calibration data.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agents/ensemble/fitting/logistic.h"
#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

// Items for a cascade, equally long. Quality: higher is better (1 right, 0 wrong, or any score). Cost: of the
// stage on the item, in one unit (tokens, FLOP); the cheap stage is always paid.
struct CascadeItems {
  std::span<const double> confidence;  // of the cheap stage: deferred when below the threshold
  std::span<const double> cheap_quality, strong_quality;
  std::span<const double> cheap_cost, strong_cost;
};

struct CascadePoint {
  double threshold = 0;  // items with confidence < threshold are deferred; -infinity: none, +infinity: all
  double deferred = 0;   // share of items
  double quality = 0;    // mean
  double cost = 0;       // mean
};

// One point for each distinct confidence and one more, from none deferred to all: items of equal confidence
// go together. Thresholds lie in the middle between two confidences of the data, so that near misses on other
// data are split evenly; the first is -infinity, the last +infinity. Errors: kInvalid for no items, unequal
// sizes, values that are not finite, negative costs.
Result<std::vector<CascadePoint>> cascade_curve(const CascadeItems& items);

enum class CascadeGoal {
  kBestQuality,       // highest quality, then lowest cost
  kCheapestAtStrong,  // lowest cost with at least the strong stage's quality less `tolerance`
  kBestInBudget,      // highest quality with mean cost of at most `budget`
};
struct CascadeRule {
  CascadeGoal goal = CascadeGoal::kBestQuality;
  double tolerance = 0, budget = 0;
};
// The point of a calibration curve that the rule takes; of equal ones the cheapest, then the first. Qualities
// within 1e-12 are equal. Errors: kInvalid for an empty curve, a budget that no point keeps, a negative
// tolerance.
Result<CascadePoint> choose_cascade(std::span<const CascadePoint> curve, const CascadeRule& rule);
// What a fixed threshold does on other items: one point. Errors: as cascade_curve.
Result<CascadePoint> apply_cascade(const CascadeItems& items, double threshold);

// A learned router: P(the strong stage is better) from features of the item (embedding, confidence, length),
// by logistic regression on items of both stages (Ong et al. 2024). Use 1 - P as `confidence` of a cascade.
// Errors: those of fit_logistic; kInvalid when the strong stage is never, or always, better.
Result<LogisticModel> fit_router(MatrixView features, std::span<const double> cheap_quality,
                                 std::span<const double> strong_quality, double penalty);

}  // namespace consort::fitting
