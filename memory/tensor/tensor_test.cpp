#include "memory/tensor/tensor.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "memory/base/checked.h"

namespace consort {
namespace {

TEST(Tensor, ViewsDescribeTheirLayout) {
  std::vector<float> data(24);
  TensorView v = make_view(data.data(), DType::kF32, {2, 3, 4});
  EXPECT_EQ(v.elements(), 24);
  EXPECT_EQ(v.rows(), 6);
  EXPECT_EQ(v.cols(), 4);
  EXPECT_EQ(v.bytes(), 96u);
  EXPECT_EQ(v.strides[0], 12);
  EXPECT_EQ(v.strides[1], 4);
  EXPECT_TRUE(v.contiguous());
  EXPECT_EQ(describe(v), "f32 [2, 3, 4]");
  v.strides[0] = 24;
  EXPECT_FALSE(v.contiguous());
  v.dims[0] = 1;  // one row: its stride says nothing
  EXPECT_TRUE(v.contiguous());
  EXPECT_EQ(describe(make_view(data.data(), DType::kQ4_K, {1, 256})), "q4_k [1, 256]");
  EXPECT_EQ(make_view(data.data(), DType::kQ4_K, {3, 512}).bytes(), 3u * 2 * 144);
  EXPECT_EQ(describe(make_view(data.data(), DType::kF32, {})), "f32 []");
}

TEST(Tensor, SizesFromOutsideAreChecked) {
  const auto bytes = [](DType t, std::vector<std::int64_t> dims) { return tensor_bytes(t, dims); };
  EXPECT_EQ(*bytes(DType::kF16, {3, 5}), 30u);
  EXPECT_EQ(*bytes(DType::kQ8_0, {2, 64}), 2u * 2 * 34);
  EXPECT_EQ(*bytes(DType::kF32, {}), 4u);
  EXPECT_EQ(*bytes(DType::kF32, {0, 7}), 0u);
  const std::int64_t big = std::numeric_limits<std::int64_t>::max();
  for (const auto& dims : {std::vector<std::int64_t>{big, 2}, {-1, 4}, {big}, {1, 1, 1, 1, 1}}) {
    auto got = bytes(DType::kF32, dims);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::kInvalid);
  }
  EXPECT_FALSE(bytes(DType::kQ4_0, {2, 48}));  // cuts a block of 32
  EXPECT_FALSE(checked_mul(~std::size_t{0}, 2));
  EXPECT_FALSE(checked_add(~std::size_t{0}, 1));
}

TEST(Tensor, AllocationIsDrawnFromThePoolAndGivenBack) {
  auto pool = *DevicePool::create_cpu(4 * kGranuleBytes);
  {
    const std::int64_t dims[] = {300, 1000};
    auto t = Tensor::allocate(*pool, {"activations", "test"}, DType::kF32, dims);
    ASSERT_TRUE(t) << t.error().line();
    EXPECT_EQ(pool->stats().owners.at(0).used_bytes, 1'200'000u);
    t->view().as<float>()[299'999] = 4;
    Tensor moved = std::move(*t);
    EXPECT_EQ(moved.view().as<float>()[299'999], 4);
    EXPECT_TRUE(t->empty());
    const std::int64_t large[] = {1 << 20, 16};
    EXPECT_EQ(Tensor::allocate(*pool, {"activations", "test"}, DType::kF32, large).error().kind,
              ErrorKind::kMemory);
  }
  EXPECT_EQ(pool->stats().committed_bytes, 0u);
}

}  // namespace
}  // namespace consort
