// How differently members err (Kuncheva and Whitaker 2003).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "memory/base/status.h"

namespace consort::measures {

// Items of a pair by who is right: n11 both, n10 the first only, n01 the second only, n00 neither.
struct PairCounts {
  std::size_t n11 = 0, n10 = 0, n01 = 0, n00 = 0;
  std::size_t items() const { return n11 + n10 + n01 + n00; }
};
// Marks: 0 or 1. Errors: kInvalid for no items, unequal sizes, other marks.
Result<PairCounts> pair_counts(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second);

struct PairDiversity {
  double disagreement = 0;      // (n10 + n01) / n
  std::optional<double> q;      // (n11 n00 - n01 n10) / (n11 n00 + n01 n10); none when that is 0 / 0
  std::optional<double> kappa;  // agreement beyond chance of being right (Cohen 1960); none when chance is 1
  double double_fault = 0;      // n00 / n
  double oracle = 0;            // 1 - n00 / n: right when either is
};
// Errors: kInvalid for no items.
Result<PairDiversity> pair_diversity(const PairCounts& counts);

// Share of items that at least one member has right. marks: [member][item]. Errors: kInvalid for no members,
// no items, unequal sizes, other marks than 0 and 1.
Result<double> oracle_accuracy(std::span<const std::vector<std::uint8_t>> marks);

// Mean over items of the entropy (nats) of the members' votes. votes: [item][member], -1 an abstention; items
// where nobody voted are left out. Errors: kInvalid when nobody voted at all.
Result<double> mean_vote_entropy(std::span<const std::vector<std::int32_t>> votes);

}  // namespace consort::measures
