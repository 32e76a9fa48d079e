#include "agents/ensemble/dealt_code.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "agents/ensemble/fitting/checks.h"

namespace consort {
namespace {

constexpr double kSumTolerance = 1e-9;
constexpr double kNothing = -std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kNothing ? a : a + std::log1p(std::exp(b - a));
}

// Ends of the member's tokens within piece t at which nobody else's token ends.
double lonely_ends(const CodeTable& table, std::size_t m, std::size_t t) {
  if (table.first_tokens.empty()) return 0;
  const std::vector<std::size_t>& first = table.first_tokens[m];
  const std::size_t end = t + 1 < first.size() ? first[t + 1] : table.tokens[m];
  return static_cast<double>(end - first[t]) - 1;
}

Status check(const CodeTable& table, double share, fitting::MatrixView log_weights) {
  const std::size_t members = table.lp.size();
  if (!(share >= 0 && share <= 1))
    return fail(ErrorKind::kInvalid, "a share is a number from 0 to 1", "share");
  if (members == 0 || log_weights.columns != members || log_weights.rows() != table.ends.size() ||
      log_weights.values.size() != members * table.ends.size())
    return fail(ErrorKind::kInvalid, "weights are needed for every piece and member", "weights");
  for (std::size_t t = 0; t < log_weights.rows(); ++t) {
    double sum = 0;
    for (const double lw : log_weights.row(t)) sum += std::exp(lw);
    if (!(std::abs(sum - 1) <= kSumTolerance))
      return fail(ErrorKind::kInvalid, "the weights before piece " + std::to_string(t) + " do not sum to 1",
                  "weights");
  }
  return {};
}

}  // namespace

Result<MixedCode> deal_code(const CodeTable& table, double share, fitting::MatrixView log_weights) {
  CONSORT_CHECK_OK(check(table, share, log_weights));
  const std::size_t members = table.lp.size();
  const double log_stay = std::log1p(-share), log_deal = std::log(share);  // -infinity at 1 and at 0
  MixedCode out;
  std::vector<double> log_now(members), joint(members);  // ln, so that a member can come back from far behind
  for (std::size_t t = 0; t < table.ends.size(); ++t) {
    const auto dealt = log_weights.row(t);
    out.weights.emplace_back();
    for (std::size_t m = 0; m < members; ++m) {
      log_now[m] = t == 0 ? dealt[m] : log_add(log_stay + log_now[m], log_deal + dealt[m]);
      out.weights.back().push_back(std::exp(log_now[m]));
      const double lonely = lonely_ends(table, m, t);
      joint[m] = log_now[m] + table.lp[m][t] + (lonely > 0 ? lonely * log_stay : 0);
    }
    const double total = std::accumulate(joint.begin(), joint.end(), kNothing, log_add);
    if (!std::isfinite(total))
      return fail(ErrorKind::kInvalid, "piece " + std::to_string(t) + " gets probability 0", "share",
                  "a share below 1 leaves a member in force");
    out.step_nats.push_back(-total);
    out.nats -= total;
    for (std::size_t m = 0; m < members; ++m) log_now[m] = joint[m] - total;
  }
  return out;
}

Result<fitting::Matrix> constant_weights(const CodeTable& table, const std::vector<double>& weights) {
  CONSORT_TRY(normal, fitting::normalised(weights, table.lp.size()));
  fitting::Matrix out(table.ends.size(), normal.size());
  for (std::size_t t = 0; t < out.rows(); ++t)
    for (std::size_t m = 0; m < normal.size(); ++m) out.at(t, m) = std::log(normal[m]);
  return out;
}

}  // namespace consort
