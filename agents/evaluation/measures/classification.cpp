#include "agents/evaluation/measures/classification.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "agents/ensemble/fitting/checks.h"

namespace consort::measures {
namespace {

using fitting::check_labels;
using fitting::check_log_distributions;
using fitting::check_same_size;

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0.0;
}

}  // namespace

Result<std::vector<double>> nll_by_item(MatrixView log_p, std::span<const std::int32_t> truth) {
  CONSORT_CHECK_OK(check_log_distributions(log_p, "ln p"));
  CONSORT_CHECK_OK(check_labels(truth, log_p.rows(), log_p.columns));
  std::vector<double> out;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    out.push_back(std::max(0.0, -log_p.at(i, static_cast<std::size_t>(truth[i]))));
  }
  return out;
}

Result<std::vector<double>> brier_by_item(MatrixView log_p, std::span<const std::int32_t> truth) {
  CONSORT_CHECK_OK(check_log_distributions(log_p, "ln p"));
  CONSORT_CHECK_OK(check_labels(truth, log_p.rows(), log_p.columns));
  std::vector<double> out(truth.size(), 0.0);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    for (std::size_t c = 0; c < log_p.columns; ++c) {
      const double off = std::exp(log_p.at(i, c)) - (static_cast<std::size_t>(truth[i]) == c ? 1.0 : 0.0);
      out[i] += off * off;
    }
  }
  return out;
}

Result<double> mean_nll(MatrixView log_p, std::span<const std::int32_t> truth) {
  CONSORT_TRY(items, nll_by_item(log_p, truth));
  return mean_of(items);
}

Result<double> mean_brier(MatrixView log_p, std::span<const std::int32_t> truth) {
  CONSORT_TRY(items, brier_by_item(log_p, truth));
  return mean_of(items);
}

std::vector<std::int32_t> likeliest(MatrixView log_p) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < log_p.rows(); ++i) {
    const auto row = log_p.row(i);
    std::size_t best = 0;
    for (std::size_t c = 1; c < row.size(); ++c) {
      if (row[c] > row[best] || (std::isnan(row[best]) && !std::isnan(row[c]))) best = c;
    }
    out.push_back(static_cast<std::int32_t>(best));
  }
  return out;
}

std::vector<std::uint8_t> marks(std::span<const std::int32_t> predicted,
                                std::span<const std::int32_t> truth) {
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i < truth.size(); ++i)
    out.push_back(predicted[i] == truth[i] && truth[i] >= 0 ? 1 : 0);
  return out;
}

Result<double> accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> truth) {
  if (truth.empty()) return fail(ErrorKind::kInvalid, "accuracy needs items");
  CONSORT_CHECK_OK(check_same_size(predicted.size(), truth.size(), "predictions and truths"));
  const std::vector<std::uint8_t> right = marks(predicted, truth);
  return static_cast<double>(std::count(right.begin(), right.end(), 1)) / static_cast<double>(truth.size());
}

Result<F1Report> f1_report(std::span<const std::int32_t> predicted, std::span<const std::int32_t> truth,
                           std::size_t classes) {
  if (truth.empty()) return fail(ErrorKind::kInvalid, "F1 needs items");
  CONSORT_CHECK_OK(check_labels(truth, truth.size(), classes));
  CONSORT_CHECK_OK(check_same_size(predicted.size(), truth.size(), "predictions and truths"));
  F1Report made;
  made.classes.resize(classes);
  std::vector<double> hits(classes, 0.0);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (predicted[i] < -1 || (predicted[i] >= 0 && static_cast<std::size_t>(predicted[i]) >= classes)) {
      return fail(ErrorKind::kInvalid,
                  "prediction " + std::to_string(predicted[i]) + " is no class (-1: abstained)");
    }
    ++made.classes[static_cast<std::size_t>(truth[i])].items;
    if (predicted[i] >= 0) ++made.classes[static_cast<std::size_t>(predicted[i])].predicted;
    if (predicted[i] == truth[i]) hits[static_cast<std::size_t>(truth[i])] += 1;
  }
  double seen = 0, true_seen = 0;
  std::size_t largest = 0, smallest = truth.size();
  for (std::size_t c = 0; c < classes; ++c) {
    ClassScore& one = made.classes[c];
    one.precision = ratio(hits[c], static_cast<double>(one.predicted));
    one.recall = ratio(hits[c], static_cast<double>(one.items));
    one.f1 = ratio(2 * hits[c], static_cast<double>(one.predicted + one.items));
    if (one.items + one.predicted == 0) continue;
    seen += 1;
    made.macro_f1 += one.f1;
    if (one.items == 0) continue;
    true_seen += 1;
    made.balanced_accuracy += one.recall;
    largest = std::max(largest, one.items);
    smallest = std::min(smallest, one.items);
  }
  made.macro_f1 /= seen;
  made.balanced_accuracy /= true_seen;
  made.imbalance = static_cast<double>(largest) / static_cast<double>(smallest);
  return made;
}

}  // namespace consort::measures
