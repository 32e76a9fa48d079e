// Doubt of one item as numbers, for switches of workflows, routers and reports.
#pragma once

#include <cstdint>
#include <span>

#include "agents/ensemble/fitting/matrix.h"

namespace consort::fitting {

struct DistributionSignals {
  double entropy = 0;     // nats
  double margin = 0;      // p of the first less p of the second; 1 for one class
  double confidence = 0;  // largest p
};
// log_p: ln p over classes. Errors: kInvalid when it is no distribution.
Result<DistributionSignals> distribution_signals(std::span<const double> log_p);

// Total entropy of the linear pool = mean entropy of the members (noise in the data) + Jensen-Shannon
// divergence (what members disagree about). Nats; Depeweg et al. 2018.
struct UncertaintySplit {
  double total = 0, aleatoric = 0, epistemic = 0;  // total = aleatoric + epistemic
};
// members: [members, classes] ln p of one item; weights: empty for equal ones. Errors: kInvalid for no
// members, rows that are no distributions, wrong weights.
Result<UncertaintySplit> uncertainty_split(MatrixView members, std::span<const double> weights = {});

// Votes of members: numbers of distinct answers, -1 for an abstention.
struct VoteSignals {
  double entropy = 0;       // nats, of the shares of the answers
  double agreement = 0;     // share of the votes that the leader has
  double disagreement = 0;  // 1 - agreement
  double margin = 0;        // share of the first less share of the second
  std::size_t votes = 0;    // cast
};
// Errors: kInvalid when nobody voted, for numbers below -1.
Result<VoteSignals> vote_signals(std::span<const std::int32_t> votes);

}  // namespace consort::fitting
