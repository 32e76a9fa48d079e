#include "models/alphabet/token_masses.h"

#include <algorithm>

namespace consort {
namespace {

constexpr std::uint32_t kBlock = 64, kWide = 64 * kBlock;

template <typename T>
double sum(const T* values, std::uint32_t begin, std::uint32_t end) {
  double four[4] = {0, 0, 0, 0};
  std::uint32_t i = begin;
  for (; i + 4 <= end; i += 4)
    for (std::uint32_t k = 0; k < 4; ++k) four[k] += static_cast<double>(values[i + k]);
  for (; i < end; ++i) four[0] += static_cast<double>(values[i]);
  return (four[0] + four[1]) + (four[2] + four[3]);
}

// Sum over [begin, end) where `coarse[i]` is the sum of `width` values from i * width on.
template <typename T, typename Coarse>
double sum_by(const T* fine, std::uint32_t begin, std::uint32_t end, std::uint32_t width, Coarse&& coarse) {
  const std::uint32_t from = (begin + width - 1) / width, to = end / width;
  if (from >= to) return sum(fine, begin, end);
  return sum(fine, begin, from * width) + coarse(from, to) + sum(fine, to * width, end);
}

}  // namespace

TokenMasses::TokenMasses(const ByteVocabulary& vocabulary, std::span<const float> weights,
                         double sum_of_weights, const TrieNode& within)
    : first_(within.begin / kWide * kWide) {
  double outside = 0, ends = 0;
  for (const TokenId id : vocabulary.outside())
    outside += static_cast<double>(weights[static_cast<std::size_t>(id)]);
  for (const TokenId id : vocabulary.ends())
    ends += static_cast<double>(weights[static_cast<std::size_t>(id)]);
  const auto size = static_cast<std::size_t>(vocabulary.vocab_size());
  for (std::size_t i = size; i < weights.size(); ++i) outside += static_cast<double>(weights[i]);
  const double inside = sum_of_weights - outside;
  scale_ = inside > 0 ? 1 / inside : 0;
  end_ = ends * scale_;
  const std::span<const TokenId> order = vocabulary.order();
  sorted_.assign(within.end - first_, 0.0F);
  for (std::uint32_t place = within.begin; place < within.end; ++place)
    sorted_[place - first_] = weights[static_cast<std::size_t>(order[place])];
  const auto count = static_cast<std::uint32_t>(sorted_.size());
  blocks_.resize(count / kBlock);
  for (std::uint32_t b = 0; b < blocks_.size(); ++b)
    blocks_[b] = sum(sorted_.data(), b * kBlock, (b + 1) * kBlock);
  wide_.resize(count / kWide);
  constexpr std::uint32_t kRatio = kWide / kBlock;
  for (std::uint32_t w = 0; w < wide_.size(); ++w)
    wide_[w] = sum(blocks_.data(), w * kRatio, (w + 1) * kRatio);
}

double TokenMasses::range(std::uint32_t begin, std::uint32_t end) const {
  if (begin >= end) return 0;
  const auto of_wide = [this](std::uint32_t from, std::uint32_t to) { return sum(wide_.data(), from, to); };
  const auto of_blocks = [&](std::uint32_t from, std::uint32_t to) {
    return sum_by(blocks_.data(), from, to, kWide / kBlock, of_wide);
  };
  return sum_by(sorted_.data(), begin - first_, end - first_, kBlock, of_blocks) * scale_;
}

}  // namespace consort
