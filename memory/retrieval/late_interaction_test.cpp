// Spaces of token vectors: MaxSim, storage, mode checks, and following of commits.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "memory/retrieval/item_record.h"
#include "memory/retrieval/retrieval.h"
#include "memory/store/temporary_store.h"

namespace consort {
namespace {

constexpr std::size_t kDimension = 24;

std::vector<float> random_rows(std::mt19937& random, std::size_t rows) {
  std::normal_distribution<float> normal;
  std::vector<float> values(rows * kDimension);
  for (float& v : values) v = normal(random);
  return values;
}

double exact_max_sim(const std::vector<float>& query, const std::vector<float>& text) {
  const auto q = normalised_rows(query, kDimension), t = normalised_rows(text, kDimension);
  double sum = 0;
  for (std::size_t i = 0; i < q.size(); i += kDimension) {
    double best = -2;
    for (std::size_t j = 0; j < t.size(); j += kDimension) {
      double dot = 0;
      for (std::size_t k = 0; k < kDimension; ++k) dot += static_cast<double>(q[i + k]) * t[j + k];
      best = std::max(best, dot);
    }
    sum += best;
  }
  return sum;
}

class LateInteraction : public ::testing::Test {
 protected:
  LateInteraction() {
    store_ = std::move(*Store::open(folder_ / "s"));
    memory_ = std::move(*Retrieval::open(*store_));
    options_.space = VectorSpace{"tokens", "weights-1", kDimension, VectorMetric::kMaxSim};
  }
  void remember(int count) {
    std::vector<NewItem> items;
    for (int i = 0; i < count; ++i) {
      NewItem item;
      item.text = "text number " + std::to_string(i);
      item.external_id = std::to_string(i);
      item.embedding = rows_.emplace_back(random_rows(random_, 1 + static_cast<std::size_t>(i) % 7));
      items.push_back(std::move(item));
    }
    const auto done = memory_->remember("n", items, options_);
    ASSERT_TRUE(done) << done.error().line();
  }
  SearchQuery query(std::vector<float> vector, SearchMode mode = SearchMode::kLateInteraction) {
    SearchQuery q;
    q.name_space = "n";
    q.text = "text";
    q.vector = std::move(vector);
    q.space = "tokens";
    q.fingerprint = "weights-1";
    q.mode = mode;
    return q;
  }

  std::mt19937 random_{3};
  testing::TemporaryDirectory folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> memory_;
  RememberOptions options_;
  std::vector<std::vector<float>> rows_;
};

TEST_F(LateInteraction, HitsComeInTheOrderOfMaxSim) {
  remember(40);
  const auto wanted = random_rows(random_, 5);
  const auto found = memory_->search(query(wanted));
  ASSERT_TRUE(found) << found.error().line();
  EXPECT_EQ(found->dense_matches, 40u);
  ASSERT_EQ(found->hits.size(), 10u);
  double before = 1e9;
  for (const SearchHit& hit : found->hits) {
    EXPECT_NEAR(hit.score, exact_max_sim(wanted, rows_[std::stoul(hit.item.external_id)]), 0.05);
    EXPECT_LE(hit.score, before);
    before = hit.score;
    EXPECT_EQ(hit.dense->score, hit.score);
  }
  // A text's own vectors are its best match: one for each row.
  const auto own = memory_->search(query(rows_[6]));
  EXPECT_EQ(own->hits[0].item.external_id, "6");
  EXPECT_NEAR(own->hits[0].score, 7.0, 0.05);
  EXPECT_TRUE(memory_->check()->ok());
}

TEST_F(LateInteraction, SurvivesAReopenedStoreAndFollowsChanges) {
  remember(12);
  EXPECT_EQ(memory_->remember("n", {NewItem{"text number 3", "3", {}, {}, rows_[3]}}, options_)->at(0).change,
            ItemChange::kUnchanged);
  memory_.reset();
  store_.reset();
  store_ = std::move(*Store::open(folder_ / "s"));
  memory_ = std::move(*Retrieval::open(*store_));
  EXPECT_EQ(memory_->search(query(rows_[5]))->hits[0].item.external_id, "5");
  EXPECT_EQ(memory_->search(query(rows_[5]))->dense_matches, 12u);
  const ItemId id = memory_->find_external("n", "5").value()->id;
  ASSERT_TRUE(memory_->forget("n", {id}));
  EXPECT_EQ(memory_->search(query(rows_[5]))->dense_matches, 11u);
  EXPECT_TRUE(memory_->check()->ok());
  EXPECT_GT(memory_->stats()->index_bytes, 11 * kDimension);
}

TEST_F(LateInteraction, OtherModesAndShapesAreRefused) {
  remember(3);
  const auto refused = [&](const SearchQuery& q) {
    const auto found = memory_->search(q);
    return !found && found.error().kind == ErrorKind::kInvalid;
  };
  EXPECT_TRUE(refused(query(random_rows(random_, 1), SearchMode::kDense)));
  EXPECT_TRUE(refused(query(random_rows(random_, 1), SearchMode::kHybrid)));
  EXPECT_TRUE(refused(query(std::vector<float>(kDimension + 1, 1.0f))));
  EXPECT_TRUE(refused(query({})));
  NewItem item{"odd", "odd", {}, {}, std::vector<float>(kDimension + 1, 1.0f)};
  EXPECT_FALSE(memory_->remember("n", {item}, options_));
  RememberOptions single;
  single.space = VectorSpace{"one", "weights-2", kDimension, VectorMetric::kCosine};
  item.embedding.assign(2 * kDimension, 1.0f);
  EXPECT_FALSE(memory_->remember("n", {item}, single)) << "two rows in a space of one";
  item.embedding.resize(kDimension);
  ASSERT_TRUE(memory_->remember("n", {item}, single));
  SearchQuery q = query(std::vector<float>(kDimension, 1.0f));
  q.space = "one";
  q.fingerprint = "weights-2";
  EXPECT_TRUE(refused(q));
}

TEST(TokenVectorRecords, DamagedOnesAreRefused) {
  std::mt19937 random(9);
  VectorRecord record;
  record.tokens = quantise_tokens(random_rows(random, 4), kDimension);
  const std::string whole = encode_vector(record);
  EXPECT_EQ(decode_vector(whole)->tokens, record.tokens);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(decode_vector(whole.substr(0, n))) << n;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = whole;
    for (int k = 0; k < 3; ++k) bytes[random() % 60] = static_cast<char>(random());
    const auto read = decode_vector(bytes);
    if (read && read->tokens.rows() > 0) {
      EXPECT_EQ(read->tokens.codes.size(), read->tokens.rows() * read->tokens.dimension);
    }
  }
}

TEST(TokenVectorRecords, ARowOfZerosStaysZero) {
  const TokenVectors t = quantise_tokens(std::vector<float>(2 * kDimension, 0.0f), kDimension);
  EXPECT_EQ(t.rows(), 2u);
  const std::vector<float> query(kDimension, 0.5f);
  EXPECT_EQ(max_sim_portable(query.data(), 1, t), 0.0);
}

}  // namespace
}  // namespace consort
