#include "models/probe/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/probe/solvers.h"
#include "models/probe/split.h"

namespace consort {
namespace {

Status check_folds(const ProbeData& data, int folds) {
  if (data.folds.size() != data.examples())
    return fail(ErrorKind::kInvalid, "probe: a fold for each example");
  std::vector<std::size_t> sizes(static_cast<std::size_t>(folds), 0);
  for (const int fold : data.folds) {
    if (fold < 0 || fold >= folds) return fail(ErrorKind::kInvalid, "probe: a fold that does not exist");
    ++sizes[static_cast<std::size_t>(fold)];
  }
  for (const std::size_t size : sizes)
    if (size == data.examples())
      return fail(ErrorKind::kInvalid, "probe: all examples are in one fold, nothing is left to fit on");
  return {};
}

Status check(const ProbeData& data, const ProbeOptions& options) {
  const std::size_t n = data.examples();
  const auto refuse = [](std::string what) { return fail(ErrorKind::kInvalid, "probe: " + std::move(what)); };
  if (options.folds < 2 || options.folds > 20) return refuse("2 to 20 folds");
  if (options.penalties.empty()) return refuse("no penalty to try");
  for (const double penalty : options.penalties)
    if (!(penalty > 0 && std::isfinite(penalty))) return refuse("a penalty must be above 0");
  if (n < 2 * static_cast<std::size_t>(options.folds))
    return refuse(fmt::format("{} examples are too few for {} folds", n, options.folds));
  if (!data.folds.empty()) CONSORT_CHECK_OK(check_folds(data, options.folds));
  for (const float v : data.embeddings)
    if (!std::isfinite(v)) return refuse("an embedding that is not finite");
  if (options.kind == ProbeKind::kRidge) {
    if (data.numbers.size() != n) return refuse("a number for each example");
    for (const double v : data.numbers)
      if (!std::isfinite(v)) return refuse("a target that is not finite");
    if (std::all_of(data.numbers.begin(), data.numbers.end(), [&](double v) { return v == data.numbers[0]; }))
      return refuse("all targets are the same");
    return {};
  }
  if (data.classes.size() != n || data.labels.size() < 2)
    return refuse("a class of two or more for each example");
  std::vector<int> count(data.labels.size(), 0);
  for (const std::int32_t c : data.classes) {
    if (c < 0 || static_cast<std::size_t>(c) >= count.size()) return refuse("a class without label");
    ++count[static_cast<std::size_t>(c)];
  }
  for (std::size_t c = 0; c < count.size(); ++c)
    if (count[c] < options.folds)
      return refuse(fmt::format("class '{}' has {} examples, fewer than {} folds", data.labels[c], count[c],
                                options.folds));
  return {};
}

// The targets of one row of the probe: the numbers, or 1 for its class and 0 for the others.
std::vector<double> row_targets(const ProbeData& data, ProbeKind kind, std::size_t row) {
  if (kind == ProbeKind::kRidge) return {data.numbers.begin(), data.numbers.end()};
  const std::size_t positive = data.labels.size() == 2 ? 1 : row;
  std::vector<double> targets;
  for (const std::int32_t c : data.classes)
    targets.push_back(static_cast<std::size_t>(c) == positive ? 1.0 : 0.0);
  return targets;
}

double loss(ProbeKind kind, double score, double target) {
  if (kind == ProbeKind::kRidge) return (score - target) * (score - target);
  // ln(1 + e^-|s|) + max(s, 0) - t s: the logistic loss without overflow
  return std::log1p(std::exp(-std::abs(score))) + std::max(score, 0.0) - target * score;
}

struct Search {
  std::vector<double> penalties;  // of each row of the probe
  std::vector<double> scores;     // held out, [examples, rows]
};

// Every row's penalty by the mean loss on held-out folds, and the scores at that penalty.
Result<Search> search(const ProbeData& data, const ProbeOptions& options, const std::vector<int>& folds,
                      std::size_t rows) {
  const std::size_t n = data.examples();
  Search found{std::vector<double>(rows), std::vector<double>(n * rows)};
  // All scores of all penalties: [penalty][example * rows + row].
  std::vector<std::vector<double>> scores(options.penalties.size(), std::vector<double>(n * rows));
  for (int fold = 0; fold < options.folds; ++fold) {
    std::vector<std::size_t> train;
    for (std::size_t i = 0; i < n; ++i)
      if (folds[i] != fold) train.push_back(i);
    const TrainingSet set(data, train);
    for (std::size_t row = 0; row < rows; ++row) {
      if (options.stop && options.stop()) return fail(ErrorKind::kCancelled, "interrupted", "probe");
      const auto models = fit_row(set, row_targets(data, options.kind, row), options.kind, options.penalties);
      for (std::size_t p = 0; p < models.size(); ++p)
        for (std::size_t i = 0; i < n; ++i)
          if (folds[i] == fold) scores[p][i * rows + row] = models[p].score(data, i);
    }
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const std::vector<double> targets = row_targets(data, options.kind, row);
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t p = 0; p < scores.size(); ++p) {
      double total = 0;
      for (std::size_t i = 0; i < n; ++i) total += loss(options.kind, scores[p][i * rows + row], targets[i]);
      if (!(total < best)) continue;
      best = total;
      found.penalties[row] = options.penalties[p];
      for (std::size_t i = 0; i < n; ++i) found.scores[i * rows + row] = scores[p][i * rows + row];
    }
  }
  return found;
}

ProbeScores ridge_scores(const ProbeData& data, const std::vector<double>& scores) {
  ProbeScores s;
  const double n = static_cast<double>(scores.size());
  const double mean = std::accumulate(data.numbers.begin(), data.numbers.end(), 0.0) / n;
  double squares = 0, variance = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double error = scores[i] - data.numbers[i];
    squares += error * error;
    s.mae += std::abs(error) / n;
    variance += (data.numbers[i] - mean) * (data.numbers[i] - mean);
  }
  s.rmse = std::sqrt(squares / n);
  s.r2 = variance > 0 ? 1 - squares / variance : 0;
  s.predictions = scores;
  return s;
}

// `p`: a probability for each class, summing to 1, row by row; `order`: what ranks the second of two classes.
ProbeScores class_scores(const ProbeData& data, std::vector<double> p, std::span<const double> order) {
  ProbeScores s;
  const std::size_t n = data.examples(), classes = data.labels.size();
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = std::span<const double>(p).subspan(i * classes, classes);
    const auto truth = static_cast<std::size_t>(data.classes[i]);
    const auto best = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    if (best == truth) s.accuracy += 1.0 / static_cast<double>(n);
    s.log_loss -= std::log(std::max(row[truth], 1e-300)) / static_cast<double>(n);
  }
  if (classes == 2) s.auc = roc_auc(order, data.classes);
  s.predictions = std::move(p);
  return s;
}

std::vector<double> probabilities(const std::vector<double>& scores, std::size_t rows) {
  const auto sigmoid = [](double x) { return std::max(1.0 / (1.0 + std::exp(-x)), 1e-300); };
  std::vector<double> p;
  for (std::size_t i = 0; i < scores.size(); i += rows) {
    double total = 0;
    if (rows == 1) p.push_back(sigmoid(-scores[i]));
    for (std::size_t r = 0; r < rows; ++r) p.push_back(sigmoid(scores[i + r]));
    const std::size_t classes = rows == 1 ? 2 : rows;
    for (std::size_t c = 0; c < classes; ++c) total += p[p.size() - classes + c];
    for (std::size_t c = 0; c < classes; ++c) p[p.size() - classes + c] /= total;
  }
  return p;
}

}  // namespace

double roc_auc(std::span<const double> scores, std::span<const std::int32_t> positive) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0, positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);  // ties share the mean of their ranks
    for (std::size_t i = begin; i < end; ++i)
      if (positive[order[i]] != 0) {
        rank_sum += rank;
        positives += 1;
      }
    begin = end;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return 0.5;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

Result<ProbeScores> score_probe(const Probe& probe, const ProbeData& data) {
  std::vector<double> answers, order;
  for (std::size_t i = 0; i < data.examples(); ++i) {
    CONSORT_TRY(answer, probe.apply(data.embeddings.subspan(i * data.dimension, data.dimension)));
    answers.insert(answers.end(), answer.begin(), answer.end());
    if (answer.size() == 2) order.push_back(answer[1]);
  }
  if (answers.empty()) return fail(ErrorKind::kInvalid, "no example to judge by", probe.target);
  return probe.kind == ProbeKind::kRidge ? ridge_scores(data, answers)
                                         : class_scores(data, std::move(answers), order);
}

Result<ProbeFit> fit_probe(const ProbeData& data, const ProbeOptions& options) {
  CONSORT_CHECK_OK(check(data, options));
  const bool ridge = options.kind == ProbeKind::kRidge;
  const std::size_t rows = ridge || data.labels.size() == 2 ? 1 : data.labels.size();
  std::vector<int> folds(data.folds.begin(), data.folds.end());
  if (folds.empty()) folds = assign_folds(data.examples(), data.classes, options.folds, options.seed);
  CONSORT_TRY(found, search(data, options, folds, rows));
  std::vector<std::size_t> all(data.examples());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const TrainingSet set(data, all);
  ProbeFit fit;
  fit.probe.kind = options.kind;
  fit.probe.labels = ridge ? std::vector<std::string>{} : data.labels;
  fit.probe.dimension = data.dimension;
  fit.probe.penalty = found.penalties[0];
  for (std::size_t row = 0; row < rows; ++row) {
    const double penalty[] = {found.penalties[row]};
    const LinearRow line = fit_row(set, row_targets(data, options.kind, row), options.kind, penalty).front();
    fit.probe.weights.insert(fit.probe.weights.end(), line.weights.begin(), line.weights.end());
    fit.probe.bias.push_back(static_cast<float>(line.bias));
  }
  fit.held_out = ridge ? ridge_scores(data, found.scores)
                       : class_scores(data, probabilities(found.scores, rows), found.scores);
  return fit;
}

}  // namespace consort
