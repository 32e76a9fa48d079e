#include "scheduler/decode/token_fusion.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "scheduler/decode/logit_math.h"
#include "scheduler/decode/row_doubt.h"

namespace consort {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// sum over m of factors[m] * values(m)[i], into out.
template <typename Values>
void weighted_sum(std::size_t members, std::span<const double> factors, Values values, std::vector<float>& out) {
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t m = 0; m < members; ++m) {
    if (factors[m] == 0) continue;
    const auto factor = static_cast<float>(factors[m]);
    const std::span<const float> from = values(m);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += factor * from[i];
  }
}

// Of each member's weights, so that its probabilities are weighed by `w`.
std::vector<double> probability_factors(std::span<const FusedRow* const> rows, std::span<const double> w) {
  std::vector<double> out;
  for (std::size_t m = 0; m < rows.size(); ++m) out.push_back(w[m] / rows[m]->sum);
  return out;
}

}  // namespace

Status read_fused_row(std::span<const float> logits, double temperature, SamplerScratch& scratch,
                      FusedRow& out) {
  const auto scale = static_cast<float>(1 / std::max(temperature, 1e-30));
  out.scores.resize(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    out.scores[i] = std::isnan(logits[i]) ? kMinusInfinity : logits[i] * scale;
  const float top = largest(out.scores);
  if (!std::isfinite(top))
    return fail(ErrorKind::kRuntime, "the model gave no finite logit", "sampling",
                "the weights may be damaged");
  out.weights.resize(logits.size());
  out.sum = exponentials(out.scores, top, 1.0F, out.weights, scratch.blocks);
  out.log_sum = static_cast<double>(top) + std::log(out.sum);
  out.likeliest = argmax(out.scores);
  double moment = 0;
  for (std::size_t i = 0; i < out.weights.size(); ++i)
    if (out.weights[i] > 0)
      moment += static_cast<double>(out.weights[i]) * static_cast<double>(out.scores[i] - top);
  out.entropy = std::max(0.0, std::log(out.sum) - moment / out.sum);
  return {};
}

void fuse_rows(std::span<const FusedRow* const> rows, const ByteCombiner& combiner, std::vector<float>& out) {
  out.resize(rows.front()->scores.size());
  if (is_mean(combiner.rule())) {
    const auto factors = probability_factors(rows, combiner.weights());
    weighted_sum(
        rows.size(), factors, [&](std::size_t m) { return std::span<const float>(rows[m]->weights); }, out);
    for (float& p : out) p = p > 0 ? std::log(p) : kMinusInfinity;
    return;
  }
  // Scores are ln p but for a constant of the member, which is one of the combination too.
  const auto powers = combiner.exponents();
  weighted_sum(
      rows.size(), powers, [&](std::size_t m) { return std::span<const float>(rows[m]->scores); }, out);
  for (float& score : out)
    if (std::isnan(score)) score = kMinusInfinity;  // -infinity against -infinity
  if (combiner.rule() != CombineRule::kContrast) return;
  // `cut` of the expert's largest, whose weight is 1.
  const auto least = static_cast<float>(combiner.options().cut);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (rows.front()->weights[i] < least) out[i] = kMinusInfinity;
}

double fused_log_probability(const FusedRow& row, TokenId id) {
  return static_cast<double>(row.scores[static_cast<std::size_t>(id)]) - row.log_sum;
}

StepSignals measure_fusion(std::span<const FusedRow* const> rows, const ByteCombiner& combiner,
                           std::span<const float> fused, SamplerScratch& scratch) {
  const RowDoubt doubt = row_doubt(fused, scratch);
  StepSignals out;
  out.entropy = doubt.entropy;
  out.confidence = doubt.first;
  out.margin = doubt.first - doubt.second;
  if (rows.size() < 2) return out;
  const std::vector<double> w =
      has_roles(combiner.rule()) ? std::vector<double>(rows.size(), 1 / static_cast<double>(rows.size())) : combiner.weights();
  double of_mean = doubt.entropy, mean_of = 0;
  for (std::size_t m = 0; m < rows.size(); ++m) mean_of += w[m] * rows[m]->entropy;
  if (!is_mean(combiner.rule())) {
    scratch.adjusted.resize(fused.size());
    const auto factors = probability_factors(rows, w);
    weighted_sum(
        rows.size(), factors, [&](std::size_t m) { return std::span<const float>(rows[m]->weights); },
        scratch.adjusted);
    of_mean = 0;
    for (const float p : scratch.adjusted)
      if (p > 0) of_mean -= static_cast<double>(p) * static_cast<double>(std::log(p));
  }
  out.disagreement = std::max(0.0, of_mean - mean_of);
  return out;
}

}  // namespace consort
