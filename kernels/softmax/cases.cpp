#include <fmt/format.h>

#include "kernels/lanes/cases.h"
#include "kernels/softmax/softmax.h"

namespace consort {
namespace {

// Outputs: log-sum-exp, then the k best as pairs (id, score), then the arg max.
PreparedCase logits_case(std::size_t n, int k, float scale) {
  CaseRandom random(1051 + n);
  const auto x = case_normals(random, n, scale);
  for (std::size_t i = 0; i + 5 < n; i += 11) (*x)[i + 5] = (*x)[i];  // ties
  const std::size_t kept = std::min(n, static_cast<std::size_t>(k));
  const auto write = [](std::vector<float>& out, double lse, const std::vector<ScoredId>& best,
                        std::int32_t top) {
    std::size_t at = 0;
    out[at++] = static_cast<float>(lse);
    for (const ScoredId& b : best) {
      out[at++] = static_cast<float>(b.id);
      out[at++] = b.score;
    }
    out[at] = static_cast<float>(top);
  };
  PreparedCase c = rows_case(
      2 + 2 * kept, 0.0f, 0.0f,
      [=](Exec& exec, const CaseFloats& out) {
        write(*out, log_sum_exp(exec, *x), top_k(exec, *x, k), argmax(exec, *x));
      },
      [=](const CaseFloats& out) {
        write(*out, reference::log_sum_exp(*x), reference::top_k(*x, k), reference::top_k(*x, 1)[0].id);
      });
  c.reference = [inner = c.reference, bound = c.bound, expected = c.expected] {
    inner();
    (*bound)[0] = 4e-6f + 1e-7f * std::abs((*expected)[0]);  // ids and scores are exact
  };
  c.bytes = static_cast<double>(n) * 12;
  return c;
}

}  // namespace

std::vector<OpCase> cases_softmax() {
  std::vector<OpCase> cases;
  for (const std::size_t n : {1u, 3u, 16u, 1000u, 49152u, 262144u})
    for (const float scale : {0.1f, 8.0f})
      cases.push_back(op_case(
          fmt::format("{} logits, scale {}", n, scale), [=](Exec&) { return logits_case(n, 32, scale); },
          n > 1000));
  return cases;
}

}  // namespace consort
