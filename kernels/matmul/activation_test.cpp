// The other arithmetics of block formats: the same bits for every instruction set and every number of rows, within
// the bound of the reference, and each as exact as it says.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/matmul/matmul_rig.h"
#include "kernels/matmul/reference.h"

namespace consort {
namespace {

constexpr DType kFormats[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                              DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
constexpr ActivationFormat kActivations[] = {ActivationFormat::kInt16, ActivationFormat::kInt8,
                                             ActivationFormat::kBf16, ActivationFormat::kFloat32};
constexpr std::int64_t kCols = 512, kOutputs = 70, kRows = 29;

class Activations : public MatmulRig {
 protected:
  PackedMatrix packed(DType type, ActivationFormat format) {
    PackedMatrix w = MatmulRig::packed(type, kOutputs, kCols, 5);
    w.set_activation(format);
    return w;
  }
  std::vector<float> product(const std::vector<float>& x, const PackedMatrix& w, Isa isa) {
    return MatmulRig::product(x, std::ssize(x) / kCols, w, isa);
  }
  static TensorView view(const std::vector<float>& x) { return MatmulRig::view(x, std::ssize(x) / kCols, kCols); }
  static std::vector<float> rows_of(const std::vector<float>& x, std::int64_t first, std::int64_t count) {
    return {x.begin() + first * kCols, x.begin() + (first + count) * kCols};
  }
};

TEST_F(Activations, AreTheSameForEveryInstructionSetAndNumberOfRows) {
  for (const DType type : kFormats)
    for (const ActivationFormat format : kActivations) {
      const PackedMatrix w = packed(type, format);
      CaseRandom random(6);
      const auto x = random.normals(kRows * kCols);
      const auto all = product(x, w, Isa::kScalar);
      for (const Isa isa : isas())
        for (const std::int64_t count : {1, 2, 3, 4, 5, 6, 7, 9, 12, 29}) {
          const auto some = product(rows_of(x, kRows - count, count), w, isa);
          ASSERT_TRUE(same_bits(some.data(), all.data() + (kRows - count) * kOutputs, some.size()))
              << dtype_name(type) << " " << activation_name(format) << " " << isa_name(isa) << " " << count << " rows";
        }
    }
}

TEST_F(Activations, StayWithinTheBoundOfTheReference) {
  for (const DType type : kFormats)
    for (const ActivationFormat format : kActivations) {
      const PackedMatrix w = packed(type, format);
      CaseRandom random(7);
      auto x = random.normals(5 * kCols);
      for (std::size_t i = 0; i < x.size(); i += 37) x[i] *= 100;  // what a scale for 32 has to bear
      std::vector<float> expected(5 * kOutputs), bound(expected.size());
      matmul_reference(view(x), w, nullptr, expected.data(), bound.data());
      const auto out = product(x, w, exec_.isa);
      double worst = 0, size = 0;
      for (std::size_t i = 0; i < out.size(); ++i) {
        ASSERT_LE(std::fabs(out[i] - expected[i]), bound[i]) << dtype_name(type) << " " << activation_name(format);
        worst = std::max(worst, std::fabs(double{out[i]} - expected[i]));
        size = std::max(size, std::fabs(double{expected[i]}));
      }
      const double allowed = format == ActivationFormat::kInt8   ? 0.03
                             : format == ActivationFormat::kBf16 ? 0.01
                             : format == ActivationFormat::kInt16 ? 1e-4
                                                                  : 1e-5;
      EXPECT_LT(worst / size, allowed) << dtype_name(type) << " " << activation_name(format);
      if (format == ActivationFormat::kInt8) {
        EXPECT_GT(worst / size, 1e-4);  // else it is not what it says
      }
    }
}

TEST_F(Activations, NotANumberStaysInItsRow) {
  for (const DType type : kFormats)
    for (const ActivationFormat format : kActivations) {
      const PackedMatrix w = packed(type, format);
      CaseRandom random(8);
      const auto clean = random.normals(7 * kCols);
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        auto x = clean;
        x[2 * kCols + 77] = bad;
        for (const Isa isa : isas()) {
          const auto good = product(clean, w, isa), out = product(x, w, isa);
          for (std::size_t i = 0; i < out.size(); ++i)
            if (i / kOutputs == 2) {
              ASSERT_FALSE(std::isfinite(out[i])) << dtype_name(type) << " " << activation_name(format);
            } else {
              ASSERT_EQ(out[i], good[i]);
            }
        }
      }
    }
}

TEST_F(Activations, PlainWeightsInTheSameCallKeepTheirFloats) {
  CaseRandom random(9);
  const PackedMatrix plain = MatmulRig::packed(DType::kF32, kOutputs, kCols, 9);
  for (const ActivationFormat format : kActivations) {
    const PackedMatrix w = packed(DType::kQ4_1, format);
    for (const std::int64_t rows : {1, 3, 8}) {
      const auto x = random.normals(rows * kCols);
      std::vector<float> a(static_cast<std::size_t>(rows * kOutputs)), b(a.size());
      const MatmulJob jobs[] = {{&w, make_view(a.data(), DType::kF32, {rows, kOutputs})},
                                {&plain, make_view(b.data(), DType::kF32, {rows, kOutputs})}};
      matmul(exec_, view(x), jobs);
      EXPECT_EQ(a, product(x, w, exec_.isa)) << activation_name(format) << rows;
      EXPECT_EQ(b, product(x, plain, exec_.isa)) << activation_name(format) << rows;
    }
  }
}

TEST(ActivationFormat, NamesGoBothWays) {
  for (const ActivationFormat format : kActivations) EXPECT_EQ(activation_of(activation_name(format)), format);
  EXPECT_FALSE(activation_of("int4"));
}

}  // namespace
}  // namespace consort
