// largest_products against matmul: what is computed has its bits, and nothing that may be among the largest
// is left out, whatever weights and activations look like.
#include "kernels/matmul/largest.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "kernels/exec/cases.h"
#include "kernels/matmul/sketch_layout.h"

namespace consort {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

std::uint16_t bf16_of(float v) {
  return static_cast<std::uint16_t>(__builtin_bit_cast(std::uint32_t, v) >> 16);
}

class Largest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kN = 1003, kK = 192;

  // Rows of Q8_0 (scale 2^-e) or bfloat16 near the given floats.
  PackedMatrix packed(DType type, const std::vector<float>& rows) {
    std::vector<std::uint8_t> bytes;
    if (type == DType::kF32) {
      bytes.resize(rows.size() * 4);
      std::memcpy(bytes.data(), rows.data(), bytes.size());
    } else if (type == DType::kBF16) {
      for (const float v : rows) {
        const std::uint16_t half = bf16_of(v);
        bytes.push_back(static_cast<std::uint8_t>(half));
        bytes.push_back(static_cast<std::uint8_t>(half >> 8));
      }
    } else {
      for (std::size_t b = 0; b < rows.size(); b += 32) append_q8(&rows[b], bytes);
    }
    return PackedMatrix::pack(arena_, exec_, make_view(bytes.data(), type, {kN, kK})).value();
  }
  static void append_q8(const float* v, std::vector<std::uint8_t>& bytes) {
    float most = 0;
    for (int i = 0; i < 32; ++i) most = std::max(most, std::fabs(v[i]));
    int exponent = 0;
    std::frexp(most / 127, &exponent);
    exponent = std::clamp(exponent, -14, 15);
    const auto half = static_cast<std::uint16_t>((exponent + 15) << 10);  // 2^exponent
    bytes.push_back(static_cast<std::uint8_t>(half));
    bytes.push_back(static_cast<std::uint8_t>(half >> 8));
    for (int i = 0; i < 32; ++i)
      bytes.push_back(static_cast<std::uint8_t>(
          static_cast<std::int8_t>(std::clamp(std::lrint(std::ldexp(v[i], -exponent)), -127L, 127L))));
  }

  // Compares under every instruction set; returns the share of tiles computed.
  double check(const PackedMatrix& w, const std::vector<float>& x, std::int64_t m, int count) {
    const RowSketch sketch = RowSketch::make(arena_, exec_, w).value();
    EXPECT_FALSE(sketch.empty());
    double share = 0;
    for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
      if (!isa_supported(isa)) continue;
      Exec exec{threads_, scratch_, isa};
      const TensorView in = make_view(const_cast<float*>(x.data()), DType::kF32, {m, kK});
      std::vector<float> all(static_cast<std::size_t>(m * kN)), some(all.size());
      matmul(exec, in, w, make_view(all.data(), DType::kF32, {m, kN}));
      const LargestWork work =
          largest_products(exec, in, w, sketch, count, make_view(some.data(), DType::kF32, {m, kN}));
      EXPECT_EQ(work.tiles, static_cast<std::size_t>(m) * ((kN + 15) / 16));
      share = static_cast<double>(work.computed) / static_cast<double>(work.tiles);
      for (std::int64_t r = 0; r < m; ++r) compare_row(&all[r * kN], &some[r * kN], count, isa);
    }
    return share;
  }
  static void compare_row(const float* all, const float* some, int count, Isa isa) {
    std::vector<float> sorted(all, all + kN);
    std::sort(sorted.begin(), sorted.end(), std::greater<float>());
    const float least = sorted[std::min<std::size_t>(static_cast<std::size_t>(count), sorted.size()) - 1];
    for (std::int64_t n = 0; n < kN; ++n) {
      const bool same = std::memcmp(all + n, some + n, sizeof(float)) == 0;
      ASSERT_TRUE(same || (some[n] == kMinusInfinity && all[n] < least))
          << isa_name(isa) << " output " << n << ": " << some[n] << ", matmul " << all[n] << ", least wanted "
          << least;
    }
  }

  std::unique_ptr<DevicePool> pool_ = DevicePool::create_cpu(std::size_t{256} << 20).value();
  WeightArena arena_ = WeightArena::create(*pool_, {"weights", "test"}).value();
  ThreadPool threads_{2};
  ScratchArena scratch_{*pool_, {"activations", "test"}};
  Exec exec_{threads_, scratch_};
};

constexpr DType kTypes[] = {DType::kQ8_0, DType::kBF16, DType::kF32};

TEST_F(Largest, RandomRowsOfEveryTypeAndCount) {
  CaseRandom random(1);
  const auto weights = random.normals(kN * kK);
  auto x = random.normals(13 * kK);
  for (std::size_t i = 0; i < x.size(); i += 61) x[i] *= 20;  // outliers, as in real activations
  for (const DType type : kTypes) {
    const PackedMatrix w = packed(type, weights);
    for (const std::int64_t m : {1, 2, 3, 4, 7, 13})
      for (const int count : {1, 5, 40}) check(w, x, m, count);
  }
}

TEST_F(Largest, AClearWinnerLeavesMostUnread) {
  CaseRandom random(2);
  auto weights = random.normals(kN * kK);
  const auto x = random.normals(kK);
  for (int k = 0; k < kK; ++k)
    weights[777 * kK + static_cast<std::size_t>(k)] = x[static_cast<std::size_t>(k)];
  for (const DType type : kTypes) EXPECT_LT(check(packed(type, weights), x, 1, 1), 0.1) << dtype_name(type);
}

// Every tile's bounds hold matmul's largest value between them, under every instruction set.
TEST_F(Largest, TheBoundsHold) {
  using matmul_detail::kRestUnits;
  using matmul_detail::sketch_tile_bytes;
  using matmul_detail::sketch_tile_of;
  using matmul_detail::SketchRow;
  CaseRandom random(7);
  const std::int64_t blocks = kK / 32;
  const auto x = random.normals(kK);
  for (const DType type : kTypes) {
    const PackedMatrix w = packed(type, random.normals(kN * kK));
    const RowSketch sketch = RowSketch::make(arena_, exec_, w).value();
    // As large as the bytes may be: x' = scale x exactly.
    std::vector<std::int8_t> bytes(kK);
    std::vector<float> scales(blocks), norms(blocks), whole(kK), out(kN);
    std::vector<std::int32_t> offsets(blocks);
    for (std::int64_t k = 0; k < kK; ++k) {
      bytes[k] = static_cast<std::int8_t>(std::clamp(std::lrint(x[k] * 40), -127L, 127L));
      whole[k] = 0.5f * bytes[k];
    }
    for (std::int64_t b = 0; b < blocks; ++b) {
      double square = 0;
      for (std::int64_t k = 32 * b; k < 32 * b + 32; ++k) {
        offsets[b] -= 16 * bytes[k];
        square += static_cast<double>(whole[k]) * whole[k];
      }
      scales[b] = 0.5f;
      norms[b] = static_cast<float>(std::sqrt(square) * 1.0001 / kRestUnits);
    }
    matmul(exec_, make_view(whole.data(), DType::kF32, {1, kK}), w,
           make_view(out.data(), DType::kF32, {1, kN}));
    const SketchRow row{bytes.data(), scales.data(), offsets.data(), norms.data(), 0.05f};
    for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
      if (!isa_supported(isa)) continue;
      for (std::int64_t t = 0; 16 * t < kN; ++t) {
        const auto live = static_cast<int>(std::min<std::int64_t>(16, kN - 16 * t));
        const float most = *std::max_element(&out[16 * t], &out[16 * t] + live);
        float upper = 0, lower = 0;
        sketch_tile_of(isa)(reinterpret_cast<const std::uint8_t*>(sketch.tiles()) +
                                static_cast<std::size_t>(t) * sketch_tile_bytes(blocks),
                            blocks, sketch.norms() + 16 * t, live, &row, 1, &upper, &lower);
        ASSERT_LE(lower, most) << isa_name(isa) << " tile " << t;
        ASSERT_GE(upper, most) << isa_name(isa) << " tile " << t;
        ASSERT_LT(upper - lower, 0.6 * 14 * 240) << "a bound that says nothing";
      }
    }
  }
}

TEST_F(Largest, NearTiesAreDecidedByTheRealProducts) {
  CaseRandom random(3);
  const auto base = random.normals(kK), x = random.normals(2 * kK);
  std::vector<float> weights;
  for (std::int64_t n = 0; n < kN; ++n)
    for (const float v : base) weights.push_back(v * (n % 5 == 0 ? 1.0f : 1.0f + 1e-3f * random.normal()));
  for (const DType type : kTypes)
    for (const int count : {1, 3}) check(packed(type, weights), x, 2, count);
}

TEST_F(Largest, ScalesFromTinyToHuge) {
  CaseRandom random(4);
  for (const float scale : {1e-4f, 1.0f, 3e3f})
    for (const float x_scale : {0.0f, 1e-35f, 1e-6f, 1e12f}) {
      auto weights = random.normals(kN * kK, scale);
      for (std::size_t i = 0; i < weights.size(); i += 1000) weights[i] *= 40;
      check(packed(DType::kF32, weights), random.normals(2 * kK, x_scale), 2, 1);
    }
}

TEST_F(Largest, ARowThatIsNotFiniteIsComputedWhole) {
  CaseRandom random(5);
  const PackedMatrix w = packed(DType::kQ8_0, random.normals(kN * kK));
  const RowSketch sketch = RowSketch::make(arena_, exec_, w).value();
  auto x = random.normals(2 * kK);
  x[5] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> all(2 * kN), some(2 * kN);
  const TensorView in = make_view(x.data(), DType::kF32, {2, kK});
  matmul(exec_, in, w, make_view(all.data(), DType::kF32, {2, kN}));
  largest_products(exec_, in, w, sketch, 1, make_view(some.data(), DType::kF32, {2, kN}));
  for (std::int64_t n = 0; n < kN; ++n) EXPECT_TRUE(std::isnan(some[static_cast<std::size_t>(n)]));
  compare_row(&all[kN], &some[kN], 1, best_isa());
}

TEST_F(Largest, WeightsThatHaveNoSketch) {
  CaseRandom random(6);
  auto weights = random.normals(kN * kK);
  weights[100] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(RowSketch::make(arena_, exec_, packed(DType::kF32, weights)).value().empty());
  weights[100] = 1e6f;
  EXPECT_TRUE(RowSketch::make(arena_, exec_, packed(DType::kF32, weights)).value().empty());
}

}  // namespace
}  // namespace consort
