// Which items are for what, and what the kinds of contests share. Private to this room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"
#include "agents/evaluation/analysis/analysis.h"

namespace consort {

struct Splits {
  std::vector<std::size_t> fit, test;                 // places in task.items
  std::vector<std::int32_t> fit_groups, test_groups;  // dense numbers; items without a group stand alone
};
Splits splits_of(const Task& task);

inline constexpr int kFolds = 5;  // of cross-fitting within the fit split

// A contest with everything that does not depend on what was said: names, clusters.
Contest empty_contest(const Task& task, const Splits& splits);

// Whether a strategy was asked for.
bool wanted(const AnalysisRequest& request, const std::string& strategy);

// Mean FLOP and tokens an item of the test split, of several members together; retrieval's share of its
// documents included.
void add_cost(TableEntry& entry, const std::vector<const MemberTable*>& members, const Splits& splits);

// A contestant that asks these members (places in request.members), with its cost on the test split; what it
// says is added by the caller.
Contestant contestant_of(const AnalysisRequest& request, const Splits& splits, std::string name, Role role,
                         std::string how, const std::vector<std::size_t>& members, Value parameters);
// The oracle: it asks all members and knows the answers.
Contestant oracle_of(const AnalysisRequest& request, const Splits& splits, std::string how);

// The contestant at `place` is the best member by every tested measure.
void set_best_member(Contest& contest, std::size_t place);
// The last contestant, or the one at `place`, is the control of the same compute, by every tested measure.
void set_control(Contest& contest);
void set_control(Contest& contest, std::size_t place);
// That control where it is `member` in the wordings of request.control, with its cost; what it says is added
// by the caller.
Contestant wordings_of(const AnalysisRequest& request, const Splits& splits, const std::string& member,
                       std::string how);

inline constexpr std::size_t kMostSubsets = 64;  // of members, in the figure of their number
// Every non-empty subset of the members, in order of size, at most `most` of them (whole sizes first to
// last).
std::vector<std::vector<std::size_t>> subsets_of(std::size_t members, std::size_t most);

// The place of the largest value (ties: the first); values.size() when all are NaN.
std::size_t best_place(const std::vector<double>& values);

// {"gemma": 0.7, ...}
Value named_numbers(const std::vector<std::string>& names, const std::vector<double>& values);

// Names the contestant with the best value on the fit split (ties: the first). Without folds nothing is
// chosen: a strategy that was fitted on few items looks better on them than it is.
void choose(Contest& contest, const std::vector<double>& values, const std::string& measure,
            bool cross_fitted);

// Which items of the fit split are held out with which fold; empty when there are too few groups.
Result<std::vector<int>> folds_of(const Splits& splits, std::uint64_t seed);

}  // namespace consort
