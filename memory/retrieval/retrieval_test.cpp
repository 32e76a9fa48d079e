#include "memory/retrieval/retrieval.h"

#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "memory/retrieval/item_record.h"
#include "memory/store/temporary_store.h"

namespace consort {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;

const VectorSpace kSpace{"mini", "sha256:aa", 3, VectorMetric::kCosine};

class RetrievalTest : public ::testing::Test {
 protected:
  RetrievalTest() { open(); }
  void open() {
    memory_.reset();
    store_.reset();
    auto store = Store::open(dir_ / "s");
    if (!store) throw std::runtime_error(store.error().line());
    store_ = std::move(*store);
    memory_ = *Retrieval::open(*store_);
  }
  ItemOutcome remember(NewItem item, RememberOptions options = {}) {
    options.space = kSpace;
    auto done = memory_->remember("notes", {std::move(item)}, options);
    EXPECT_TRUE(done.has_value()) << done.error().line();
    return done ? done->at(0) : ItemOutcome{};
  }
  SearchResult search(SearchQuery query) {
    query.name_space = query.name_space.empty() ? "notes" : query.name_space;
    auto found = memory_->search(query);
    EXPECT_TRUE(found.has_value()) << found.error().line();
    return found ? *found : SearchResult{};
  }
  SearchResult words(std::string text, std::optional<Filter> filter = {}) {
    SearchQuery q;
    q.mode = SearchMode::kLexical;
    q.text = std::move(text);
    q.filter = std::move(filter);
    return search(q);
  }
  static std::vector<std::string> texts(const SearchResult& result) {
    std::vector<std::string> out;
    for (const auto& hit : result.hits) out.push_back(hit.item.text);
    return out;
  }
  void expect_consistent() {
    const auto check = memory_->check();
    ASSERT_TRUE(check.has_value());
    EXPECT_TRUE(check->ok()) << check->findings.front();
  }

  TemporaryDirectory dir_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> memory_;
};

TEST_F(RetrievalTest, UpsertByExternalIdAndDedupeByText) {
  const auto first =
      remember({"The ferry is called the Grey Heron.", "ferry#0", {{"page", std::int64_t{1}}}});
  EXPECT_EQ(first.change, ItemChange::kCreated);
  EXPECT_EQ(remember({"The ferry is called the Grey Heron.", "ferry#0", {{"page", std::int64_t{1}}}}).change,
            ItemChange::kUnchanged);
  const auto second = remember({"The ferry is called the Blue Heron.", "ferry#0"});
  EXPECT_EQ(second.change, ItemChange::kUpdated);
  EXPECT_EQ(second.id, first.id);
  EXPECT_TRUE(words("grey").hits.empty());  // the old text is gone from the index
  EXPECT_THAT(texts(words("blue")), ElementsAre("The ferry is called the Blue Heron."));

  const auto answer = remember({"It is the Grey Heron."});
  EXPECT_EQ(remember({"  It is the\nGrey   Heron. "}).change,
            ItemChange::kUnchanged);  // the same text by its digest
  EXPECT_EQ(remember({"It is the Grey Heron.", "other"}).change, ItemChange::kCreated);
  RememberOptions dedupe;
  dedupe.dedupe_text = true;
  const auto again = remember({"The ferry is called the Blue Heron.", "elsewhere"}, dedupe);
  EXPECT_EQ(again.change, ItemChange::kDuplicate);
  EXPECT_EQ(again.id, first.id);
  EXPECT_NE(answer.id, first.id);
  EXPECT_EQ((*memory_->find_external("notes", "ferry#0"))->text, "The ferry is called the Blue Heron.");
  expect_consistent();
}

TEST_F(RetrievalTest, HybridHitsCarryRanksScoresAndProvenance) {
  remember({"red apples", "a", {}, {"garden.md", "run-7", "/do/2", "sha256:m"}, {1, 0, 0}});
  remember({"green apples", "b", {}, {}, {0, 1, 0}});
  remember({"blue boat", "c", {}, {}, {0.9f, 0.1f, 0}});
  SearchQuery q;
  q.text = "red apples";
  q.vector = {1, 0, 0};
  q.space = "mini";
  q.fingerprint = "sha256:aa";
  const auto found = search(q);
  ASSERT_EQ(found.hits.size(), 3u);
  const SearchHit& best = found.hits[0];
  EXPECT_EQ(best.item.external_id, "a");
  EXPECT_EQ(best.item.provenance, (Provenance{"garden.md", "run-7", "/do/2", "sha256:m"}));
  EXPECT_GT(best.item.created_us, 0);
  EXPECT_EQ(best.lexical->rank, 1u);
  EXPECT_EQ(best.dense->rank, 1u);
  EXPECT_NEAR(best.dense->score, 1.0, 1e-6);
  EXPECT_DOUBLE_EQ(best.score, 2.0 / 61);
  // b: lexical 2, dense 3; c: dense 2 only.
  EXPECT_EQ(found.hits[1].item.external_id, "b");
  EXPECT_DOUBLE_EQ(found.hits[1].score, 1.0 / 62 + 1.0 / 63);
  EXPECT_FALSE(found.hits[2].lexical.has_value());
  EXPECT_EQ(found.lexical_matches, 2u);
  EXPECT_EQ(found.dense_matches, 3u);
  q.mode = SearchMode::kDense;
  EXPECT_THAT(texts(search(q)), ElementsAre("red apples", "blue boat", "green apples"));
}

TEST_F(RetrievalTest, AVectorOfAnotherModelIsRefused) {
  remember({"one", "a", {}, {}, {1, 2, 3}});
  RememberOptions options;
  options.space = VectorSpace{"mini", "sha256:bb", 3, VectorMetric::kCosine};
  const auto swapped = memory_->plan_remember("notes", {{"two", "b", {}, {}, {1, 2, 3}}}, options);
  ASSERT_FALSE(swapped.has_value());
  EXPECT_EQ(swapped.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(swapped.error().what, HasSubstr("sha256:aa"));
  options.space = VectorSpace{"mini", "sha256:aa", 2, VectorMetric::kCosine};
  EXPECT_FALSE(memory_->plan_remember("notes", {{"two", "b", {}, {}, {1, 2}}}, options));
  SearchQuery q;
  q.name_space = "notes";
  q.mode = SearchMode::kDense;
  q.vector = {1, 2, 3};
  q.space = "mini";
  q.fingerprint = "sha256:bb";
  EXPECT_EQ(memory_->search(q).error().kind, ErrorKind::kInvalid);
  q.fingerprint = "sha256:aa";
  q.vector = {1, 2};
  EXPECT_FALSE(memory_->search(q).has_value());
  open();  // and after a restart
  options.space = VectorSpace{"mini", "sha256:bb", 3, VectorMetric::kCosine};
  EXPECT_FALSE(memory_->plan_remember("notes", {{"two", "b", {}, {}, {1, 2, 3}}}, options));
  // In another namespace the other model is welcome.
  EXPECT_TRUE(memory_->plan_remember("other", {{"two", "b", {}, {}, {1, 2, 3}}}, options));
}

TEST_F(RetrievalTest, BadItemsAndQueriesAreRefused) {
  RememberOptions options;
  options.space = kSpace;
  const auto bad = [&](NewItem item) {
    return memory_->plan_remember("notes", {std::move(item)}, options).has_value();
  };
  EXPECT_FALSE(bad({""}));
  EXPECT_FALSE(bad({"\xff"}));
  EXPECT_FALSE(bad({std::string((1u << 20) + 1, 'x')}));
  EXPECT_FALSE(bad({"a", "", {}, {}, {0, 0, 0}}));
  EXPECT_FALSE(bad({"a", "", {}, {}, {1, 2, std::numeric_limits<float>::infinity()}}));
  EXPECT_FALSE(bad({"a", "", {{"", true}}}));
  EXPECT_FALSE(memory_->plan_remember("", {{"a"}}));
  EXPECT_FALSE(memory_->plan_remember("a\nb", {{"a"}}));
  EXPECT_FALSE(memory_->plan_remember("notes", {{"a", "", {}, {}, {1, 2, 3}}}));  // no space named
  SearchQuery q;
  q.name_space = "notes";
  q.mode = SearchMode::kLexical;
  EXPECT_FALSE(memory_->search(q));  // no text
  q.text = "a";
  q.top_k = 0;
  EXPECT_FALSE(memory_->search(q));
  q.top_k = 5;
  EXPECT_TRUE(memory_->search(q));
  EXPECT_FALSE(memory_->search(q)->known_namespace);
  q.mode = SearchMode::kHybrid;
  EXPECT_FALSE(memory_->search(q));  // no vector
}

TEST_F(RetrievalTest, FiltersApplyToBothBranches) {
  remember({"apple one", "a", {{"year", std::int64_t{1790}}}, {}, {1, 0, 0}});
  remember({"apple two", "b", {{"year", std::int64_t{2016}}}, {}, {1, 0.1f, 0}});
  SearchQuery q;
  q.text = "apple";
  q.vector = {1, 0, 0};
  q.space = "mini";
  q.fingerprint = "sha256:aa";
  q.filter = Filter::compare(Filter::Op::kGreater, "year", std::int64_t{2000});
  const auto found = search(q);
  EXPECT_THAT(texts(found), ElementsAre("apple two"));
  EXPECT_EQ(found.hits[0].dense->rank, 1u);
  EXPECT_EQ(found.dense_matches, 1u);
  EXPECT_THAT(texts(words("apple", Filter::equals("@externalId", std::string("a")))),
              ElementsAre("apple one"));
}

TEST_F(RetrievalTest, APlanJoinsAnotherCommit) {
  ASSERT_TRUE(store_->ensure_family("run"));
  EXPECT_TRUE(words("answer").hits.empty());  // loads the index before the commit
  auto plan = memory_->plan_remember("notes", {{"the answer is oak"}});
  ASSERT_TRUE(plan.has_value());
  EXPECT_TRUE(words("answer").hits.empty());  // a plan changes nothing
  auto writes = plan->writes;
  writes.push_back({"run", "task 1", "done"});
  ASSERT_TRUE(store_->commit(writes, Durability::kAsync));
  EXPECT_THAT(texts(words("answer")), ElementsAre("the answer is oak"));
  open();
  EXPECT_THAT(texts(words("answer")), ElementsAre("the answer is oak"));
  EXPECT_EQ(**store_->get("run", "task 1"), "done");
}

TEST_F(RetrievalTest, ReplacingASourceDropsWhatItNoLongerHolds) {
  const auto item = [](std::string text, std::string id) {
    return NewItem{std::move(text), std::move(id), {}, {"a.md"}};
  };
  auto plan = memory_->plan_replace_source("notes", "a.md", {item("first", "a#0"), item("second", "a#1")});
  ASSERT_TRUE(memory_->commit(*plan));
  remember({"from elsewhere", "b#0", {}, {"b.md"}});
  plan = memory_->plan_replace_source("notes", "a.md", {item("first", "a#0")});
  ASSERT_EQ(plan->items.size(), 2u);
  EXPECT_EQ(plan->items[0].change, ItemChange::kUnchanged);
  EXPECT_EQ(plan->items[1].change, ItemChange::kErased);
  ASSERT_TRUE(memory_->commit(*plan));
  EXPECT_TRUE(words("second").hits.empty());
  EXPECT_EQ(words("first from").hits.size(), 2u);
  expect_consistent();
}

TEST_F(RetrievalTest, ANewTextDropsItsOldVector) {
  remember({"old words", "a", {}, {}, {1, 0, 0}});
  remember({"new words", "a"});
  EXPECT_EQ(memory_->without_vector("notes", "mini")->size(), 1u);
  expect_consistent();
  remember({"new words", "a", {}, {}, {0, 1, 0}});
  EXPECT_TRUE(memory_->without_vector("notes", "mini")->empty());
  open();
  expect_consistent();
  EXPECT_EQ(memory_->stats()->namespaces.at(0).spaces.at(0).vectors, 1u);
}

TEST_F(RetrievalTest, NamespacesDoNotMeet) {
  // Names that are prefixes of each other or hold the bytes that separate keys.
  const std::vector<std::string> names{"a", "ab", "a b", "ü", std::string(255, 'x'), "notes"};
  for (const auto& name : names) {
    ASSERT_TRUE(memory_->remember(name, {{"word of " + name}}));
  }
  for (int pass = 0; pass < 2; ++pass) {
    for (const auto& name : names) {
      SearchQuery q;
      q.name_space = name;
      q.text = "word";
      q.mode = SearchMode::kLexical;
      EXPECT_THAT(texts(search(q)), ElementsAre("word of " + name));
    }
    EXPECT_EQ(memory_->namespaces()->size(), names.size());
    open();
  }
}

TEST_F(RetrievalTest, CheckFindsWhatIsWrong) {
  const auto a = remember({"one text", "a", {}, {}, {1, 0, 0}});
  remember({"two texts", "b"});
  expect_consistent();
  // Behind the index's back: another text under the same id, and a vector of nobody. Families that the
  // listener watches are changed through a second, unwatched way: erase_prefix does not call listeners.
  ASSERT_TRUE(store_->erase_prefix(kItemFamily, item_key("notes", a.id), Durability::kAsync));
  const auto check = memory_->check();
  ASSERT_TRUE(check.has_value());
  EXPECT_GE(check->findings.size(), 2u);
  // A record that says nothing sensible is a finding, and an error for a search, never a crash.
  ASSERT_TRUE(store_->commit({{kItemFamily, item_key("notes", a.id), "\x01garbage"}}, Durability::kAsync));
  EXPECT_FALSE(memory_->check()->ok());
  open();
  EXPECT_FALSE(memory_->check()->ok());
  SearchQuery q;
  q.name_space = "notes";
  q.text = "texts";
  q.mode = SearchMode::kLexical;
  EXPECT_EQ(memory_->search(q).error().kind, ErrorKind::kCorrupt);
}

TEST_F(RetrievalTest, ReadersAndWritersTogether) {
  std::atomic<bool> stop = false;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 150; ++i) {
        const std::string id = fmt::format("{}-{}", t, i % 40);
        EXPECT_TRUE(memory_->remember("notes", {{fmt::format("shared text {} of {}", i, t), id}}));
        if (i % 7 == 0) {
          EXPECT_TRUE(memory_->forget("notes", {make_item_id(id, {})}).has_value());
        }
        SearchQuery q;
        q.name_space = "notes";
        q.text = fmt::format("text {}", i);
        q.mode = SearchMode::kLexical;
        q.filter = Filter::equals("@externalId", id);
        const auto found = memory_->search(q);  // its own write, or its own removal
        EXPECT_EQ(found->hits.size(), i % 7 == 0 ? 0u : 1u);
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop)
      EXPECT_TRUE(memory_->search({.name_space = "notes", .text = "shared", .mode = SearchMode::kLexical}));
  });
  threads[0].join();
  threads[1].join();
  stop = true;
  threads.clear();
  expect_consistent();
}

}  // namespace
}  // namespace consort
