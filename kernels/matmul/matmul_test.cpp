// Properties that the cases do not show: independence from rows, neighbours and batches, strides, hostile
// values, and the errors of packing. Values against the reference are in tests/parity.
#include "kernels/matmul/matmul.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "kernels/matmul/layout.h"
#include "kernels/matmul/matmul_rig.h"

namespace consort {
namespace {

constexpr DType kFormats[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                              DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K,
                              DType::kF32,  DType::kF16,  DType::kBF16};

class Matmul : public MatmulRig {};

TEST_F(Matmul, ARowDoesNotDependOnItsNeighbours) {
  for (DType type : kFormats) {
    const std::int64_t k = 512, n = 70, m = 29;
    const PackedMatrix w = packed(type, n, k, 5);
    CaseRandom random(6);
    const auto x = random.normals(m * k);
    for (Isa isa : isas()) {
      const auto all = product(x, m, w, isa);
      for (std::int64_t count : {1, 2, 3, 4, 7, 9, 12}) {
        const std::int64_t first = m - count;
        const std::vector<float> part(x.begin() + first * k, x.end());
        const auto some = product(part, count, w, isa);
        ASSERT_TRUE(same_bits(some.data(), all.data() + first * n, some.size()))
            << dtype_name(type) << " " << isa_name(isa) << " " << count << " rows";
      }
    }
  }
}

TEST_F(Matmul, ABatchOfMixedFormatsEqualsSingleProducts) {
  const std::int64_t k = 512, m = 6;
  std::vector<PackedMatrix> weights;
  for (DType type : kFormats) weights.push_back(packed(type, 16 + 9 * static_cast<std::int64_t>(type), k, 9));
  CaseRandom random(3);
  for (std::int64_t rows : {std::int64_t{1}, m}) {
    const auto x = random.normals(rows * k);
    std::vector<std::vector<float>> outs;
    std::vector<MatmulJob> jobs;
    for (const auto& w : weights) outs.emplace_back(rows * w.rows());
    for (std::size_t i = 0; i < weights.size(); ++i)
      jobs.push_back({&weights[i], make_view(outs[i].data(), DType::kF32, {rows, weights[i].rows()})});
    matmul(exec_, view(x, rows, k), jobs);
    for (std::size_t i = 0; i < weights.size(); ++i)
      EXPECT_EQ(product(x, rows, weights[i], exec_.isa), outs[i]) << dtype_name(weights[i].dtype());
  }
  EXPECT_GT(scratch_.high_water(), 0u);
}

TEST_F(Matmul, StridedRowsAndBiasAndNothingBesidesTheOutputIsWritten) {
  for (DType type : kFormats) {
    const std::int64_t k = 256, n = 37, m = 11, pad = 5;
    const PackedMatrix w = packed(type, n, k, 21);
    CaseRandom random(22);
    const auto x = random.normals(m * (k + pad)), bias = random.normals(n);
    std::vector<float> dense;
    for (std::int64_t r = 0; r < m; ++r)
      dense.insert(dense.end(), x.begin() + r * (k + pad), x.begin() + r * (k + pad) + k);
    for (Isa isa : isas()) {
      const auto expected = product(dense, m, w, isa, bias.data());
      std::vector<float> out(m * (n + pad), 123.0f);
      TensorView xv = view(x, m, k), ov = make_view(out.data(), DType::kF32, {m, n});
      xv.strides[0] = k + pad;
      ov.strides[0] = n + pad;
      Exec exec{threads_, scratch_, isa};
      matmul(exec, xv, w, ov, bias.data());
      for (std::int64_t r = 0; r < m; ++r) {
        ASSERT_TRUE(same_bits(&out[r * (n + pad)], &expected[r * n], n)) << dtype_name(type) << isa_name(isa);
        for (std::int64_t p = 0; p < pad; ++p) ASSERT_EQ(out[r * (n + pad) + n + p], 123.0f);
      }
    }
  }
}

TEST_F(Matmul, NotANumberStaysInItsRow) {
  const std::int64_t k = 256, n = 20, m = 5;
  for (DType type : kFormats) {
    const PackedMatrix w = packed(type, n, k, 31);
    CaseRandom random(32);
    const auto clean = random.normals(m * k);
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                      -std::numeric_limits<float>::infinity()}) {
      auto x = clean;
      x[2 * k + 77] = bad;
      for (Isa isa : isas()) {
        const auto good = product(clean, m, w, isa), out = product(x, m, w, isa);
        for (std::int64_t i = 0; i < m * n; ++i) {
          if (i / n == 2) {
            ASSERT_FALSE(std::isfinite(out[i])) << dtype_name(type) << " " << isa_name(isa);
          } else {
            ASSERT_EQ(out[i], good[i]);
          }
        }
      }
    }
  }
}

TEST_F(Matmul, VerySmallAndVeryLargeActivationsKeepTheirScale) {
  const std::int64_t k = 256, n = 16;
  for (DType type : kFormats) {
    const PackedMatrix w = packed(type, n, k, 41);
    CaseRandom random(42);
    const auto x = random.normals(k);
    for (Isa isa : isas()) {
      const auto base = product(x, 1, w, isa);
      for (float scale : {0x1p-90f, 0x1p-40f, 0x1p40f, 0x1p100f}) {
        auto scaled = x;
        for (float& v : scaled) v *= scale;  // by a power of two: exact
        const auto out = product(scaled, 1, w, isa);
        for (std::int64_t i = 0; i < n; ++i)
          ASSERT_NEAR(out[i] / scale, base[i], 1e-4f * std::fabs(base[i]) + 1e-5f)
              << dtype_name(type) << scale;
      }
      const std::vector<float> zeros(k, 0.0f), dust(k, 1e-39f);
      for (float v : product(zeros, 1, w, isa)) ASSERT_EQ(v, 0.0f);
      for (float v : product(dust, 1, w, isa)) ASSERT_LT(std::fabs(v), 1e-30f);
    }
  }
}

TEST_F(Matmul, PackingTakesTheBytesItAnnouncesAndAboutTheFilesBits) {
  for (DType type : kFormats) {
    const std::size_t before = arena_.used();
    const PackedMatrix w = packed(type, 160, 512, 51);
    EXPECT_EQ(arena_.used() - before, (w.bytes() + 63) / 64 * 64);
    EXPECT_EQ(w.bytes(), PackedMatrix::packed_bytes(type, 160, 512));
    const double file = static_cast<double>(row_bytes(type, 512)) * 160;
    const double allowed = type == DType::kQ2_K ? 2.0 : type == DType::kQ3_K ? 1.4 : 1.06;
    EXPECT_LE(static_cast<double>(w.bytes()), file * allowed) << dtype_name(type);
  }
}

TEST_F(Matmul, RefusesWhatItCannotPack) {
  std::vector<std::byte> bytes(1 << 16);
  const auto kind = [&](TensorView v) {
    auto result = PackedMatrix::pack(arena_, exec_, v);
    return result ? std::string("packed") : std::string(error_kind_name(result.error().kind));
  };
  EXPECT_EQ(kind(make_view(bytes.data(), DType::kI32, {4, 32})), error_kind_name(ErrorKind::kUnsupported));
  EXPECT_EQ(kind(make_view(bytes.data(), DType::kF32, {0, 32})), error_kind_name(ErrorKind::kInvalid));
  EXPECT_EQ(kind(make_view(bytes.data(), DType::kF32, {4, 0})), error_kind_name(ErrorKind::kInvalid));
  EXPECT_EQ(kind(make_view(bytes.data(), DType::kQ4_0, {4, 33})), error_kind_name(ErrorKind::kInvalid));
  EXPECT_EQ(kind(make_view(bytes.data(), DType::kQ4_K, {4, 128})), error_kind_name(ErrorKind::kInvalid));
  EXPECT_EQ(kind(make_view(bytes.data(), DType::kF32, {2, 2, 2})), error_kind_name(ErrorKind::kInvalid));
  EXPECT_EQ(kind(make_view(nullptr, DType::kF32, {2, 2})), error_kind_name(ErrorKind::kInvalid));
  TensorView strided = make_view(bytes.data(), DType::kF32, {4, 8});
  strided.strides[0] = 16;
  EXPECT_EQ(kind(strided), error_kind_name(ErrorKind::kInvalid));
  auto small = DevicePool::create_cpu(4u << 20).value();
  auto arena = WeightArena::create(*small, {"weights", "small"}).value();
  std::vector<std::byte> big(std::size_t{2048} * 1024 * 4);
  auto result = PackedMatrix::pack(arena, exec_, make_view(big.data(), DType::kF32, {2048, 1024}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kMemory);
}

}  // namespace
}  // namespace consort
