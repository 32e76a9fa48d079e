#include "agents/evaluation/measures/roc.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "agents/ensemble/fitting/checks.h"
#include "models/probe/fit.h"

namespace consort::measures {
namespace {

// The labelled items of one task.
struct Labelled {
  std::vector<double> scores;
  std::vector<std::int32_t> positive;
  Auroc counts;
};

Result<Labelled> labelled(std::span<const double> scores, std::span<const double> labels) {
  Labelled made;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (std::isnan(labels[i])) {
      ++made.counts.masked;
      continue;
    }
    if (labels[i] != 0 && labels[i] != 1) {
      return fail(ErrorKind::kInvalid, "label " + std::to_string(i) + " is neither 0, 1 nor missing");
    }
    if (std::isnan(scores[i])) {
      return fail(ErrorKind::kInvalid, "the score of labelled item " + std::to_string(i) + " is no number");
    }
    made.scores.push_back(scores[i]);
    made.positive.push_back(labels[i] == 1 ? 1 : 0);
    ++(labels[i] == 1 ? made.counts.positives : made.counts.negatives);
  }
  return made;
}

}  // namespace

Result<Auroc> auroc(std::span<const double> scores, std::span<const double> labels) {
  if (labels.empty()) return fail(ErrorKind::kInvalid, "AUROC needs items");
  CONSORT_CHECK_OK(fitting::check_same_size(scores.size(), labels.size(), "scores and labels"));
  CONSORT_TRY(one, labelled(scores, labels));
  if (one.counts.positives == 0 || one.counts.negatives == 0) {
    return fail(ErrorKind::kInvalid, "AUROC needs items of both classes");
  }
  one.counts.value = roc_auc(one.scores, one.positive);
  return one.counts;
}

Result<MeanAuroc> mean_auroc(fitting::MatrixView scores, fitting::MatrixView labels) {
  if (labels.columns == 0 || labels.values.empty() || labels.values.size() % labels.columns != 0) {
    return fail(ErrorKind::kInvalid, "AUROC needs items and tasks");
  }
  if (scores.columns != labels.columns || scores.values.size() != labels.values.size()) {
    return fail(ErrorKind::kInvalid, "AUROC needs a score for each label");
  }
  MeanAuroc made;
  double sum = 0;
  for (std::size_t t = 0; t < labels.columns; ++t) {
    std::vector<double> own, marks;
    for (std::size_t i = 0; i < labels.rows(); ++i) {
      own.push_back(scores.at(i, t));
      marks.push_back(labels.at(i, t));
    }
    CONSORT_TRY(one, labelled(own, marks));
    const bool both = one.counts.positives > 0 && one.counts.negatives > 0;
    made.tasks.push_back(both ? roc_auc(one.scores, one.positive) : std::numeric_limits<double>::quiet_NaN());
    if (both) sum += made.tasks.back();
    if (!both) ++made.left_out;
  }
  if (made.left_out == made.tasks.size())
    return fail(ErrorKind::kInvalid, "no task has items of both classes");
  made.mean = sum / static_cast<double>(made.tasks.size() - made.left_out);
  return made;
}

}  // namespace consort::measures
