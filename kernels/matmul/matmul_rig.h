// What tests of products share: packed random weights, and products by each instruction set. Only tests include it.
#pragma once

#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/matmul/matmul.h"
#include "kernels/matmul/random_weights.h"

namespace consort {

class MatmulRig : public ::testing::Test {
 protected:
  PackedMatrix packed(DType type, std::int64_t n, std::int64_t k, std::uint64_t seed) {
    CaseRandom random(seed);
    auto bytes = random_weights(type, n, k, random);
    return PackedMatrix::pack(arena_, exec_, make_view(bytes.data(), type, {n, k})).value();
  }
  std::vector<float> product(const std::vector<float>& x, std::int64_t m, const PackedMatrix& w, Isa isa,
                             const float* bias = nullptr) {
    std::vector<float> out(m * w.rows(), std::numeric_limits<float>::quiet_NaN());
    Exec exec{threads_, scratch_, isa};
    matmul(exec, view(x, m, w.cols()), w, make_view(out.data(), DType::kF32, {m, w.rows()}), bias);
    return out;
  }
  static TensorView view(const std::vector<float>& x, std::int64_t m, std::int64_t k) {
    return make_view(const_cast<float*>(x.data()), DType::kF32, {m, k});
  }
  static bool same_bits(const float* a, const float* b, std::size_t n) {
    return std::memcmp(a, b, n * sizeof(float)) == 0;
  }
  std::vector<Isa> isas() {
    std::vector<Isa> found;
    for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512})
      if (isa_supported(isa)) found.push_back(isa);
    return found;
  }

  std::unique_ptr<DevicePool> pool_ = DevicePool::create_cpu(std::size_t{256} << 20).value();
  WeightArena arena_ = WeightArena::create(*pool_, {"weights", "test"}).value();
  ThreadPool threads_{2};
  ScratchArena scratch_{*pool_, {"activations", "test"}};
  Exec exec_{threads_, scratch_};
};

}  // namespace consort
