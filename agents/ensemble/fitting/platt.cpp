#include "agents/ensemble/fitting/platt.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/sigmoid.h"

namespace consort::fitting {
namespace {

// Summed loss of the line at targets, and its first and second derivatives by slope and offset.
struct Bend {
  double loss = 0, by_slope = 0, by_offset = 0, slope2 = 0, slope_offset = 0, offset2 = 0;
};

Bend bend_at(std::span<const double> scores, std::span<const double> targets, double slope, double offset) {
  Bend b;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double z = slope * scores[i] + offset, p = sigmoid(z);
    const double off = p - targets[i], curve = p * (1 - p);
    b.loss += log_one_plus_exp(z) - targets[i] * z;
    b.by_slope += off * scores[i];
    b.by_offset += off;
    b.slope2 += curve * scores[i] * scores[i];
    b.slope_offset += curve * scores[i];
    b.offset2 += curve;
  }
  return b;
}

}  // namespace

double Platt::probability(double score) const {
  return sigmoid(slope * score + offset);
}

Result<Platt> fit_platt(std::span<const double> raw, std::span<const std::uint8_t> positive) {
  CONSORT_CHECK_OK(check_finite(raw, "scores"));
  CONSORT_CHECK_OK(check_same_size(raw.size(), positive.size(), "scores and marks"));
  CONSORT_CHECK_OK(check_marks(positive, "marks"));
  const auto n = static_cast<double>(raw.size());
  const auto positives = static_cast<double>(std::count(positive.begin(), positive.end(), 1));
  if (positives == 0 || positives == n) {
    return fail(ErrorKind::kInvalid, "Platt scaling needs items of both classes");
  }
  // Scores of any unit: worked on with mean 0 and deviation 1, given back in their own.
  double mean = 0, spread = 0;
  for (const double s : raw) mean += s / n;
  for (const double s : raw) spread += (s - mean) * (s - mean) / n;
  spread = spread > 0 ? std::sqrt(spread) : 1;
  std::vector<double> scores, targets;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    scores.push_back((raw[i] - mean) / spread);
    targets.push_back(positive[i] != 0 ? (positives + 1) / (positives + 2) : 1 / (n - positives + 2));
  }
  double slope = 0, offset = std::log((positives + 1) / (n - positives + 1));
  constexpr int kMostIterations = 100;
  constexpr double kRidge = 1e-12, kPrecision = 1e-12;
  Platt made;
  Bend here = bend_at(scores, targets, slope, offset);
  for (; made.iterations < kMostIterations; ++made.iterations) {
    const double a = here.slope2 + kRidge, d = here.offset2 + kRidge, b = here.slope_offset;
    const double determinant = a * d - b * b;
    const double by_slope = -(d * here.by_slope - b * here.by_offset) / determinant;
    const double by_offset = -(a * here.by_offset - b * here.by_slope) / determinant;
    double step = 1;
    Bend next = bend_at(scores, targets, slope + by_slope, offset + by_offset);
    while (!(next.loss <= here.loss) && step > 1e-10) {
      step /= 2;
      next = bend_at(scores, targets, slope + step * by_slope, offset + step * by_offset);
    }
    if (!(next.loss <= here.loss)) break;
    const double gained = here.loss - next.loss;
    slope += step * by_slope;
    offset += step * by_offset;
    here = next;
    if (gained <= kPrecision * n) break;
  }
  made.slope = slope / spread;
  made.offset = offset - slope * mean / spread;
  made.nll = here.loss / n;
  return made;
}

}  // namespace consort::fitting
