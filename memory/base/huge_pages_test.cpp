#include "memory/base/huge_pages.h"

#include <cstdint>
#include <numeric>

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(HugeVector, KeepsItsValuesWhileItGrowsIntoHugePages) {
  HugeVector<std::int32_t> v;
  const std::size_t count = 3 * kHugePage / sizeof(std::int32_t);
  for (std::size_t i = 0; i < count; ++i) v.push_back(static_cast<std::int32_t>(i));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(v.data()) % kHugePage, 0u);
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(v[i], static_cast<std::int32_t>(i));
  v.resize(10);
  v.shrink_to_fit();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(v.data()) % 64, 0u);
  EXPECT_EQ(std::accumulate(v.begin(), v.end(), 0), 45);
}

TEST(HugeVector, RefusesWhatNoAddressSpaceHolds) {
  HugeAllocator<std::int64_t> allocator;
  EXPECT_THROW(static_cast<void>(allocator.allocate(std::numeric_limits<std::size_t>::max() / 4)), std::bad_alloc);
}

}  // namespace
}  // namespace consort
