#include "agents/evaluation/analysis/head.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/probe/fit.h"

namespace consort {
namespace {

constexpr double kSharpness = 0.05;   // of cosines, as contrastive encoders are trained with
constexpr double kSpreadMass = 1e-3;  // no label is impossible because no neighbour has it
constexpr int kProbeFolds = 3;
constexpr double kPenalties[] = {1e-2, 1e-1, 1};
constexpr double kPlainPenalty = 1e-1;
constexpr double kMostTunedWork =
    2e9;  // multiplications of one Newton step over all labels; above: no choice

float dot(const std::vector<float>& a, const std::vector<float>& b) {
  float lanes[16] = {};  // a fixed order of sums that the compiler can vectorise
  std::size_t i = 0;
  for (; i + 16 <= a.size(); i += 16)
    for (std::size_t k = 0; k < 16; ++k) lanes[k] += a[i + k] * b[i + k];
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::vector<double> normalised_logs(std::vector<double> mass) {
  const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
  const double even = kSpreadMass / static_cast<double>(mass.size());
  for (double& m : mass) m = std::log((1 - kSpreadMass) * m / total + even);
  return mass;
}

std::vector<double> log_softmax(std::vector<double> scores) {
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double s : scores) sum += std::exp(s - top);
  for (double& s : scores) s -= top + std::log(sum);
  return scores;
}

class Head {
 public:
  Head(const Task& task, const Vectors& vectors) : task_(task), vectors_(vectors) {}

  Status check() {
    for (std::size_t i = 0; i < task_.items.size(); ++i)
      if (task_.items[i].split == kTrainSplit) training_.push_back(i);
    if (training_.empty())
      return fail(ErrorKind::kInvalid, "embeddings need items of the split 'train' to learn the labels from",
                  task_.name);
    for (const auto& vector : vectors_)
      if (vector.size() != vectors_.front().size() || vector.empty())
        return fail(ErrorKind::kInvalid, "embeddings of different lengths", task_.name);
    return {};
  }

  Result<LogDistributions> distributions(std::uint64_t seed) {
    LogDistributions out(vectors_.size());
    if (task_.head == LabelHead::kProbe) return probe(seed);
    if (task_.head == LabelHead::kCentroid) CONSORT_CHECK_OK(make_centroids());
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (task_.items[i].split == kTrainSplit) continue;
      out[i] = task_.head == LabelHead::kCentroid ? by_centroids(vectors_[i]) : by_neighbours(vectors_[i]);
    }
    return out;
  }

 private:
  std::vector<double> by_neighbours(const std::vector<float>& x) const {
    std::vector<std::pair<float, std::size_t>> near;
    for (const std::size_t t : training_) near.emplace_back(-dot(x, vectors_[t]), t);
    const std::size_t k = std::min(near.size(), static_cast<std::size_t>(task_.neighbours));
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(k), near.end());
    std::vector<double> mass(task_.labels.size(), 0.0);
    for (std::size_t i = 0; i < k; ++i)  // relative to the nearest: no underflow
      mass[task_.items[near[i].second].gold] +=
          std::exp((static_cast<double>(near[0].first) - static_cast<double>(near[i].first)) / kSharpness);
    return normalised_logs(std::move(mass));
  }

  Status make_centroids() {
    const std::size_t d = vectors_.front().size();
    centroids_.assign(task_.labels.size(), std::vector<float>(d, 0.0f));
    for (const std::size_t t : training_)
      for (std::size_t j = 0; j < d; ++j) centroids_[task_.items[t].gold][j] += vectors_[t][j];
    for (std::size_t c = 0; c < centroids_.size(); ++c) {
      const float square = dot(centroids_[c], centroids_[c]);
      if (!(square > 0))
        return fail(ErrorKind::kInvalid, "no training item has the label '" + task_.labels[c] + "'",
                    task_.name);
      for (float& v : centroids_[c]) v /= std::sqrt(square);
    }
    return {};
  }

  std::vector<double> by_centroids(const std::vector<float>& x) const {
    std::vector<double> scores;
    for (const auto& centroid : centroids_) scores.push_back(dot(x, centroid) / kSharpness);
    return log_softmax(std::move(scores));
  }

  Result<LogDistributions> probe(std::uint64_t seed) const {
    ProbeData data;
    data.dimension = vectors_.front().size();
    std::vector<float> rows;
    std::vector<std::int32_t> classes;
    for (const std::size_t t : training_) {
      rows.insert(rows.end(), vectors_[t].begin(), vectors_[t].end());
      classes.push_back(static_cast<std::int32_t>(task_.items[t].gold));
    }
    data.embeddings = rows;
    data.classes = classes;
    data.labels = task_.labels;
    ProbeOptions options;
    options.kind = ProbeKind::kLogistic;
    const double width = static_cast<double>(data.dimension);
    const double fits = task_.labels.size() == 2 ? 1 : static_cast<double>(task_.labels.size());
    const bool tuned = static_cast<double>(training_.size()) * width * width * fits <= kMostTunedWork;
    options.folds = tuned ? kProbeFolds : 2;
    options.penalties = tuned ? std::vector<double>(std::begin(kPenalties), std::end(kPenalties))
                              : std::vector<double>{kPlainPenalty};
    options.seed = seed;
    CONSORT_TRY(fit, fit_probe(data, options));
    LogDistributions out(vectors_.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (task_.items[i].split == kTrainSplit) continue;
      CONSORT_TRY(p, fit.probe.apply(vectors_[i]));
      out[i] = normalised_logs(std::move(p));
    }
    return out;
  }

  const Task& task_;
  const Vectors& vectors_;
  std::vector<std::size_t> training_;
  Vectors centroids_;
};

}  // namespace

Result<LogDistributions> head_distributions(const Task& task, const Vectors& vectors, std::uint64_t seed) {
  Head head(task, vectors);
  if (vectors.size() != task.items.size())
    return fail(ErrorKind::kInvalid, "an embedding is missing for some items", task.name);
  CONSORT_CHECK_OK(head.check());
  return head.distributions(seed);
}

Vectors concatenated(const std::vector<Vectors>& members, const std::vector<double>& weights) {
  Vectors out(members.empty() ? 0 : members.front().size());
  for (std::size_t m = 0; m < members.size(); ++m) {
    const auto scale = static_cast<float>(std::sqrt(weights[m]));
    for (std::size_t i = 0; i < out.size(); ++i)
      for (const float v : members[m][i]) out[i].push_back(scale * v);
  }
  return out;
}

}  // namespace consort
