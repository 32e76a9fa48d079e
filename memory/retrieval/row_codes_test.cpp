// Searching integers first finds what searching floats finds, for whatever vectors there are.
#include "memory/retrieval/row_codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "memory/retrieval/vector_index.h"

namespace consort {
namespace {

std::vector<float> draw(std::mt19937_64& random, std::size_t n, double size) {
  std::normal_distribution<double> normal;
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(normal(random) * size);
  return out;
}

// The k best of score() by score, and whatever equals the k-th, as sets of (slot, score).
std::vector<std::pair<double, std::uint32_t>> best_of(std::vector<ScoredSlot> scored, std::size_t k) {
  std::vector<std::pair<double, std::uint32_t>> all;
  for (const ScoredSlot& s : scored) all.emplace_back(-s.score, s.slot);
  std::sort(all.begin(), all.end());
  while (all.size() > k && all.back().first > all[k - 1].first) all.pop_back();
  return all;
}

void expect_the_same(const VectorIndex& index, std::span<const float> query, std::size_t k,
                     const std::function<bool(std::uint32_t)>& keep = {}) {
  const auto all = index.score(query, dot_portable, keep);
  const auto some = index.nearest(query, k, dot_portable, code_dots_portable, keep);
  EXPECT_EQ(some.matches, all.size());
  EXPECT_EQ(best_of(some.scored, k), best_of(all, k));
}

TEST(RowCodes, FindWhatFloatsFind) {
  std::mt19937_64 random(11);
  for (const VectorMetric metric : {VectorMetric::kCosine, VectorMetric::kDot})
    for (const std::size_t n : {1u, 3u, 32u, 384u, 1030u})
      for (const double size : {1e-42, 1e-20, 1.0, 1e14}) {
        VectorIndex index({"s", "f", n, metric});
        for (std::uint32_t slot = 0; slot < 300; ++slot) index.put(slot, draw(random, n, size * (1 + slot % 3)));
        index.put(300, std::vector<float>(n, 0.0F));
        for (std::uint32_t slot = 301; slot < 310; ++slot) {  // twins: equal scores
          const auto row = index.row(7);
          index.put(slot, std::vector<float>(row.begin(), row.end()));
        }
        for (const std::uint32_t gone : {0u, 50u, 309u}) index.erase(gone);
        for (const std::size_t k : {1u, 10u, 400u}) {
          expect_the_same(index, draw(random, n, 1), k);
          const auto own = index.row(7);  // the twins come first
          expect_the_same(index, std::vector<float>(own.begin(), own.end()), k);
          expect_the_same(index, draw(random, n, 1), k, [](std::uint32_t slot) { return slot % 2 == 0; });
        }
      }
}

TEST(RowCodes, NumbersThatOverflowAreNotCompared) {
  EXPECT_TRUE(comparable(std::vector<float>{1e15F, -1e15F, 0}));
  for (const float bad : {2e15F, -3e38F, INFINITY, NAN}) EXPECT_FALSE(comparable(std::vector<float>{1, bad}));
  EXPECT_EQ(inverse_norm(std::vector<float>{1e-40F}), 0.0F);
}

TEST(RowCodes, LookAtFewRowsInFloats) {
  std::mt19937_64 random(3);
  constexpr std::size_t kRows = 5000, kDimension = 384;
  RowCodes codes(kDimension);
  for (std::size_t row = 0; row < kRows; ++row) codes.put(row, draw(random, kDimension, 1));
  std::size_t accepted = 0;
  const auto near = codes.candidates(draw(random, kDimension, 1), 10, {}, code_dots_portable, {}, accepted);
  EXPECT_EQ(accepted, kRows);
  EXPECT_GE(near.size(), 10u);
  EXPECT_LT(near.size(), 100u);
  EXPECT_TRUE(codes.candidates(std::vector<float>(kDimension, 0.0F), 3, {}, code_dots_portable, {}, accepted).size() ==
              kRows);  // all are equal
  codes.replace_by_last(0);
  EXPECT_EQ(codes.size(), kRows - 1);
}

}  // namespace
}  // namespace consort
