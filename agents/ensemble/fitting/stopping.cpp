#include "agents/ensemble/fitting/stopping.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "agents/ensemble/fitting/special.h"

namespace consort::fitting {
namespace {

// The two largest counts.
Result<std::pair<std::size_t, std::size_t>> leaders(std::span<const std::size_t> counts) {
  std::size_t first = 0, second = 0;
  for (const std::size_t c : counts) {
    if (c > first) {
      second = first;
      first = c;
    } else {
      second = std::max(second, c);
    }
  }
  if (first == 0) return fail(ErrorKind::kInvalid, "nobody has voted yet");
  return std::pair{first, second};
}

}  // namespace

double leader_probability(std::size_t first, std::size_t second) {
  // I_{1/2}(first + 1, second + 1) is P(Bin(n, 1/2) > first), n = first + second + 1; terms from small to
  // large.
  const auto n = static_cast<std::int64_t>(first + second + 1);
  double sum = 0;
  for (std::int64_t k = 0; k <= static_cast<std::int64_t>(first); ++k)
    sum += std::exp(log_fair_binomial(n, k));
  return std::min(1.0, sum);
}

Result<StopAdvice> adaptive_stop(std::span<const std::size_t> counts, double threshold) {
  if (!(threshold > 0.5 && threshold < 1)) {
    return fail(ErrorKind::kInvalid, "the threshold of an adaptive stop must lie between 0.5 and 1");
  }
  CONSORT_TRY(top, leaders(counts));
  const double probability = leader_probability(top.first, top.second);
  return StopAdvice{probability > threshold, probability};
}

Result<StopAdvice> majority_stop(std::span<const std::size_t> counts, std::size_t remaining) {
  CONSORT_TRY(top, leaders(counts));
  const bool stop = top.first - top.second > remaining;
  return StopAdvice{stop, stop ? 1.0 : 0.0};
}

}  // namespace consort::fitting
