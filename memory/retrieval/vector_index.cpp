#include "memory/retrieval/vector_index.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace consort {

float dot_portable(const float* a, const float* b, std::size_t n) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sum{};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum[lane] += a[i + lane] * b[i + lane];
  }
  for (std::size_t lane = 0; i < n; ++i, ++lane) sum[lane] += a[i] * b[i];
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) sum[lane] += sum[lane + half];
  }
  return sum[0];
}

bool comparable(std::span<const float> vector) {
  return std::all_of(vector.begin(), vector.end(), [](float x) { return std::abs(x) <= 1e15F; });
}

float inverse_norm(std::span<const float> v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * x;
  const double inverse = squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
  return inverse <= static_cast<double>(std::numeric_limits<float>::max()) ? static_cast<float>(inverse) : 0.0f;
}

std::span<const float> VectorIndex::row(std::uint32_t slot) const {
  return {values_.data() + rows_.at(slot) * space_.dimension, space_.dimension};
}

std::size_t VectorIndex::bytes() const {
  std::size_t tokens = 0;
  for (const auto& [slot, t] : tokens_)
    tokens += 64 + t.codes.capacity() + t.scales.capacity() * sizeof(float);
  return tokens + codes_.bytes() + values_.capacity() * sizeof(float) + inverse_norms_.capacity() * sizeof(float) +
         slots_.capacity() * sizeof(std::uint32_t) + rows_.size() * 32;
}

void VectorIndex::put(std::uint32_t slot, std::span<const float> vector) {
  const auto [it, added] = rows_.try_emplace(slot, static_cast<std::uint32_t>(slots_.size()));
  if (added) {
    slots_.push_back(slot);
    inverse_norms_.push_back(0);
    values_.resize(values_.size() + space_.dimension);
  }
  std::copy(vector.begin(), vector.end(),
            values_.begin() + static_cast<std::ptrdiff_t>(it->second * space_.dimension));
  inverse_norms_[it->second] = inverse_norm(vector);
  codes_.put(it->second, vector);
}

void VectorIndex::erase(std::uint32_t slot) {
  tokens_.erase(slot);
  const auto it = rows_.find(slot);
  if (it == rows_.end()) return;
  const std::size_t row = it->second, last = slots_.size() - 1, d = space_.dimension;
  if (row != last) {
    std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(last * d), d,
                values_.begin() + static_cast<std::ptrdiff_t>(row * d));
    slots_[row] = slots_[last];
    inverse_norms_[row] = inverse_norms_[last];
    rows_[slots_[row]] = static_cast<std::uint32_t>(row);
  }
  codes_.replace_by_last(row);
  rows_.erase(slot);
  slots_.pop_back();
  inverse_norms_.pop_back();
  values_.resize(last * d);
}

void VectorIndex::renumber(const std::vector<std::uint32_t>& to) {
  for (std::size_t row = slots_.size(); row-- > 0;) {
    if (to[slots_[row]] == kNone) erase(slots_[row]);
  }
  std::map<std::uint32_t, TokenVectors> kept;
  for (auto& [slot, tokens] : tokens_)
    if (to[slot] != kNone) kept.emplace(to[slot], std::move(tokens));
  tokens_ = std::move(kept);
  rows_.clear();
  for (std::size_t row = 0; row < slots_.size(); ++row) {
    slots_[row] = to[slots_[row]];
    rows_[slots_[row]] = static_cast<std::uint32_t>(row);
  }
}

double VectorIndex::query_scale(std::span<const float> query) const {
  return space_.metric == VectorMetric::kCosine ? inverse_norm(query) : 1.0;
}

double VectorIndex::score_of(std::span<const float> query, double scale, std::size_t row,
                             DotFunction dot) const {
  const double product = dot(query.data(), values_.data() + row * space_.dimension, space_.dimension);
  return space_.metric == VectorMetric::kCosine ? product * scale * inverse_norms_[row] : product;
}

std::vector<ScoredSlot> VectorIndex::score(std::span<const float> query, DotFunction dot,
                                           const std::function<bool(std::uint32_t)>& keep) const {
  const double scale = query_scale(query);
  std::vector<ScoredSlot> scored;
  scored.reserve(slots_.size());
  for (std::size_t row = 0; row < slots_.size(); ++row)
    if (!keep || keep(slots_[row])) scored.push_back({slots_[row], score_of(query, scale, row, dot)});
  return scored;
}

VectorIndex::Nearest VectorIndex::nearest(std::span<const float> query, std::size_t k, DotFunction dot,
                                          CodeDotsFunction code_dots,
                                          const std::function<bool(std::uint32_t)>& keep) const {
  Nearest out;
  std::function<bool(std::size_t)> accept;
  if (keep) accept = [&](std::size_t row) { return keep(slots_[row]); };
  const bool cosine = space_.metric == VectorMetric::kCosine;
  const auto rows = codes_.candidates(query, k, cosine ? std::span<const float>(inverse_norms_) : std::span<const float>(),
                                      code_dots, accept, out.matches);
  const double scale = query_scale(query);
  for (const std::uint32_t row : rows) out.scored.push_back({slots_[row], score_of(query, scale, row, dot)});
  return out;
}

std::vector<ScoredSlot> VectorIndex::score_tokens(std::span<const float> query, MaxSimFunction max_sim,
                                                  const std::function<bool(std::uint32_t)>& keep) const {
  const std::vector<float> rows = normalised_rows(query, space_.dimension);
  std::vector<ScoredSlot> scored;
  scored.reserve(tokens_.size());
  for (const auto& [slot, tokens] : tokens_)
    if (!keep || keep(slot))
      scored.push_back({slot, max_sim(rows.data(), rows.size() / space_.dimension, tokens)});
  return scored;
}

}  // namespace consort
