#include <cmath>
#include <limits>

#include "kernels/exec/cases.h"
#include "kernels/softmax/softmax.h"

namespace consort {
namespace {

constexpr float kUnit = 0x1p-24f;   // unit roundoff of float32
constexpr float kExpError = 4e-7f;  // relative, of the vector exponential: so the logarithm of the sum is off

std::shared_ptr<std::vector<float>> logits(std::size_t n) {
  CaseRandom random(n);
  auto x = std::make_shared<std::vector<float>>(random.normals(n, 5.0f));
  for (std::size_t i = 3; i < n; i += 101) (*x)[i] = (*x)[i - 1];  // ties
  for (std::size_t i = 5; i < n; i += 211) (*x)[i] = -std::numeric_limits<float>::infinity();
  if (n > 40) (*x)[40] = 70.0f;
  return x;
}

// out = log_softmax, and log_sum_exp as the last value.
PreparedCase prepare_log(std::size_t n) {
  auto x = logits(n);
  PreparedCase c;
  c.out = case_floats(n + 1);
  c.expected = case_floats(n + 1);
  c.bound = case_floats(n + 1);
  c.run = [x, n, out = c.out](Exec& exec) {
    log_softmax(exec, *x, std::span<float>(out->data(), n));
    out->back() = static_cast<float>(log_sum_exp(exec, *x));
  };
  c.reference = [x, n, expected = c.expected, bound = c.bound] {
    const double total = reference::log_sum_exp(*x);
    for (std::size_t i = 0; i < n; ++i) (*expected)[i] = static_cast<float>((*x)[i] - total);
    expected->back() = static_cast<float>(total);
    for (std::size_t i = 0; i <= n; ++i) {
      const float size = std::isinf((*expected)[i]) ? 0.0f : std::fabs((*expected)[i]);
      (*bound)[i] = kExpError + 2 * kUnit * (size + std::fabs(static_cast<float>(total)));
    }
  };
  c.bytes = 16.0 * static_cast<double>(n);  // three readings, one writing
  c.flops = 40.0 * static_cast<double>(n);
  return c;
}

// Ids and scores of the k largest, then argmax: exact.
PreparedCase prepare_top(std::size_t n, int k) {
  auto x = logits(n);
  const auto kept = std::min<std::size_t>(n, static_cast<std::size_t>(k));
  PreparedCase c;
  c.out = case_floats(2 * kept + 1);
  c.expected = case_floats(2 * kept + 1);
  c.bound = case_floats(1);
  const auto write = [kept](const std::vector<ScoredId>& top, std::int32_t best, std::vector<float>& to) {
    for (std::size_t i = 0; i < std::min(kept, top.size()); ++i) {
      to[2 * i] = static_cast<float>(top[i].id);  // exact below 2^24
      to[2 * i + 1] = top[i].score;
    }
    to.back() = static_cast<float>(best);
  };
  c.run = [=, out = c.out](Exec& exec) { write(top_k(exec, *x, k), argmax(exec, *x), *out); };
  c.reference = [=, expected = c.expected] {
    write(reference::top_k(*x, k), reference::top_k(*x, 1)[0].id, *expected);
  };
  c.bytes = 8.0 * static_cast<double>(n);
  c.flops = 2.0 * static_cast<double>(n);
  return c;
}

}  // namespace

std::vector<OpCase> cases_softmax() {
  std::vector<OpCase> cases;
  for (std::size_t n : {1, 2, 17, 255, 4097, 49152}) {
    const bool perf = n == 49152;
    const std::string size = " n=" + std::to_string(n);
    cases.push_back({"log softmax" + size, [n](Exec&) { return prepare_log(n); }, perf, true, true});
    for (int k : {1, 5, 40, 600})
      cases.push_back({"top " + std::to_string(k) + size, [n, k](Exec&) { return prepare_top(n, k); },
                       perf && k == 40, true, true});
  }
  return cases;
}

}  // namespace consort
