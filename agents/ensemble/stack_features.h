// What the strategy `stack` weighs, as numbers to fit on: agents/ensemble/fitting's choice stacker takes the
// rows of many items, and its weights become the strategy's options. Pure functions; any thread.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "agents/ensemble/fitting/matrix.h"
#include "agents/ensemble/prediction.h"

namespace consort {

inline constexpr std::array kStackFeatures = {"logProb", "logProbPerByte", "rank", "margin"};

struct StackFeatures {
  std::vector<std::string> members;  // sorted by name; those with an error are left out
  // [candidates, members * 4]: of each candidate of the table, in its order, member by member in the order
  // above: ln p among the candidates; log-probability per byte; how many candidates the member likes better;
  // ln p less that of the best other candidate (0 when there is none). A text that stands twice among the
  // candidates counts once.
  fitting::Matrix values;
};

// Errors: kInvalid for no candidates, malformed scores, two members of one name; kRuntime when nobody is
// left.
Result<StackFeatures> stack_features(const PredictionTable& table);

// {weights: {member: {feature: weight}}} for combine_predictions("stack", ...). weights: as many as the
// columns of the features of these members. Errors: kInvalid for another number, or weights that are not
// finite.
Result<Value> stack_options(std::span<const std::string> members, std::span<const double> weights);

}  // namespace consort
