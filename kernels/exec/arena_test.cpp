#include <array>
#include <cstring>
#include <new>

#include <gtest/gtest.h>

#include "kernels/exec/exec.h"
#include "kernels/exec/weight_arena.h"

namespace consort {
namespace {

TEST(ScratchArena, IsAStackWithStableAddresses) {
  auto pool = DevicePool::create_cpu(64u << 20).value();
  ScratchArena arena(*pool, {"activations", "test"});
  std::byte* first = arena.take(100);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0u);
  std::byte* inner = nullptr;
  {
    ScratchArena::Mark mark(arena);
    inner = arena.take(10u << 20);
    std::memset(inner, 1, 10u << 20);
    EXPECT_EQ(inner, first + 128);
    TensorView t = arena.tensor(DType::kF32, {3, 5});
    EXPECT_EQ(t.rows(), 3);
    EXPECT_EQ(t.cols(), 5);
  }
  EXPECT_EQ(arena.take(1), inner);
  EXPECT_GE(arena.high_water(), 10u << 20);
  const std::size_t before = pool->stats().committed_bytes;
  arena.trim();
  EXPECT_LT(pool->stats().committed_bytes, before);
}

TEST(ScratchArena, PastThePoolsLimitThrowsAndKeepsWhatItHad) {
  auto pool = DevicePool::create_cpu(8u << 20).value();
  ScratchArena arena(*pool, {"activations", "test"});
  std::byte* kept = arena.take(1u << 20);
  std::memset(kept, 7, 1u << 20);
  EXPECT_THROW(arena.take(16u << 20), std::bad_alloc);
  EXPECT_THROW(arena.take(~std::size_t{0} - 8), std::bad_alloc);
  EXPECT_EQ(static_cast<int>(kept[1000]), 7);
  EXPECT_NE(arena.take(1u << 20), nullptr);
}

TEST(WeightArena, PacksSmallBlocksTightlyAndReportsALimit) {
  auto pool = DevicePool::create_cpu(16u << 20).value();
  auto arena = WeightArena::create(*pool, {"weights", "test"}).value();
  std::byte* a = arena.take(70).value();
  std::byte* b = arena.take(70).value();
  EXPECT_EQ(b - a, 128);
  const std::array<float, 3> values{1, 2, 3};
  auto copied = arena.copy(values).value();
  EXPECT_EQ(copied[2], 3.0f);
  EXPECT_LE(pool->stats().committed_bytes, 8u << 20);
  auto too_much = arena.take(32u << 20);
  ASSERT_FALSE(too_much);
  EXPECT_EQ(too_much.error().kind, ErrorKind::kMemory);
  WeightArena moved = std::move(arena);
  EXPECT_TRUE(moved.take(9u << 20));
  EXPECT_EQ(copied[1], 2.0f);
}

}  // namespace
}  // namespace consort
