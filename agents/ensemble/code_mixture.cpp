#include "agents/ensemble/code_mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace consort {
namespace {

constexpr double kNatsPerPlainByte = 8 * 0.693147180559945309417;  // a byte under the uniform distribution

double known(double logprob, std::int64_t bytes) {
  return std::isnan(logprob) ? -kNatsPerPlainByte * static_cast<double>(bytes) : logprob;
}

Status check(const TextCode& m, std::size_t bytes, CodePieces pieces) {
  if (pieces == CodePieces::kBytes && m.byte_logprobs.size() != bytes)
    return fail(ErrorKind::kInvalid, "a member did not score every byte of the text", m.name);
  if (m.token_ends.size() != m.token_logprobs.size())
    return fail(ErrorKind::kInvalid, "a member's tokens and their scores differ in number", m.name);
  const bool grows = std::is_sorted(m.token_ends.begin(), m.token_ends.end());
  const std::int64_t last = m.token_ends.empty() ? 0 : m.token_ends.back();
  if (!grows || last != static_cast<std::int64_t>(bytes) || (bytes > 0 && m.token_ends.front() < 0))
    return fail(ErrorKind::kInvalid, "a member's tokens do not end where the text does", m.name);
  return {};
}

// Places where a token of every member ends, ascending, without 0.
std::vector<std::int64_t> shared_ends(const std::vector<TextCode>& members) {
  std::vector<std::int64_t> shared = members.front().token_ends;
  for (const TextCode& m : members) {
    std::vector<std::int64_t> both;
    std::set_intersection(shared.begin(), shared.end(), m.token_ends.begin(), m.token_ends.end(),
                          std::back_inserter(both));
    shared = std::move(both);
  }
  shared.erase(std::unique(shared.begin(), shared.end()), shared.end());
  if (!shared.empty() && shared.front() == 0) shared.erase(shared.begin());
  return shared;
}

std::vector<double> chunk_sums(const TextCode& m, const std::vector<std::int64_t>& ends,
                               std::vector<std::size_t>& first_tokens) {
  std::vector<double> sums;
  std::size_t token = 0;
  std::int64_t at = 0;
  for (const std::int64_t end : ends) {
    double sum = 0;
    first_tokens.push_back(token);
    for (; token < m.token_ends.size() && m.token_ends[token] <= end; ++token) {
      sum += known(m.token_logprobs[token], m.token_ends[token] - at);
      at = m.token_ends[token];
    }
    sums.push_back(sum);
  }
  return sums;
}

}  // namespace

Result<CodeTable> code_table(const std::vector<TextCode>& members, std::size_t bytes, CodePieces pieces) {
  if (members.empty()) return fail(ErrorKind::kInvalid, "a mixture needs a member");
  for (const TextCode& m : members) CONSORT_CHECK_OK(check(m, bytes, pieces));
  CodeTable table;
  if (pieces == CodePieces::kChunks) {
    table.ends = shared_ends(members);
    for (const TextCode& m : members) {
      table.lp.push_back(chunk_sums(m, table.ends, table.first_tokens.emplace_back()));
      table.tokens.push_back(m.token_ends.size());
    }
    return table;
  }
  table.ends.resize(bytes);
  std::iota(table.ends.begin(), table.ends.end(), 1);
  for (const TextCode& m : members) {
    table.lp.emplace_back();
    for (const double lp : m.byte_logprobs) table.lp.back().push_back(known(lp, 1));
  }
  return table;
}

Result<CodeMixture> mix_codes(const CodeTable& table, const CombinerOptions& options) {
  CONSORT_TRY(code, mix_code(table.lp, options));
  CodeMixture out;
  out.nats = code.nats;
  out.step_nats = std::move(code.step_nats);
  out.weights = std::move(code.weights);
  out.bound_nats = std::numeric_limits<double>::infinity();
  CONSORT_TRY(prior, ByteCombiner::create(options, table.lp.size()));
  const std::vector<double> first = prior.weights();
  const auto members = static_cast<double>(table.lp.size());
  const double steps = std::max<double>(0, static_cast<double>(table.ends.size()) - 1);
  const double stay = steps > 0 ? steps * std::log(1 - options.alpha + options.alpha / members) : 0;
  for (std::size_t m = 0; m < table.lp.size(); ++m) {
    out.member_nats.push_back(-std::accumulate(table.lp[m].begin(), table.lp[m].end(), 0.0));
    if (options.rule == CombineRule::kBayes)
      out.bound_nats = std::min(out.bound_nats, out.member_nats[m] - std::log(first[m]) - stay);
  }
  return out;
}

}  // namespace consort
