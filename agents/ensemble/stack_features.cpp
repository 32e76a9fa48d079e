#include "agents/ensemble/stack_features.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "agents/ensemble/numbers.h"
#include "agents/ensemble/ranking.h"

namespace consort {
namespace {

// The four features of one member over the distinct candidates: [candidate][feature].
std::vector<std::array<double, kStackFeatures.size()>> features_of(const std::vector<double>& total,
                                                                   const std::vector<double>& per_byte) {
  const std::vector<double> log_p = ensemble::log_softmax(total);
  std::vector<std::array<double, kStackFeatures.size()>> out(log_p.size());
  for (std::size_t c = 0; c < log_p.size(); ++c) {
    double better = 0, other = -INFINITY;
    for (std::size_t k = 0; k < log_p.size(); ++k) {
      if (k == c) continue;
      other = std::max(other, log_p[k]);
      better += ensemble::on_grid(log_p[k]) > ensemble::on_grid(log_p[c]) ? 1 : 0;
    }
    out[c] = {log_p[c], per_byte[c], better, std::isfinite(other) ? log_p[c] - other : 0.0};
  }
  return out;
}

}  // namespace

Result<StackFeatures> stack_features(const PredictionTable& table) {
  CONSORT_TRY(members, ensemble::taking_part(table, PredictionNeed::kScores));
  std::sort(members.begin(), members.end(),
            [&](std::size_t a, std::size_t b) { return table.members[a].name < table.members[b].name; });
  const ensemble::ScoreTable scores = ensemble::score_table(table, members);
  StackFeatures made;
  made.values = fitting::Matrix(table.candidates.size(), members.size() * kStackFeatures.size());
  for (std::size_t m = 0; m < members.size(); ++m) {
    const std::string& name = table.members[members[m]].name;
    if (!made.members.empty() && made.members.back() == name) {
      return fail(ErrorKind::kInvalid,
                  "two members are called '" + name + "': a stack knows members by name");
    }
    made.members.push_back(name);
    const auto features = features_of(scores.total[m], scores.per_byte[m]);
    for (std::size_t c = 0; c < table.candidates.size(); ++c) {
      const auto distinct =
          std::lower_bound(scores.candidates.begin(), scores.candidates.end(), table.candidates[c]);
      const auto& row = features[static_cast<std::size_t>(distinct - scores.candidates.begin())];
      std::copy(row.begin(), row.end(),
                made.values.row(c).begin() + static_cast<std::ptrdiff_t>(m * row.size()));
    }
  }
  return made;
}

Result<Value> stack_options(std::span<const std::string> members, std::span<const double> weights) {
  constexpr std::size_t kEach = kStackFeatures.size();
  if (weights.size() != members.size() * kEach) {
    return fail(ErrorKind::kInvalid, "a stack of " + std::to_string(members.size()) + " members has " +
                                         std::to_string(members.size() * kEach) + " weights, not " +
                                         std::to_string(weights.size()));
  }
  Value::Object by_member;
  for (std::size_t m = 0; m < members.size(); ++m) {
    Value::Object own;
    for (std::size_t f = 0; f < kEach; ++f) {
      const double weight = weights[m * kEach + f];
      if (!std::isfinite(weight)) return fail(ErrorKind::kInvalid, "the weights of a stack must be finite");
      own.emplace_back(kStackFeatures[f], weight);
    }
    by_member.emplace_back(members[m], Value::object(std::move(own)));
  }
  return Value::object({{"weights", Value::object(std::move(by_member))}});
}

}  // namespace consort
