// Packing loses nothing: a row read back from the packed layout has the bits of the file format's own
// decoding (models/formats/dequantize.h), for random bytes of every format.
#include <cstring>

#include <gtest/gtest.h>

#include "kernels/matmul/matmul.h"
#include "kernels/matmul/random_weights.h"
#include "models/formats/dequantize.h"

namespace consort::parity {
namespace {

class PackedRows : public ::testing::TestWithParam<DType> {};

TEST_P(PackedRows, HaveTheBitsOfTheFileFormat) {
  const DType type = GetParam();
  const std::int64_t rows = 37, cols = 768;
  CaseRandom random(11);
  auto bytes = random_weights(type, rows, cols, random);
  auto pool = DevicePool::create_cpu(std::size_t{64} << 20).value();
  auto arena = WeightArena::create(*pool, {"weights", "test"}).value();
  ThreadPool threads(2);
  ScratchArena scratch(*pool, {"activations", "test"});
  Exec exec{threads, scratch};
  const PackedMatrix w = PackedMatrix::pack(arena, exec, make_view(bytes.data(), type, {rows, cols})).value();
  std::vector<float> packed(cols), file(cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    w.dequantize_row(r, packed);
    dequantize_row(type, bytes.data() + r * row_bytes(type, cols), file.data(), cols);
    ASSERT_EQ(std::memcmp(packed.data(), file.data(), cols * sizeof(float)), 0)
        << dtype_name(type) << " row " << r << ": " << packed[0] << " and " << file[0];
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedRows,
                         ::testing::Values(DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                           DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                                           DType::kQ5_K, DType::kQ6_K, DType::kF32, DType::kF16,
                                           DType::kBF16),
                         [](const auto& info) { return std::string(dtype_name(info.param)); });

}  // namespace
}  // namespace consort::parity
