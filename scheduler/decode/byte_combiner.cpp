#include "scheduler/decode/byte_combiner.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

namespace consort {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

double log_sum(std::span<const double> values) {
  const double top = *std::max_element(values.begin(), values.end());
  if (!(top > kNothing)) return kNothing;
  double sum = 0;
  for (const double v : values) sum += std::exp(v - top);
  return top + std::log(sum);
}

void normalise(std::vector<double>& p) {
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  if (sum > 0)
    for (double& v : p) v /= sum;
}

struct RuleName {
  CombineRule rule;
  std::string_view name;
};
constexpr RuleName kRules[] = {{CombineRule::kLinear, "linear"},
                               {CombineRule::kLog, "log"},
                               {CombineRule::kBayes, "bayes"},
                               {CombineRule::kContrast, "contrast"},
                               {CombineRule::kProxy, "proxy"}};

}  // namespace

std::string_view combine_rule_name(CombineRule rule) {
  return kRules[static_cast<std::size_t>(rule)].name;
}

bool is_mean(CombineRule rule) {
  return rule == CombineRule::kLinear || rule == CombineRule::kBayes;
}

bool has_roles(CombineRule rule) {
  return rule == CombineRule::kContrast || rule == CombineRule::kProxy;
}

std::optional<CombineRule> combine_rule_of(std::string_view name) {
  for (const RuleName& known : kRules)
    if (known.name == name) return known.rule;
  return std::nullopt;
}

Result<ByteCombiner> ByteCombiner::create(CombinerOptions options, std::size_t members) {
  if (members == 0) return fail(ErrorKind::kInvalid, "a mixture needs a member");
  if (!(options.alpha >= 0 && options.alpha <= 1))
    return fail(ErrorKind::kInvalid, "a fixed share is a number from 0 to 1", "alpha");
  if (!(options.floor >= 0 && options.floor <= 0.001))
    return fail(ErrorKind::kInvalid, "a floor is a number from 0 to 0.001", "floor");
  if (!(options.beta >= 0 && options.beta <= 10 && options.cut >= 0 && options.cut <= 1))
    return fail(ErrorKind::kInvalid, "beta is a number from 0 to 10, cut one from 0 to 1", "beta");
  const std::size_t roles = options.rule == CombineRule::kContrast ? 2 : options.rule == CombineRule::kProxy ? 3 : members;
  if (members != roles)
    return fail(ErrorKind::kInvalid, "this way to combine has roles for another number of members", "pool",
                "contrast: expert, amateur; proxy: model, tuned, untuned");
  const bool equal = std::adjacent_find(options.weights.begin(), options.weights.end(),
                                        std::not_equal_to<>()) == options.weights.end();
  if (!equal && has_roles(options.rule))
    return fail(ErrorKind::kInvalid, "members with roles have no weights", "weights", "leave them out");
  std::vector<double> weights = options.weights;
  if (weights.empty()) weights.assign(members, 1.0);
  if (weights.size() != members) return fail(ErrorKind::kInvalid, "give one weight a member", "weights");
  double sum = 0;
  for (const double w : weights) {
    if (!(w >= 0) || !std::isfinite(w))
      return fail(ErrorKind::kInvalid, "a weight must be a number of at least 0", "weights");
    sum += w;
  }
  if (!(sum > 0) || !std::isfinite(sum))
    return fail(ErrorKind::kInvalid, "no member has a weight above 0", "weights");
  ByteCombiner made(std::move(options));
  for (const double w : weights) made.log_weights_.push_back(std::log(w / sum));
  made.dropped_.assign(members, false);
  return made;
}

void ByteCombiner::drop(std::size_t m) {
  dropped_[m] = true;
  log_weights_[m] = kNothing;
  const double rest = log_sum(log_weights_);
  const auto left = static_cast<double>(std::count(dropped_.begin(), dropped_.end(), false));
  for (std::size_t i = 0; i < log_weights_.size(); ++i)
    if (!dropped_[i]) log_weights_[i] = rest > kNothing ? log_weights_[i] - rest : -std::log(left);
}

std::vector<double> ByteCombiner::weights() const {
  std::vector<double> out;
  for (const double lw : log_weights_) out.push_back(std::exp(lw));
  normalise(out);
  return out;
}

std::vector<double> ByteCombiner::exponents() const {
  if (options_.rule == CombineRule::kContrast) return {1 + options_.beta, -options_.beta};
  if (options_.rule == CombineRule::kProxy) return {1, 1, -1};
  return weights();
}

std::vector<double> ByteCombiner::combine(std::span<const std::span<const double>> members) const {
  const std::vector<double> w = exponents();
  std::size_t size = 0;
  for (const auto& member : members) size = std::max(size, member.size());
  std::vector<double> p(size, 0.0);
  const bool product = !is_mean(options_.rule);
  for (std::size_t m = 0; m < w.size(); ++m) {
    if (w[m] == 0) continue;
    for (std::size_t i = 0; i < size; ++i)
      p[i] += w[m] * (product ? std::log(std::max(members[m][i], options_.floor)) : members[m][i]);
  }
  if (options_.rule == CombineRule::kContrast) {
    const double least = options_.cut * *std::max_element(members[0].begin(), members[0].end());
    for (std::size_t i = 0; i < size; ++i)
      if (members[0][i] < least) p[i] = kNothing;
  }
  if (product) {
    const double top = *std::max_element(p.begin(), p.end());
    for (double& v : p) v = top > kNothing ? std::exp(v - top) : 0;
  }
  normalise(p);
  return p;
}

double ByteCombiner::observe(std::span<const double> log_probabilities) {
  // Members that say nothing about this symbol stand aside: the others share it, and their sum of weights
  // stays.
  std::vector<double> joint, present;
  for (std::size_t m = 0; m < log_weights_.size(); ++m) {
    if (dropped_[m] || std::isnan(log_probabilities[m])) continue;
    joint.push_back(log_weights_[m] + log_probabilities[m]);
    present.push_back(log_weights_[m]);
  }
  if (joint.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double there = log_sum(present), total = log_sum(joint);
  if (options_.rule == CombineRule::kBayes) {
    const auto count = static_cast<double>(std::count(dropped_.begin(), dropped_.end(), false));
    std::size_t at = 0;
    for (std::size_t m = 0; m < log_weights_.size(); ++m) {
      if (dropped_[m]) continue;
      if (!std::isnan(log_probabilities[m]) && total > kNothing) log_weights_[m] = joint[at] - total + there;
      at += std::isnan(log_probabilities[m]) ? 0 : 1;
      if (options_.alpha > 0) {
        const double both[] = {std::log1p(-options_.alpha) + log_weights_[m],
                               std::log(options_.alpha / count)};
        log_weights_[m] = log_sum(both);
      }
    }
  }
  return total - there;
}

Result<MixedCode> mix_code(const std::vector<std::vector<double>>& log_probabilities,
                           const CombinerOptions& options) {
  CONSORT_TRY(combiner, ByteCombiner::create(options, log_probabilities.size()));
  if (!is_mean(options.rule))
    return fail(ErrorKind::kInvalid, "a product of members needs whole distributions, not only what came",
                "rule");
  MixedCode out;
  const std::size_t length = log_probabilities.front().size();
  for (const auto& member : log_probabilities)
    if (member.size() != length) return fail(ErrorKind::kInvalid, "members recorded different lengths");
  std::vector<double> now(log_probabilities.size());
  for (std::size_t t = 0; t < length; ++t) {
    for (std::size_t m = 0; m < now.size(); ++m) now[m] = log_probabilities[m][t];
    out.weights.push_back(combiner.weights());
    out.step_nats.push_back(-combiner.observe(now));
    if (!std::isnan(out.step_nats.back())) out.nats += out.step_nats.back();
  }
  return out;
}

std::vector<double> fit_linear_weights(const std::vector<std::vector<double>>& log_probabilities,
                                       double gap) {
  const std::size_t members = log_probabilities.size(), symbols = log_probabilities.front().size();
  // Of each symbol that anyone gives: probabilities as shares of the largest.
  std::vector<double> shares;
  shares.reserve(members * symbols);
  for (std::size_t t = 0; t < symbols; ++t) {
    double top = kNothing;
    for (const auto& lp : log_probabilities)
      if (!std::isnan(lp[t])) top = std::max(top, lp[t]);
    if (!(top > kNothing)) continue;
    for (const auto& lp : log_probabilities) shares.push_back(std::isnan(lp[t]) ? 0 : std::exp(lp[t] - top));
  }
  std::vector<double> w(members, 1.0 / static_cast<double>(members));
  const double counted = static_cast<double>(shares.size() / members);
  constexpr double kMostWork = 2e8;
  for (double work = 0; !shares.empty() && work < kMostWork; work += static_cast<double>(shares.size())) {
    std::vector<double> gradient(members, 0.0);
    for (std::size_t at = 0; at < shares.size(); at += members) {
      double mixed = 0;
      for (std::size_t m = 0; m < members; ++m) mixed += w[m] * shares[at + m];
      if (!(mixed > 0)) continue;
      for (std::size_t m = 0; m < members; ++m) gradient[m] += shares[at + m] / mixed;
    }
    if (*std::max_element(gradient.begin(), gradient.end()) - counted <= gap) break;
    for (std::size_t m = 0; m < members; ++m) w[m] *= gradient[m];
    normalise(w);
  }
  return w;
}

}  // namespace consort
