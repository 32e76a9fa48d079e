// Retrieval against the most obvious model of it (a map, and scores worked out from scratch), over random
// histories; and against kill -9.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "memory/retrieval/retrieval.h"
#include "memory/store/temporary_store.h"

namespace consort {
namespace {

using testing::TemporaryDirectory;

const VectorSpace kSpace{"mini", "sha256:aa", 4, VectorMetric::kCosine};
constexpr const char* kWords[] = {"sea", "wall", "bird",  "apple", "boat",
                                  "oak", "lamp", "stone", "bell",  "fog"};

struct ModelItem {
  std::string text;
  std::int64_t year = 0;
  std::vector<float> vector;
};
using Model = std::map<std::string, ModelItem>;  // by external id

std::vector<std::string> naive_lexical(const Model& model, const std::string& query, std::int64_t min_year) {
  const AnalyzerOptions analyzer;
  std::map<std::string, std::vector<std::string>> terms;
  double total = 0;
  for (const auto& [id, item] : model) {
    terms[id] = analyze(item.text, analyzer);
    total += static_cast<double>(terms[id].size());
  }
  const double n = static_cast<double>(model.size()), average = total / n;
  std::vector<std::pair<double, std::string>> scored;
  for (const auto& [id, item] : model) {
    double score = 0;
    for (const auto& word : analyze(query, analyzer)) {
      double df = 0;
      for (const auto& [other, list] : terms) df += std::count(list.begin(), list.end(), word) > 0;
      const double tf = static_cast<double>(std::count(terms[id].begin(), terms[id].end(), word));
      const double length = static_cast<double>(terms[id].size());
      if (tf > 0)
        score += std::log(1 + (n - df + 0.5) / (df + 0.5)) * tf * 2.2 /
                 (tf + 1.2 * (0.25 + 0.75 * length / average));
    }
    if (score > 0 && item.year >= min_year) scored.emplace_back(score, id);
  }
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : make_item_id(a.second, {}) < make_item_id(b.second, {});
  });
  std::vector<std::string> ids;
  for (const auto& [score, id] : scored) ids.push_back(id);
  return ids;
}

std::vector<std::string> naive_dense(const Model& model, const std::vector<float>& query,
                                     std::int64_t min_year) {
  std::vector<std::pair<double, std::string>> scored;
  for (const auto& [id, item] : model) {
    if (item.vector.empty() || item.year < min_year) continue;
    double product = 0, a = 0, b = 0;
    for (std::size_t i = 0; i < query.size(); ++i) {
      product += static_cast<double>(query[i]) * item.vector[i];
      a += static_cast<double>(query[i]) * query[i];
      b += static_cast<double>(item.vector[i]) * item.vector[i];
    }
    scored.emplace_back(product / std::sqrt(a * b), id);
  }
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> ids;
  for (const auto& [score, id] : scored) ids.push_back(id);
  return ids;
}

std::vector<std::string> ids_of(const SearchResult& result) {
  std::vector<std::string> ids;
  for (const auto& hit : result.hits) ids.push_back(hit.item.external_id);
  return ids;
}

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) { open(); }

  void step() {
    const auto dice = random_() % 20;
    if (dice < 12)
      put();
    else if (dice < 16)
      erase();
    else if (dice == 16)
      open();  // a restart
    else
      compare();
  }
  void compare() {
    const std::int64_t min_year = random_() % 2 ? 0 : 2000;
    SearchQuery q;
    q.name_space = "n";
    q.text = text(1 + random_() % 3);
    q.vector = vector();
    q.space = "mini";
    q.fingerprint = "sha256:aa";
    q.top_k = 1000;
    if (min_year > 0) q.filter = Filter::compare(Filter::Op::kGreaterEqual, "year", min_year);
    const auto lexical = naive_lexical(model_, q.text, min_year),
               dense = naive_dense(model_, q.vector, min_year);
    q.mode = SearchMode::kLexical;
    const auto found = memory_->search(q);
    EXPECT_EQ(ids_of(*found), lexical);
    EXPECT_EQ(found->items, model_.size());
    q.mode = SearchMode::kDense;
    EXPECT_EQ(ids_of(*memory_->search(q)), dense);
    q.mode = SearchMode::kHybrid;
    const auto fused = memory_->search(q);
    double last = 1e9;
    for (const auto& hit : fused->hits) {
      const auto rank = [&](const std::vector<std::string>& list) {
        return static_cast<double>(std::find(list.begin(), list.end(), hit.item.external_id) - list.begin() +
                                   1);
      };
      const double expected =
          (hit.lexical ? 1 / (60 + rank(lexical)) : 0) + (hit.dense ? 1 / (60 + rank(dense)) : 0);
      EXPECT_DOUBLE_EQ(hit.score, expected);
      EXPECT_LE(hit.score, last);
      last = hit.score;
      EXPECT_EQ(hit.item.text, model_.at(hit.item.external_id).text);
    }
    std::set<std::string> either(lexical.begin(), lexical.end());
    either.insert(dense.begin(), dense.end());
    EXPECT_EQ(fused->hits.size(), either.size());
  }
  void check() {
    const auto report = memory_->check();
    ASSERT_TRUE(report.has_value());
    EXPECT_TRUE(report->ok()) << report->findings.front();
    EXPECT_EQ(report->items, model_.size());
  }

 private:
  void open() {
    memory_.reset();
    store_.reset();
    store_ = std::move(*Store::open(dir_ / "s"));
    memory_ = *Retrieval::open(*store_);
  }
  std::string text(std::size_t words) {
    std::string out;
    for (std::size_t i = 0; i < words; ++i)
      out += std::string(i ? " " : "") + kWords[random_() % std::size(kWords)];
    return out;
  }
  std::vector<float> vector() {
    std::normal_distribution<float> normal;
    std::vector<float> v(4);
    for (float& x : v) x = normal(random_);
    return v;
  }
  void put() {
    std::vector<NewItem> items;
    for (auto n = 1 + random_() % 4; n > 0; --n) {
      const std::string id = fmt::format("i{}", random_() % 60);
      ModelItem item{text(1 + random_() % 8), static_cast<std::int64_t>(1990 + random_() % 20), {}};
      const auto old = model_.find(id);
      if (random_() % 4 == 0 && old != model_.end()) item.text = old->second.text;  // only the rest changes
      if (random_() % 3 != 0) item.vector = vector();
      items.push_back({item.text, id, {{"year", item.year}}, {}, item.vector});
      // A vector stays with an unchanged text when none is given; two items of one id in a request: the last
      // counts.
      const bool same_text = old != model_.end() && old->second.text == item.text;
      pending_[id] = item;
      if (item.vector.empty() && same_text) pending_[id].vector = old->second.vector;
    }
    RememberOptions options;
    options.space = kSpace;
    ASSERT_TRUE(memory_->remember("n", items, options).has_value());
    for (auto& [id, item] : pending_) model_[id] = item;
    pending_.clear();
  }
  void erase() {
    const std::string id = fmt::format("i{}", random_() % 60);
    const auto done = memory_->forget("n", {make_item_id(id, {})});
    ASSERT_TRUE(done.has_value());
    EXPECT_EQ(done->at(0).change == ItemChange::kErased, model_.erase(id) == 1);
  }

  std::mt19937_64 random_;
  TemporaryDirectory dir_;
  Model model_;
  std::map<std::string, ModelItem> pending_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> memory_;
};

TEST(RetrievalProperty, AgreesWithTheObviousModel) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    History history(seed);
    for (int i = 0; i < 200 && !::testing::Test::HasFailure(); ++i) history.step();
    history.compare();
    history.check();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

// Slots of dead items are given back without a change to any result.
TEST(RetrievalProperty, ManyUpdatesOfFewItemsStaySmall) {
  TemporaryDirectory dir;
  auto store = std::move(*Store::open(dir / "s"));
  auto memory = *Retrieval::open(*store);
  RememberOptions options;
  options.space = kSpace;
  for (int round = 0; round < 60; ++round) {
    std::vector<NewItem> items;
    for (int i = 0; i < 100; ++i) {
      items.push_back({fmt::format("round {} item {}", round, i),
                       fmt::format("i{}", i),
                       {},
                       {},
                       {1, 2, 3, 1.0f + static_cast<float>(i)}});
    }
    ASSERT_TRUE(memory->remember("n", items, options));
  }
  EXPECT_TRUE(memory->check()->ok());
  const auto stats = memory->stats();
  EXPECT_EQ(stats->namespaces.at(0).items, 100u);
  EXPECT_LT(stats->index_bytes, 3u << 20);
  const auto found = memory->search(
      {.name_space = "n", .text = "round 59 item 7", .mode = SearchMode::kLexical, .top_k = 1});
  EXPECT_EQ(found->hits.at(0).item.external_id, "i7");
}

// The child ingests and says through a pipe which batches are acknowledged; the parent kills it at a random
// moment.
TEST(RetrievalCrash, EverythingAcknowledgedIsThereAfterKill) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer cannot start threads in a forked child; AddressSanitizer runs this";
#endif
  TemporaryDirectory dir;
  std::mt19937 random(99);
  int acknowledged = -1, kills = 0;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      auto store = Store::open(dir / "s");
      if (!store) ::_exit(1);
      auto memory = Retrieval::open(**store);
      RememberOptions options;
      options.space = kSpace;
      for (int n = acknowledged + 1;; ++n) {
        const NewItem item{
            fmt::format("batch {}", n), fmt::format("b{}", n), {}, {}, {1, 2, 3, static_cast<float>(n)}};
        const NewItem twin{fmt::format("twin of {}", n), fmt::format("t{}", n)};
        if (!(*memory)->remember("n", {item, twin}, options)) ::_exit(2);
        if (::write(ends[1], &n, sizeof(n)) != sizeof(n)) ::_exit(3);
      }
    }
    ::close(ends[1]);
    // Odd rounds end at any moment, also while the store opens; even ones in the middle of the writing.
    int n = 0, status = 0;
    if (round % 2 == 1) ::usleep(random() % 60'000);
    for (auto wanted = round % 2 == 0 ? 10 + random() % 50 : 0; wanted > 0; --wanted) {
      ASSERT_EQ(::read(ends[0], &n, sizeof(n)), static_cast<ssize_t>(sizeof(n)));
      acknowledged = n;
    }
    ::usleep(random() % 3'000);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    kills += WIFSIGNALED(status);
    while (::read(ends[0], &n, sizeof(n)) == sizeof(n)) acknowledged = n;
    ::close(ends[0]);
    // A look from a child of its own, so that this process has no threads when it forks again.
    const pid_t look = ::fork();
    if (look == 0) {
      auto store = Store::open(dir / "s");
      if (!store) ::_exit(1);
      auto memory = Retrieval::open(**store);
      const auto check = (*memory)->check();
      if (!check || !check->ok() || !(*store)->check()->ok()) ::_exit(2);
      for (int i = 0; i <= acknowledged; ++i) {
        const auto item = (*memory)->find_external("n", fmt::format("b{}", i));
        if (!item || !*item) ::_exit(3);
      }
      // Whole batches only: as many twins as items, and at most one batch more than was acknowledged.
      const auto items = check->items, vectors = check->vectors;
      if (items != 2 * vectors || vectors > static_cast<std::size_t>(acknowledged) + 2) ::_exit(4);
      ::_exit(0);
    }
    ::waitpid(look, &status, 0);
    ASSERT_EQ(WEXITSTATUS(status), 0) << "round " << round << ", acknowledged " << acknowledged;
  }
  EXPECT_GE(kills, 12);
  EXPECT_GT(acknowledged, 50);
}

}  // namespace
}  // namespace consort
