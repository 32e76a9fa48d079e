#include "agents/evaluation/measures/retrieval.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string_view>
#include <vector>

namespace consort::measures {

Result<RetrievalScores> retrieval_scores(std::span<const std::string> ranked, const Relevance& marks,
                                         std::size_t k) {
  if (k == 0) return fail(ErrorKind::kInvalid, "retrieval is measured at a k of 1 or more");
  std::vector<double> best;  // grades of the relevant documents, best first
  for (const auto& [document, grade] : marks) {
    if (!(grade >= 0) || !std::isfinite(grade)) {
      return fail(ErrorKind::kInvalid,
                  "the grade of document '" + document + "' must be finite and at least 0");
    }
    if (grade > 0) best.push_back(grade);
  }
  if (best.empty()) {
    return fail(ErrorKind::kInvalid, "no document is relevant to the query", "", "leave such queries out");
  }
  std::sort(best.begin(), best.end(), std::greater<>());
  const auto discount = [](std::size_t place) {
    return std::log2(static_cast<double>(place) + 2);
  };  // from 0
  double ideal = 0;
  for (std::size_t i = 0; i < std::min(k, best.size()); ++i) ideal += best[i] / discount(i);
  const auto relevant = static_cast<double>(best.size());
  std::set<std::string_view> seen;
  RetrievalScores made;
  double found = 0;
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    if (!seen.insert(ranked[i]).second) {
      return fail(ErrorKind::kInvalid, "document '" + ranked[i] + "' stands twice in the ranking");
    }
    const auto mark = marks.find(ranked[i]);
    if (mark == marks.end() || mark->second <= 0) continue;
    found += 1;
    if (found == 1) made.reciprocal_rank = 1 / static_cast<double>(i + 1);
    made.average_precision += found / static_cast<double>(i + 1) / relevant;
    if (i >= k) continue;
    made.recall = found / relevant;
    made.precision = found / static_cast<double>(k);
    made.ndcg += mark->second / discount(i) / ideal;
  }
  return made;
}

}  // namespace consort::measures
