#include "memory/device/device_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "memory/device/process_memory.h"

namespace consort {
namespace {

std::unique_ptr<DevicePool> make_pool(std::size_t granules) {
  auto pool = DevicePool::create_cpu(granules * kGranuleBytes);
  EXPECT_TRUE(pool) << pool.error().line();
  return std::move(*pool);
}

Region must_allocate(DevicePool& pool, std::size_t bytes, Owner owner) {
  auto region = pool.allocate(bytes, std::move(owner));
  EXPECT_TRUE(region) << region.error().line();
  return std::move(*region);
}

// Which places of the backing file lie behind a region, as the operating system says.
std::set<std::uint64_t> file_offsets(const Region& region) {
  std::set<std::uint64_t> out;
  std::ifstream maps("/proc/self/maps");
  const auto begin = reinterpret_cast<std::uint64_t>(region.data());
  const auto end = begin + region.committed();
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t from = 0, to = 0, offset = 0;
    char mode[8] = {};
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64, &from, &to, mode, &offset) != 4)
      continue;
    for (std::uint64_t at = std::max(from, begin); at < std::min(to, end); at += kGranuleBytes)
      out.insert(offset + (at - from));
  }
  return out;
}

void expect_books_balance(const DevicePool& pool) {
  const PoolStats s = pool.stats();
  std::size_t sum = 0;
  for (const auto& row : s.owners) sum += row.committed_bytes;
  EXPECT_EQ(sum, s.committed_bytes);
  EXPECT_LE(s.committed_bytes, s.limit_bytes);
  EXPECT_LE(s.committed_bytes, s.peak_bytes);
}

TEST(DevicePool, UnloadingOneOwnerLetsAnotherTakeTheSameGranules) {
  auto pool = make_pool(8);
  Region first = must_allocate(*pool, 6 * kGranuleBytes, {"weights", "a"});
  const auto places = file_offsets(first);
  ASSERT_EQ(places.size(), 6u);
  std::memset(first.data(), 0x5a, first.committed());
  EXPECT_FALSE(pool->allocate(3 * kGranuleBytes, {"weights", "b"}));  // the limit is 8
  first = Region();
  EXPECT_EQ(pool->stats().free_granules, 6u);

  Region second = must_allocate(*pool, 6 * kGranuleBytes, {"weights", "b"});
  EXPECT_EQ(file_offsets(second), places);
  for (std::size_t i = 0; i < second.committed(); i += 4093) ASSERT_EQ(second.data()[i], std::byte{0});
  EXPECT_EQ(pool->stats().peak_bytes, 6 * kGranuleBytes);
  expect_books_balance(*pool);
}

TEST(DevicePool, CommittedMemoryIsResidentAndReturnsToTheSystemWhenTrimmed) {
  auto pool = make_pool(64);
  const std::size_t before = process_memory().shared;
  Region region = must_allocate(*pool, 32 * kGranuleBytes, {"kv", "m"});
  const std::size_t held = process_memory().shared - before;
  EXPECT_NEAR(static_cast<double>(held), static_cast<double>(pool->stats().committed_bytes),
              0.01 * 32 * kGranuleBytes);
  region = Region();
  EXPECT_LT(process_memory().shared, before + kGranuleBytes);
  pool->trim_free();
  EXPECT_EQ(pool->stats().free_granules, 0u);
  Region again = must_allocate(*pool, kGranuleBytes, {"kv", "m"});
  EXPECT_EQ(again.data()[123], std::byte{0});
}

TEST(DevicePool, AddressesStayAndContentsLiveWhileARegionGrowsAndShrinks) {
  auto pool = make_pool(16);
  auto region = pool->reserve(std::size_t{1} << 34, {"activations", "lane"});
  ASSERT_TRUE(region) << region.error().line();
  EXPECT_EQ(region->committed(), 0u);
  ASSERT_TRUE(pool->commit(*region, 100));
  std::byte* const data = region->data();
  data[99] = std::byte{7};
  ASSERT_TRUE(pool->commit(*region, 5 * kGranuleBytes));
  EXPECT_EQ(region->data(), data);
  EXPECT_EQ(data[99], std::byte{7});
  data[4 * kGranuleBytes] = std::byte{9};
  pool->trim(*region, kGranuleBytes + 1);
  EXPECT_EQ(region->committed(), 2 * kGranuleBytes);
  EXPECT_EQ(pool->stats().free_granules, 3u);
  ASSERT_TRUE(pool->commit(*region, 5 * kGranuleBytes));
  EXPECT_EQ(data[4 * kGranuleBytes], std::byte{0});
  EXPECT_FALSE(pool->commit(*region, 17 * kGranuleBytes));  // over the limit: nothing changes
  EXPECT_EQ(region->committed(), 5 * kGranuleBytes);
  EXPECT_EQ(pool->commit(*region, std::size_t{1} << 40).error().kind, ErrorKind::kMemory);
  expect_books_balance(*pool);
}

TEST(DevicePool, PressureHookFreesMemoryForAnotherOwner) {
  auto pool = make_pool(4);
  std::vector<Region> cache;
  for (int i = 0; i < 4; ++i) cache.push_back(must_allocate(*pool, kGranuleBytes, {"kv", "m"}));
  std::size_t asked = 0;
  pool->set_pressure_hook([&](std::size_t missing) {
    asked = missing;
    if (cache.empty()) return false;
    cache.pop_back();
    return true;
  });
  Region weights = must_allocate(*pool, 2 * kGranuleBytes, {"weights", "m"});
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(asked, kGranuleBytes);
  auto too_much = pool->allocate(3 * kGranuleBytes, {"weights", "n"});
  ASSERT_FALSE(too_much);
  EXPECT_EQ(too_much.error().kind, ErrorKind::kMemory);
  expect_books_balance(*pool);
}

TEST(DevicePool, HostileSizesAreErrors) {
  EXPECT_EQ(DevicePool::create_cpu(100).error().kind, ErrorKind::kInvalid);
  auto pool = make_pool(4);
  for (std::size_t bytes : {std::size_t{0}, ~std::size_t{0}, ~std::size_t{0} - kGranuleBytes})
    EXPECT_FALSE(pool->allocate(bytes, {"weights", "x"})) << bytes;
  auto huge = pool->reserve(std::size_t{1} << 60, {"weights", "x"});
  EXPECT_EQ(huge.error().kind, ErrorKind::kMemory);
  expect_books_balance(*pool);
  EXPECT_EQ(pool->stats().committed_bytes, 0u);
}

TEST(DevicePool, RandomOperationsKeepTheBooks) {
  auto pool = make_pool(24);
  std::mt19937 rng(20240611);
  std::vector<Region> regions;
  std::vector<std::byte> marks;
  for (int step = 0; step < 1500; ++step) {
    const std::size_t bytes = 1 + rng() % (5 * kGranuleBytes);
    if (regions.size() < 8 && rng() % 3 == 0) {
      auto region = pool->reserve(6 * kGranuleBytes, {"r", std::to_string(rng() % 3)});
      ASSERT_TRUE(region);
      regions.push_back(std::move(*region));
      marks.push_back(static_cast<std::byte>(1 + rng() % 255));
    } else if (!regions.empty()) {
      const std::size_t i = rng() % regions.size();
      const std::size_t before = regions[i].committed();
      switch (rng() % 3) {
        case 0:
          if (pool->commit(regions[i], bytes)) {
            for (std::size_t at = before; at < regions[i].committed(); at += kGranuleBytes / 2) {
              ASSERT_EQ(regions[i].data()[at], std::byte{0});
              regions[i].data()[at] = marks[i];
            }
          }
          break;
        case 1:
          pool->trim(regions[i], bytes);
          break;
        default:
          regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(i));
          marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    for (std::size_t i = 0; i < regions.size(); ++i)
      for (std::size_t at = 0; at < regions[i].committed(); at += kGranuleBytes / 2)
        ASSERT_EQ(regions[i].data()[at], marks[i]);
    expect_books_balance(*pool);
  }
}

TEST(DevicePool, ManyThreadsShareIt) {
  auto pool = make_pool(32);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 40; ++i) {
        auto region = pool->allocate((1 + (i + t) % 4) * kGranuleBytes, {"t", std::to_string(t)});
        ASSERT_TRUE(region);
        ASSERT_EQ(region->data()[kGranuleBytes - 1], std::byte{0});
        region->data()[kGranuleBytes - 1] = std::byte{1};
        ASSERT_LE(pool->stats().committed_bytes, pool->stats().limit_bytes);
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(pool->stats().committed_bytes, 0u);
  expect_books_balance(*pool);
}

// A file of `bytes` bytes that count up, open for reading; its name is gone already.
int counting_file(std::size_t bytes) {
  std::string name = std::string(::testing::TempDir()) + "consort-pool-XXXXXX";
  const int fd = mkstemp(name.data());
  EXPECT_GE(fd, 0);
  unlink(name.c_str());
  std::string content(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>(i * 7 / 3);
  EXPECT_EQ(write(fd, content.data(), bytes), static_cast<ssize_t>(bytes));
  return fd;
}

TEST(DevicePool, AMappedFileIsBookedOnItsOwnerAndResident) {
  auto pool = make_pool(8);
  constexpr std::size_t kBytes = 3 * kGranuleBytes + 100, kPages = 3 * kGranuleBytes + 4096;
  const int fd = counting_file(kBytes);
  Region granules = must_allocate(*pool, kGranuleBytes, {"weights", "a"});
  auto file = pool->map_file(fd, kBytes, {"weights", "a"});
  ASSERT_TRUE(file) << file.error().line();
  close(fd);  // the mapping stays
  EXPECT_EQ(file->committed(), kPages);
  for (std::size_t i = 0; i < kBytes; i += 997)
    ASSERT_EQ(file->data()[i], static_cast<std::byte>(static_cast<char>(i * 7 / 3))) << i;
  const PoolStats stats = pool->stats();
  ASSERT_EQ(stats.owners.size(), 1u);
  EXPECT_EQ(stats.owners[0].committed_bytes, kGranuleBytes + kPages);
  EXPECT_EQ(stats.owners[0].file_bytes, kPages);
  EXPECT_EQ(stats.owners[0].used_bytes, kGranuleBytes + kBytes);
  EXPECT_EQ(stats.committed_bytes, kGranuleBytes + kPages);
  EXPECT_EQ(pool->resident_file_bytes(), kPages);
  expect_books_balance(*pool);
  pool->trim(*file, 0);  // files do not shrink, nor grow
  EXPECT_EQ(file->committed(), kPages);
  EXPECT_TRUE(pool->commit(*file, kBytes));
  EXPECT_EQ(pool->commit(*file, 4 * kGranuleBytes).error().kind, ErrorKind::kInvalid);
  *file = Region();
  EXPECT_EQ(pool->stats().committed_bytes, kGranuleBytes);
  EXPECT_EQ(pool->resident_file_bytes(), 0u);
  expect_books_balance(*pool);
}

TEST(DevicePool, AMappedFileMeetsTheLimitAndTheHookLikeGranules) {
  auto pool = make_pool(4);
  const int fd = counting_file(3 * kGranuleBytes);
  std::vector<Region> cache;
  cache.push_back(must_allocate(*pool, 2 * kGranuleBytes, {"kv", "m"}));
  auto refused = pool->map_file(fd, 3 * kGranuleBytes, {"weights", "m"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kMemory);
  expect_books_balance(*pool);
  pool->set_pressure_hook([&](std::size_t) {
    if (cache.empty()) return false;
    cache.clear();
    return true;
  });
  auto mapped = pool->map_file(fd, 3 * kGranuleBytes, {"weights", "m"});
  EXPECT_TRUE(mapped);
  EXPECT_FALSE(pool->allocate(2 * kGranuleBytes, {"kv", "m"}));
  for (const std::size_t bytes : {std::size_t{0}, 3 * kGranuleBytes + 1, ~std::size_t{0}})
    EXPECT_EQ(pool->map_file(fd, bytes, {"weights", "n"}).error().kind, ErrorKind::kInvalid) << bytes;
  EXPECT_FALSE(pool->map_file(-1, 10, {"weights", "n"}));
  expect_books_balance(*pool);
  close(fd);
}

}  // namespace
}  // namespace consort
