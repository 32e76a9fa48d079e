#include "kernels/softmax/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/softmax/kernel.h"

namespace consort {
namespace {

constexpr std::size_t kChunk = 16384;  // elements a task; fixed, so that sums have one order
constexpr float kLowest = -std::numeric_limits<float>::infinity();

std::size_t chunks_of(std::size_t n) {
  return (n + kChunk - 1) / kChunk;
}

template <typename Body>
void for_chunks(Exec& exec, std::size_t n, Body&& body) {
  const std::size_t chunks = chunks_of(n);
  const auto run = [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t c = begin; c < end; ++c) body(c, c * kChunk, std::min(n, (c + 1) * kChunk));
  };
  if (chunks == 1 || exec.threads.size() == 1)
    run(0, chunks, 0);
  else
    exec.threads.parallel_for(chunks, 1, run);
}

std::vector<float> chunk_maxima(Exec& exec, std::span<const float> x) {
  std::vector<float> maxima(chunks_of(x.size()), kLowest);
  for_chunks(exec, x.size(), [&](std::size_t c, std::size_t begin, std::size_t end) {
    maxima[c] = CONSORT_ISA_CALL(exec.isa, largest, x.data() + begin, end - begin);
  });
  return maxima;
}

bool ranks_before(const ScoredId& a, const ScoredId& b) {
  return a.score != b.score ? a.score > b.score : a.id < b.id;
}

}  // namespace

double log_sum_exp(Exec& exec, std::span<const float> x) {
  const std::vector<float> maxima = chunk_maxima(exec, x);
  const float top = *std::max_element(maxima.begin(), maxima.end());
  if (top == kLowest) {
    const bool broken = std::any_of(x.begin(), x.end(), [](float v) { return std::isnan(v); });
    return broken ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(kLowest);
  }
  std::vector<double> sums(maxima.size());
  for_chunks(exec, x.size(), [&](std::size_t c, std::size_t begin, std::size_t end) {
    sums[c] = CONSORT_ISA_CALL(exec.isa, sum_of_exp, x.data() + begin, end - begin, top);
  });
  double total = 0;
  for (double s : sums) total += s;
  return static_cast<double>(top) + std::log(total);
}

void log_softmax(Exec& exec, std::span<const float> x, std::span<float> out) {
  const double shift = log_sum_exp(exec, x);
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = static_cast<float>(x[i] - shift);
}

// Keeps the k best so far in a heap whose top is the worst of them; most entries fail one comparison.
std::vector<ScoredId> top_k(Exec&, std::span<const float> x, int k) {
  const std::size_t want = std::min(x.size(), static_cast<std::size_t>(std::max(k, 0)));
  std::vector<ScoredId> best;
  if (want == 0) return best;
  best.reserve(want);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) continue;
    if (best.size() < want) {
      best.push_back({static_cast<std::int32_t>(i), x[i]});
      std::push_heap(best.begin(), best.end(), ranks_before);
    } else if (x[i] > best.front().score) {
      std::pop_heap(best.begin(), best.end(), ranks_before);
      best.back() = {static_cast<std::int32_t>(i), x[i]};
      std::push_heap(best.begin(), best.end(), ranks_before);
    }
  }
  std::sort(best.begin(), best.end(), ranks_before);
  return best;
}

std::int32_t argmax(Exec& exec, std::span<const float> x) {
  const std::vector<float> maxima = chunk_maxima(exec, x);
  const std::size_t chunk =
      static_cast<std::size_t>(std::max_element(maxima.begin(), maxima.end()) - maxima.begin());
  const std::size_t end = std::min(x.size(), (chunk + 1) * kChunk);
  for (std::size_t i = chunk * kChunk; i < end; ++i)
    if (x[i] == maxima[chunk]) return static_cast<std::int32_t>(i);
  return 0;  // every entry is NaN
}

}  // namespace consort
