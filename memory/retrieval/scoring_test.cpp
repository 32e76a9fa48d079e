// BM25, reciprocal rank fusion and vector scores against numbers worked out by hand.
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "memory/retrieval/fusion.h"
#include "memory/retrieval/lexical_index.h"

namespace consort {
namespace {

double score_of(const std::vector<ScoredSlot>& scored, std::uint32_t slot) {
  for (const auto& s : scored) {
    if (s.slot == slot) return s.score;
  }
  return 0;
}

// Three documents of 2, 4 and 3 terms: average 3. "sea" stands in documents 0 and 1.
//   idf(sea) = ln(1 + (3 - 2 + 0.5) / (2 + 0.5)) = ln 1.6
//   document 0: tf 1, norm 1.2 * (0.25 + 0.75 * 2/3) = 0.9  -> ln 1.6 * 2.2 / 1.9
//   document 1: tf 2, norm 1.2 * (0.25 + 0.75 * 4/3) = 1.5  -> ln 1.6 * 4.4 / 3.5
TEST(Bm25, HandExample) {
  LexicalIndex index;
  index.add(0, {"sea", "wall"});
  index.add(1, {"sea", "sea", "bird", "cliff"});
  index.add(2, {"apple", "tree", "wall"});
  const auto scored = index.score({"sea"}, {}, {});
  ASSERT_EQ(scored.size(), 2u);
  EXPECT_DOUBLE_EQ(score_of(scored, 0), std::log(1.6) * 2.2 / 1.9);
  EXPECT_DOUBLE_EQ(score_of(scored, 1), std::log(1.6) * 4.4 / 3.5);
  // A word twice in the query counts twice; an unknown word counts nothing.
  EXPECT_DOUBLE_EQ(score_of(index.score({"sea", "sea", "moon"}, {}, {}), 0), 2 * std::log(1.6) * 2.2 / 1.9);
  EXPECT_EQ(index.document_frequency("sea"), 2u);
  // Without document 1: two documents, average 2.5, df 1, idf = ln(1 + 1.5/1.5) = ln 2.
  index.erase(1);
  const double norm = 1.2 * (0.25 + 0.75 * 2 / 2.5);
  EXPECT_DOUBLE_EQ(score_of(index.score({"sea"}, {}, {}), 0), std::log(2.0) * 2.2 / (1 + norm));
  EXPECT_EQ(index.total_length(), 5u);
  EXPECT_EQ(index.document_frequency("bird"), 0u);
  EXPECT_TRUE(index.agrees(0, {"wall", "sea"}));
  EXPECT_FALSE(index.agrees(0, {"wall", "sea", "sea"}));
  EXPECT_FALSE(index.agrees(1, {"sea", "sea", "bird", "cliff"}));
  // The same after the holes are closed.
  index.renumber({0, VectorIndex::kNone, 1}, 2);
  EXPECT_DOUBLE_EQ(score_of(index.score({"sea"}, {}, {}), 0), std::log(2.0) * 2.2 / (1 + norm));
  EXPECT_TRUE(index.agrees(1, {"apple", "tree", "wall"}));
  EXPECT_TRUE(index.score({"sea"}, {}, [](std::uint32_t) { return false; }).empty());
}

TEST(ReciprocalRank, HandExample) {
  FusionOptions options;
  EXPECT_DOUBLE_EQ(reciprocal_rank_score(options, 1, 3), 1.0 / 61 + 1.0 / 63);
  EXPECT_DOUBLE_EQ(reciprocal_rank_score(options, std::nullopt, 2), 1.0 / 62);
  options = {10.0, 2.0, 0.5};
  EXPECT_DOUBLE_EQ(reciprocal_rank_score(options, 4, 1), 2.0 / 14 + 0.5 / 11);
  EXPECT_DOUBLE_EQ(reciprocal_rank_score(options, std::nullopt, std::nullopt), 0.0);
}

TEST(Vectors, CosineAndDotAndErase) {
  VectorIndex cosine({"s", "f", 2, VectorMetric::kCosine}), dot({"s", "f", 2, VectorMetric::kDot});
  const std::vector<std::vector<float>> rows{{3, 4}, {0, 2}, {-1, 0}};
  for (std::uint32_t i = 0; i < 3; ++i) {
    cosine.put(i, rows[i]);
    dot.put(i, rows[i]);
  }
  const std::vector<float> query{0, 5};
  const auto scored = cosine.score(query, dot_portable, {});
  EXPECT_NEAR(score_of(scored, 0), 0.8, 1e-7);
  EXPECT_NEAR(score_of(scored, 1), 1.0, 1e-7);
  EXPECT_EQ(score_of(dot.score(query, dot_portable, {}), 0), 20.0);
  cosine.erase(0);
  EXPECT_FALSE(cosine.has(0));
  EXPECT_EQ(cosine.row(2)[0], -1.0f);
  EXPECT_EQ(cosine.score(query, dot_portable, {}).size(), 2u);
  cosine.renumber({VectorIndex::kNone, 0, VectorIndex::kNone});
  EXPECT_EQ(cosine.size(), 1u);
  EXPECT_EQ(cosine.row(0)[1], 2.0f);
}

TEST(Vectors, DotAgreesWithDoubles) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const std::size_t n : {1u, 7u, 16u, 17u, 384u, 1023u}) {
    std::vector<float> a(n), b(n);
    double exact = 0, size = 0;
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = normal(random);
      b[i] = normal(random);
      exact += static_cast<double>(a[i]) * b[i];
      size += std::abs(static_cast<double>(a[i]) * b[i]);
    }
    EXPECT_NEAR(dot_portable(a.data(), b.data(), n), exact, size * 1e-6);
  }
}

}  // namespace
}  // namespace consort
