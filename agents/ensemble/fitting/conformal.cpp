#include "agents/ensemble/fitting/conformal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/random.h"
#include "agents/ensemble/fitting/special.h"

namespace consort::fitting {
namespace {

constexpr double kRounding = 1e-9;  // (n + 1)(1 - alpha) is often meant to be whole: 10 * 0.9 must be 9

Status check_alpha(double alpha) {
  if (alpha > 0 && alpha < 1) return {};
  return fail(ErrorKind::kInvalid, "alpha must lie between 0 and 1");
}

Status check_options(const ConformalOptions& options) {
  CONSORT_CHECK_OK(check_alpha(options.alpha));
  if (!(options.lambda >= 0) || !(options.k_reg >= 0)) {
    return fail(ErrorKind::kInvalid, "lambda and k_reg must be at least 0");
  }
  return {};
}

struct ClassScore {
  std::int32_t label = 0;
  double score = 0;
};

// Scores of all classes of an item, likeliest first. `number`: of the item, for its u.
std::vector<ClassScore> class_scores(std::span<const double> log_p, const ConformalOptions& o,
                                     std::size_t number) {
  std::vector<ClassScore> out(log_p.size());
  for (std::size_t c = 0; c < out.size(); ++c) out[c].label = static_cast<std::int32_t>(c);
  std::stable_sort(out.begin(), out.end(), [&](const ClassScore& a, const ClassScore& b) {
    return log_p[static_cast<std::size_t>(a.label)] > log_p[static_cast<std::size_t>(b.label)];
  });
  const bool cumulative = o.score != ConformalScore::kLac;
  const double u = cumulative && o.randomised ? SeededStream(o.seed, number).uniform() : 1.0;
  double above = 0;
  for (std::size_t rank = 1; rank <= out.size(); ++rank) {
    ClassScore& entry = out[rank - 1];
    const double p = std::exp(log_p[static_cast<std::size_t>(entry.label)]);
    entry.score = cumulative ? above + u * p : 1 - p;
    if (o.score == ConformalScore::kRaps) {
      entry.score += o.lambda * std::max(0.0, static_cast<double>(rank) - o.k_reg);
    }
    above += p;
  }
  return out;
}

}  // namespace

Result<double> conformal_quantile(std::span<const double> scores, double alpha) {
  CONSORT_CHECK_OK(check_alpha(alpha));
  if (scores.empty()) return fail(ErrorKind::kInvalid, "a conformal quantile needs calibration scores");
  std::vector<double> sorted(scores.begin(), scores.end());
  for (const double s : sorted) {
    if (std::isnan(s)) return fail(ErrorKind::kInvalid, "a calibration score is no number");
  }
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  const double place = std::max(1.0, std::ceil((n + 1) * (1 - alpha) - kRounding));
  if (place > n) return std::numeric_limits<double>::infinity();
  return sorted[static_cast<std::size_t>(place) - 1];
}

Result<ConformalModel> fit_conformal(MatrixView log_p, std::span<const std::int32_t> truth,
                                     const ConformalOptions& options) {
  CONSORT_CHECK_OK(check_options(options));
  CONSORT_CHECK_OK(check_log_distributions(log_p, "ln p"));
  CONSORT_CHECK_OK(check_labels(truth, log_p.rows(), log_p.columns));
  std::vector<double> scores;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    for (const ClassScore& entry : class_scores(log_p.row(i), options, i)) {
      if (entry.label == truth[i]) scores.push_back(entry.score);
    }
  }
  CONSORT_TRY(threshold, conformal_quantile(scores, options.alpha));
  return ConformalModel{options, threshold, truth.size()};
}

Result<std::vector<std::vector<std::int32_t>>> conformal_sets(const ConformalModel& model, MatrixView log_p) {
  CONSORT_CHECK_OK(check_log_distributions(log_p, "ln p"));
  std::vector<std::vector<std::int32_t>> sets(log_p.rows());
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (const ClassScore& entry : class_scores(log_p.row(i), model.options, model.items + i)) {
      if (entry.score <= model.threshold) sets[i].push_back(entry.label);
    }
  }
  return sets;
}

Result<SetReport> report_sets(std::span<const std::vector<std::int32_t>> sets,
                              std::span<const std::int32_t> truth, std::size_t classes) {
  if (sets.empty()) return fail(ErrorKind::kInvalid, "there are no prediction sets to report");
  CONSORT_CHECK_OK(check_labels(truth, sets.size(), classes));
  SetReport made;
  made.classes.resize(classes);
  made.sizes.assign(classes + 1, 0);
  const auto n = static_cast<double>(sets.size());
  std::vector<double> covered(classes, 0.0);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (const std::int32_t c : sets[i]) {
      if (c < 0 || static_cast<std::size_t>(c) >= classes || sets[i].size() > classes) {
        return fail(ErrorKind::kInvalid, "set " + std::to_string(i) + " holds what is no class");
      }
    }
    const auto y = static_cast<std::size_t>(truth[i]);
    const bool holds = std::find(sets[i].begin(), sets[i].end(), truth[i]) != sets[i].end();
    ++made.sizes[sets[i].size()];
    ++made.classes[y].items;
    covered[y] += holds ? 1 : 0;
    made.coverage += holds ? 1 / n : 0;
    made.mean_size += static_cast<double>(sets[i].size()) / n;
  }
  made.empty = made.sizes[0];
  for (std::size_t c = 0; c < classes; ++c) {
    made.classes[c].coverage = covered[c] / static_cast<double>(made.classes[c].items);
  }
  return made;
}

Result<CoverageBand> coverage_band(std::size_t calibration_items, double alpha, double level) {
  CONSORT_CHECK_OK(check_alpha(alpha));
  if (!(level > 0 && level < 1))
    return fail(ErrorKind::kInvalid, "the level of a band must lie between 0 and 1");
  const double n = static_cast<double>(calibration_items), l = std::floor((n + 1) * alpha + kRounding);
  if (l < 1) {
    return fail(ErrorKind::kInvalid,
                "with " + std::to_string(calibration_items) +
                    " calibration items every set is the whole at this alpha",
                "", "give at least 1 / alpha - 1 calibration items");
  }
  const double a = n + 1 - l, b = l, outside = (1 - level) / 2;
  return CoverageBand{a / (a + b), beta_quantile(a, b, outside), beta_quantile(a, b, 1 - outside)};
}

Result<std::vector<std::int32_t>> majority_set(std::span<const std::vector<std::int32_t>> sets) {
  if (sets.empty()) return fail(ErrorKind::kInvalid, "there are no prediction sets to merge");
  std::map<std::int32_t, std::size_t> votes;
  for (std::vector<std::int32_t> set : sets) {
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    for (const std::int32_t c : set) ++votes[c];
  }
  std::vector<std::int32_t> out;
  for (const auto& [label, count] : votes) {
    if (2 * count > sets.size()) out.push_back(label);
  }
  return out;
}

}  // namespace consort::fitting
