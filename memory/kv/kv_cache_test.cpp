#include "memory/kv/kv_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "memory/kv/page_store.h"

namespace consort {
namespace {

using Tokens = std::vector<std::int32_t>;

// What a model would write: a value that depends on the whole prefix.
std::uint64_t mix(std::uint64_t h, std::int32_t token) {
  h = (h ^ static_cast<std::uint32_t>(token)) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 29);
}

struct Sample {
  KvSequence kv;
  Tokens tokens;
};

std::byte* row(const KvView& view, int position, int layer, int k_or_v) {
  return view.pages[position / kPageTokens] +
         view.layout.offset(layer, k_or_v, 0, position % kPageTokens) * dtype_info(view.layout.dtype).bytes;
}

// Appends tokens and writes their K and V rows of the first and the last layer.
Status append(Sample& s, const Tokens& more) {
  CONSORT_CHECK_OK(s.kv.reserve(static_cast<int>(more.size())));
  const KvView view = s.kv.view();
  std::uint64_t h = 0;
  for (auto t : s.tokens) h = mix(h, t);
  for (std::size_t i = 0; i < more.size(); ++i) {
    h = mix(h, more[i]);
    const int at = s.kv.length() + static_cast<int>(i);
    const std::uint64_t v = ~h;
    std::memcpy(row(view, at, 0, 0), &h, 8);
    std::memcpy(row(view, at, view.layout.layers - 1, 1), &v, 8);
  }
  s.kv.advance(static_cast<int>(more.size()));
  s.tokens.insert(s.tokens.end(), more.begin(), more.end());
  return {};
}

testing::AssertionResult holds(const Sample& s) {
  if (s.kv.length() != static_cast<int>(s.tokens.size())) return testing::AssertionFailure() << "length";
  const KvView view = s.kv.view();
  std::uint64_t h = 0;
  for (int i = 0; i < s.kv.length(); ++i) {
    h = mix(h, s.tokens[static_cast<std::size_t>(i)]);
    std::uint64_t k = 0, v = 0;
    std::memcpy(&k, row(view, i, 0, 0), 8);
    std::memcpy(&v, row(view, i, view.layout.layers - 1, 1), 8);
    if (k != h || v != ~h) return testing::AssertionFailure() << "position " << i << " holds another prefix";
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult sound(const KvCache& cache) {
  const Status s = cache.check_integrity();
  return s ? testing::AssertionSuccess() : testing::AssertionFailure() << s.error().line();
}

struct Rig {
  explicit Rig(std::size_t granules, KvLayout layout = {2, 4, 1024, DType::kF16})  // pages of 1 MiB
      : pool(*DevicePool::create_cpu(granules * kGranuleBytes)),
        cache(*KvCache::create(*pool, layout, "m", granules * kGranuleBytes)) {}
  std::unique_ptr<DevicePool> pool;
  std::unique_ptr<KvCache> cache;
};

Tokens counting(int n, int first = 1) {
  Tokens out(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = first + i;
  return out;
}

TEST(KvCache, ForksShareAndCopyOnlyWhatTheyWrite) {
  Rig rig(16);
  Sample a{rig.cache->new_sequence(), {}};
  ASSERT_TRUE(append(a, counting(40)));
  Sample b{a.kv.fork(), a.tokens};
  EXPECT_EQ(rig.cache->stats().pages_shared, 2u);
  ASSERT_TRUE(append(b, {7, 8}));
  EXPECT_EQ(rig.cache->stats().copies, 1u);
  EXPECT_EQ(a.kv.page_ids()[0], b.kv.page_ids()[0]);
  EXPECT_NE(a.kv.page_ids()[1], b.kv.page_ids()[1]);
  ASSERT_TRUE(append(a, {9}));  // holds its page alone again: no copy
  EXPECT_EQ(rig.cache->stats().copies, 1u);
  EXPECT_TRUE(holds(a));
  EXPECT_TRUE(holds(b));
  EXPECT_TRUE(sound(*rig.cache));
}

TEST(KvCache, PrefixTreeReturnsWholePagesShortOfTheLastToken) {
  Rig rig(16);
  Sample a{rig.cache->new_sequence(), {}};
  ASSERT_TRUE(append(a, counting(100)));
  rig.cache->insert(1, a.tokens, a.kv);
  EXPECT_EQ(rig.cache->stats().pages_in_tree, 3u);
  a.kv = KvSequence();
  EXPECT_EQ(rig.cache->match(1, counting(100)).length(), 96);
  EXPECT_EQ(rig.cache->match(1, counting(96)).length(), 64);  // the last token must be computed
  EXPECT_EQ(rig.cache->match(1, counting(97)).length(), 96);
  EXPECT_EQ(rig.cache->match(2, counting(100)).length(), 0);  // another key never shares
  Tokens other = counting(100);
  other[40] = -5;
  EXPECT_EQ(rig.cache->match(1, other).length(), 32);
  EXPECT_EQ(rig.cache->match(1, {}).length(), 0);
  Sample b{rig.cache->match(1, counting(70)), counting(64)};
  EXPECT_TRUE(holds(b));
  ASSERT_TRUE(append(b, {500, 501}));
  EXPECT_TRUE(holds(b));
  EXPECT_TRUE(sound(*rig.cache));
}

TEST(KvCache, EvictsTheLeastRecentlyUsedLeafFirst) {
  Rig rig(16);
  for (int base : {1000, 2000, 3000}) {
    Sample s{rig.cache->new_sequence(), {}};
    ASSERT_TRUE(append(s, counting(64, base)));
    rig.cache->insert(1, s.tokens, s.kv);
  }
  (void)rig.cache->match(1, counting(65, 1000));  // 2000 is the oldest now
  EXPECT_EQ(rig.cache->evict(1), 1u);
  EXPECT_EQ(rig.cache->match(1, counting(65, 2000)).length(), 32);
  EXPECT_EQ(rig.cache->match(1, counting(65, 1000)).length(), 64);
  KvSequence reader = rig.cache->match(1, counting(65, 3000));
  EXPECT_EQ(rig.cache->evict(100), 3u);  // what the reader holds stays
  EXPECT_EQ(rig.cache->stats().pages_in_tree, 2u);
  EXPECT_TRUE(sound(*rig.cache));
  rig.cache->clear_prefixes();
  reader = KvSequence();
  EXPECT_EQ(rig.pool->stats().committed_bytes, 0u);  // empty regions went back
}

TEST(KvCache, AFullCacheFailsWithoutChangingAnything) {
  Rig rig(2);  // four pages
  Sample a{rig.cache->new_sequence(), {}}, b{rig.cache->new_sequence(), {}};
  ASSERT_TRUE(append(a, counting(70)));
  ASSERT_TRUE(append(b, counting(20)));
  const Status full = b.kv.reserve(40);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kMemory);
  EXPECT_TRUE(holds(b));
  EXPECT_TRUE(sound(*rig.cache));
  EXPECT_EQ(rig.cache->pages_obtainable(), 0u);
  rig.cache->insert(1, a.tokens, a.kv);
  a.kv = KvSequence();
  EXPECT_EQ(rig.cache->pages_obtainable(), 3u);
  ASSERT_TRUE(append(b, counting(100)));  // evicts what only the tree holds
  EXPECT_TRUE(holds(b));
  EXPECT_TRUE(sound(*rig.cache));
}

TEST(KvCache, ASecondModelTakesTheGranulesOfTheFirst) {
  auto pool = *DevicePool::create_cpu(4 * kGranuleBytes);
  const KvLayout layout{2, 4, 1024, DType::kF16};
  auto first = *KvCache::create(*pool, layout, "a", 4 * kGranuleBytes);
  auto second = *KvCache::create(*pool, layout, "b", 4 * kGranuleBytes);
  Sample s{first->new_sequence(), {}};
  ASSERT_TRUE(append(s, counting(256)));
  Sample t{second->new_sequence(), {}};
  EXPECT_FALSE(append(t, {1}));
  first.reset();  // a sequence that outlives its cache is empty
  EXPECT_EQ(s.kv.length(), 0);
  ASSERT_TRUE(append(t, counting(256)));
  EXPECT_TRUE(holds(t));
  EXPECT_EQ(pool->stats().owners.at(0).owner, (Owner{"kv", "b"}));
}

TEST(KvCache, HostileLayoutsAreErrors) {
  auto pool = *DevicePool::create_cpu(4 * kGranuleBytes);
  for (KvLayout layout : {KvLayout{0, 1, 64}, KvLayout{1, -1, 64}, KvLayout{1 << 30, 1 << 30, 1 << 30},
                          KvLayout{2, 2, 64, DType::kQ4_0}, KvLayout{1000, 1000, 1000}})
    EXPECT_FALSE(KvCache::create(*pool, layout, "m", 1u << 30));
  Rig rig(4);
  KvSequence s = rig.cache->new_sequence();
  EXPECT_FALSE(s.reserve(-1));
  EXPECT_FALSE(s.reserve(2'000'000'000));
  EXPECT_FALSE(KvSequence().reserve(1));
}

TEST(KvCache, RegionsWasteLittle) {
  for (std::size_t page : {737'280u, 589'824u, 2048u, 1u << 20, (1u << 21) + 4096u, 40u << 20}) {
    const RegionShape shape = region_shape(page);
    EXPECT_LE(shape.pages * page, shape.granules * kGranuleBytes);
    EXPECT_LE(shape.granules * kGranuleBytes - shape.pages * page, shape.granules * kGranuleBytes / 8)
        << page;
  }
}

// Random operations against plain vectors of tokens; contents and books are checked after each one.
class KvProperty : public testing::TestWithParam<KvLayout> {};

TEST_P(KvProperty, RandomOperationsAgreeWithANaiveModel) {
  Rig rig(12, GetParam());
  std::mt19937 rng(7);
  std::vector<Sample> live;
  std::vector<Tokens> remembered;
  int refused = 0, matched = 0;
  const auto some_tokens = [&](std::size_t n) {
    Tokens out(n);
    for (auto& t : out) t = static_cast<std::int32_t>(rng() % 3);
    return out;
  };
  for (int step = 0; step < 1200; ++step) {
    const std::size_t pick = live.empty() ? 0 : rng() % live.size();
    switch (live.empty() ? 0 : rng() % 8) {
      case 0: {  // a new one, from what is remembered
        Tokens prompt = remembered.empty() ? some_tokens(40) : remembered[rng() % remembered.size()];
        prompt.resize(1 + rng() % (prompt.size() + 10));
        Sample s{rig.cache->match(step % 2, prompt), {}};
        ASSERT_LT(s.kv.length(), static_cast<int>(prompt.size()));
        ASSERT_EQ(s.kv.length() % kPageTokens, 0);
        s.tokens.assign(prompt.begin(), prompt.begin() + s.kv.length());
        matched += s.kv.length() > 0;
        if (live.size() < 12) live.push_back(std::move(s));
        break;
      }
      case 1:
      case 2:
      case 3: {
        const Tokens more = some_tokens(1 + rng() % 50);
        const Tokens before = live[pick].tokens;
        if (!append(live[pick], more)) {
          ++refused;
          ASSERT_EQ(live[pick].tokens, before);
        }
        break;
      }
      case 4:
        live.push_back({live[pick].kv.fork(), live[pick].tokens});
        if (live.size() > 12) live.erase(live.begin());
        break;
      case 5: {
        const int keep = static_cast<int>(rng() % (live[pick].tokens.size() + 1));
        live[pick].kv.truncate(keep);
        live[pick].tokens.resize(static_cast<std::size_t>(keep));
        break;
      }
      case 6:
        rig.cache->insert(step % 2, live[pick].tokens, live[pick].kv);
        remembered.push_back(live[pick].tokens);
        break;
      default:
        if (rng() % 4 == 0) rig.cache->evict(rng() % 4);
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    ASSERT_TRUE(sound(*rig.cache)) << "step " << step;
    for (const Sample& s : live) ASSERT_TRUE(holds(s)) << "step " << step;
    ASSERT_EQ(rig.pool->stats().committed_bytes, rig.cache->stats().bytes_committed);
  }
  EXPECT_GT(matched, 10);
  if (GetParam().head_dim == 1024) {
    EXPECT_GT(refused, 0);  // the small cache was full at times
  }
  live.clear();
  rig.cache->clear_prefixes();
  EXPECT_TRUE(sound(*rig.cache));
  EXPECT_EQ(rig.pool->stats().committed_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Layouts, KvProperty,
                         testing::Values(KvLayout{2, 4, 1024, DType::kF16}, KvLayout{2, 1, 8, DType::kF32}));

TEST(KvCache, APressureHookMayEvictFromTheCacheThatGrows) {
  Rig rig(4);
  rig.pool->set_pressure_hook([&](std::size_t) { return rig.cache->evict(1) > 0; });
  std::mt19937 rng(3);
  for (int i = 0; i < 60; ++i) {
    Sample s{rig.cache->new_sequence(), {}};
    ASSERT_TRUE(append(s, counting(static_cast<int>(33 + rng() % 150), i * 1000)));
    ASSERT_TRUE(holds(s));
    rig.cache->insert(1, s.tokens, s.kv);
    ASSERT_TRUE(sound(*rig.cache));
  }
  rig.pool->set_pressure_hook({});
}

}  // namespace
}  // namespace consort
