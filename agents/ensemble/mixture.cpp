#include "agents/ensemble/mixture.h"

#include <cmath>

#include "agents/ensemble/numbers.h"

namespace consort {
namespace {

constexpr double kNatsPerPlainByte = 8 * 0.693147180559945309417;  // a byte under the uniform distribution

Status check(const std::vector<TextLikelihood>& members, std::size_t text_bytes) {
  if (members.empty()) return fail(ErrorKind::kInvalid, "a mixture needs a member");
  double sum = 0;
  for (const auto& m : members) {
    if (!std::isfinite(m.weight) || m.weight < 0)
      return fail(ErrorKind::kInvalid, "a weight must be a number of at least 0", m.name);
    if (!std::isfinite(m.nll_nats) || m.nll_nats < 0)
      return fail(ErrorKind::kInvalid, "a negative log-likelihood must be a number of at least 0", m.name);
    if (m.bytes > text_bytes)
      return fail(ErrorKind::kInvalid, "a member scored more bytes than the text has", m.name);
    sum += m.weight;
  }
  if (!(sum > 0)) return fail(ErrorKind::kInvalid, "no member has a weight above 0");
  return {};
}

}  // namespace

Result<TextMixture> mix_texts(const std::vector<TextLikelihood>& members, std::size_t text_bytes) {
  CONSORT_CHECK_OK(check(members, text_bytes));
  std::vector<double> weights;
  for (const auto& m : members) weights.push_back(m.weight);
  const double total = ensemble::ordered_sum(weights);
  TextMixture mixture;
  std::vector<double> joint;  // ln(prior * likelihood)
  for (const auto& m : members) {
    mixture.priors.push_back(m.weight / total);
    mixture.member_nats.push_back(m.nll_nats + kNatsPerPlainByte * static_cast<double>(text_bytes - m.bytes));
    joint.push_back(std::log(mixture.priors.back()) - mixture.member_nats.back());
  }
  mixture.nll_nats = -ensemble::log_sum_exp(joint);
  if (text_bytes > 0)
    mixture.bits_per_byte = mixture.nll_nats / std::log(2.0) / static_cast<double>(text_bytes);
  const std::vector<double> logs = ensemble::log_softmax(joint);
  for (const double lp : logs) mixture.posteriors.push_back(std::exp(lp));
  mixture.entropy = ensemble::entropy_of_logs(logs);
  return mixture;
}

}  // namespace consort
