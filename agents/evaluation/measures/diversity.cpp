#include "agents/evaluation/measures/diversity.h"

#include "agents/ensemble/fitting/checks.h"
#include "agents/ensemble/fitting/signals.h"

namespace consort::measures {

Result<PairCounts> pair_counts(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second) {
  CONSORT_CHECK_OK(fitting::check_marks(first, "marks of the first"));
  CONSORT_CHECK_OK(fitting::check_same_size(first.size(), second.size(), "marks of both"));
  CONSORT_CHECK_OK(fitting::check_marks(second, "marks of the second"));
  PairCounts counts;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] != 0) ++(second[i] != 0 ? counts.n11 : counts.n10);
    if (first[i] == 0) ++(second[i] != 0 ? counts.n01 : counts.n00);
  }
  return counts;
}

Result<PairDiversity> pair_diversity(const PairCounts& counts) {
  if (counts.items() == 0) return fail(ErrorKind::kInvalid, "the diversity of a pair needs items");
  const auto n = static_cast<double>(counts.items());
  const auto n11 = static_cast<double>(counts.n11), n10 = static_cast<double>(counts.n10);
  const auto n01 = static_cast<double>(counts.n01), n00 = static_cast<double>(counts.n00);
  PairDiversity made;
  made.disagreement = (n10 + n01) / n;
  made.double_fault = n00 / n;
  made.oracle = 1 - made.double_fault;
  const double same = n11 * n00, crossed = n01 * n10;
  if (same + crossed > 0) made.q = (same - crossed) / (same + crossed);
  const double agreed = (n11 + n00) / n;
  const double chance = ((n11 + n10) * (n11 + n01) + (n00 + n01) * (n00 + n10)) / (n * n);
  if (chance < 1) made.kappa = (agreed - chance) / (1 - chance);
  return made;
}

Result<double> oracle_accuracy(std::span<const std::vector<std::uint8_t>> marks) {
  if (marks.empty()) return fail(ErrorKind::kInvalid, "an oracle needs members");
  for (const auto& member : marks) {
    CONSORT_CHECK_OK(fitting::check_marks(member, "marks of a member"));
    CONSORT_CHECK_OK(fitting::check_same_size(member.size(), marks[0].size(), "marks of members"));
  }
  std::size_t right = 0;
  for (std::size_t i = 0; i < marks[0].size(); ++i) {
    bool any = false;
    for (const auto& member : marks) any = any || member[i] != 0;
    right += any ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(marks[0].size());
}

Result<double> mean_vote_entropy(std::span<const std::vector<std::int32_t>> votes) {
  double sum = 0, items = 0;
  for (const auto& item : votes) {
    bool any = false;
    for (const std::int32_t v : item) any = any || v != -1;
    if (!any) continue;
    CONSORT_TRY(signals, fitting::vote_signals(item));
    sum += signals.entropy;
    items += 1;
  }
  if (items == 0) return fail(ErrorKind::kInvalid, "nobody voted on any item");
  return sum / items;
}

}  // namespace consort::measures
