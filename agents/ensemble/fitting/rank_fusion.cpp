#include "agents/ensemble/fitting/rank_fusion.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/numbers.h"

namespace consort::fitting {
namespace {

Result<std::vector<double>> checked_weights(std::span<const ScoredList> lists,
                                            std::span<const double> weights) {
  if (lists.empty()) return fail(ErrorKind::kInvalid, "there are no lists to fuse");
  for (std::size_t l = 0; l < lists.size(); ++l) {
    std::vector<std::string> names;
    for (const ScoredDocument& entry : lists[l]) {
      if (!std::isfinite(entry.score)) {
        return fail(ErrorKind::kInvalid, "the score of document '" + entry.document + "' is not finite");
      }
      names.push_back(entry.document);
    }
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) {
      return fail(ErrorKind::kInvalid, "document '" + *twice + "' stands twice in list " + std::to_string(l));
    }
  }
  if (weights.empty()) return std::vector<double>(lists.size(), 1.0);
  CONSORT_CHECK_OK(check_same_size(weights.size(), lists.size(), "weights and lists"));
  CONSORT_CHECK_OK(check_finite(weights, "weights"));
  if (*std::min_element(weights.begin(), weights.end()) < 0) {
    return fail(ErrorKind::kInvalid, "weights of lists must not be negative");
  }
  return std::vector<double>(weights.begin(), weights.end());
}

// The terms of each document, one a list that has one for it; a document of no term at all keeps its place.
using Terms = std::map<std::string, std::vector<double>>;

Terms no_terms(std::span<const ScoredList> lists) {
  Terms terms;
  for (const ScoredList& list : lists) {
    for (const ScoredDocument& entry : list) terms[entry.document];
  }
  return terms;
}

ScoredList fused(Terms terms) {
  ScoredList out;
  for (auto& [document, values] : terms) out.push_back({document, ensemble::ordered_sum(std::move(values))});
  std::stable_sort(out.begin(), out.end(),
                   [](const ScoredDocument& a, const ScoredDocument& b) { return a.score > b.score; });
  return out;
}

std::vector<double> sorted_scores(const ScoredList& list) {
  std::vector<double> scores;
  for (const ScoredDocument& entry : list) scores.push_back(entry.score);
  std::sort(scores.begin(), scores.end(), std::greater<>());
  return scores;
}

}  // namespace

Result<ScoredList> reciprocal_rank_fusion(std::span<const ScoredList> lists, std::span<const double> given,
                                          double k) {
  CONSORT_TRY(weights, checked_weights(lists, given));
  if (!(k >= 0) || !std::isfinite(k)) return fail(ErrorKind::kInvalid, "k of rank fusion must be at least 0");
  Terms terms = no_terms(lists);
  for (std::size_t l = 0; l < lists.size(); ++l) {
    const std::vector<double> scores = sorted_scores(lists[l]);
    for (const ScoredDocument& entry : lists[l]) {
      const auto first = std::lower_bound(scores.begin(), scores.end(), entry.score, std::greater<>());
      const double rank = static_cast<double>(first - scores.begin()) + 1;
      terms[entry.document].push_back(weights[l] / (k + rank));
    }
  }
  return fused(std::move(terms));
}

Result<ScoredList> comb_sum(std::span<const ScoredList> lists, std::span<const double> given) {
  CONSORT_TRY(weights, checked_weights(lists, given));
  Terms terms = no_terms(lists);
  for (std::size_t l = 0; l < lists.size(); ++l) {
    if (lists[l].empty()) continue;
    const std::vector<double> scores = sorted_scores(lists[l]);
    const double most = scores.front(), least = scores.back();
    for (const ScoredDocument& entry : lists[l]) {
      const double share = most > least ? (entry.score - least) / (most - least) : 1.0;
      terms[entry.document].push_back(weights[l] * share);
    }
  }
  return fused(std::move(terms));
}

Result<ScoredList> z_fusion(std::span<const ScoredList> lists, std::span<const double> given) {
  CONSORT_TRY(weights, checked_weights(lists, given));
  Terms terms = no_terms(lists);
  for (std::size_t l = 0; l < lists.size(); ++l) {
    if (lists[l].empty()) continue;
    const std::vector<double> scores = sorted_scores(lists[l]);
    const auto n = static_cast<double>(scores.size());
    double mean = 0, variance = 0;
    for (const double s : scores) mean += s / n;
    for (const double s : scores) variance += (s - mean) * (s - mean) / n;
    const double deviation = scores.front() > scores.back() ? std::sqrt(variance) : 0.0;
    const auto z = [&](double score) { return deviation > 0 ? (score - mean) / deviation : 0.0; };
    std::map<std::string, double> own;
    for (const ScoredDocument& entry : lists[l]) own[entry.document] = entry.score;
    for (auto& [document, values] : terms) {
      const auto found = own.find(document);
      values.push_back(weights[l] * z(found != own.end() ? found->second : scores.back()));
    }
  }
  return fused(std::move(terms));
}

}  // namespace consort::fitting
