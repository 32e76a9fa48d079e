// The weight files of the test models: every matrix packs, rows read back with the file format's bits, and
// the products are as close to double precision as 16-bit activations promise. Weights: CONSORT_MODELS_DIR.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include "kernels/exec/cases.h"
#include "kernels/matmul/matmul.h"
#include "models/formats/dequantize.h"
#include "models/formats/weight_source.h"

namespace consort::parity {
namespace {

// Relative L2 error of a product: half steps of 1/32,639 of a block's largest of 32 normal
// values are 2e-5 of the values themselves; the sample of rows adds its spread.
constexpr double kAllowedError = 4e-5;

std::string models_dir() {
  if (const char* dir = std::getenv("CONSORT_MODELS_DIR")) return dir;
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "") + "/.cache/consort/models";
}

class ModelFiles : public ::testing::TestWithParam<const char*> {};

// About a hundred rows of the product against the sum in double over the file's decoded weights.
double relative_error(const TensorView& file, const std::vector<float>& x, const std::vector<float>& out,
                      const PackedMatrix& packed) {
  std::vector<float> row(file.cols()), again(file.cols());
  double difference = 0, norm = 0;
  for (std::int64_t n = 0; n < file.rows(); n += file.rows() / 97 + 1) {
    dequantize_row(file.dtype, file.data + n * row_bytes(file.dtype, file.cols()), row.data(), row.size());
    packed.dequantize_row(n, again);
    EXPECT_EQ(std::memcmp(row.data(), again.data(), row.size() * sizeof(float)), 0) << "row " << n;
    double sum = 0;
    for (std::size_t k = 0; k < row.size(); ++k) sum += double{x[k]} * row[k];
    difference += (out[n] - sum) * (out[n] - sum);
    norm += sum * sum;
  }
  return std::sqrt(difference / norm);
}

TEST_P(ModelFiles, EveryMatrixPacksAndMultipliesPrecisely) {
  const std::string path = models_dir() + "/" + GetParam();
  ASSERT_TRUE(std::filesystem::exists(path)) << "no weights at " << path << "; set CONSORT_MODELS_DIR";
  auto opened = open_weights(path);
  ASSERT_TRUE(opened) << opened.error().line();
  auto pool = DevicePool::create_cpu(std::size_t{2} << 30).value();
  auto arena = WeightArena::create(*pool, {"weights", "test"}).value();
  ThreadPool threads(2);
  ScratchArena scratch(*pool, {"activations", "test"});
  Exec exec{threads, scratch};
  CaseRandom random(8);
  int matrices = 0;
  for (const TensorEntry& tensor : (*opened)->tensors()) {
    if (tensor.view.rank != 2 || tensor.view.dtype == DType::kI64) continue;
    SCOPED_TRACE(tensor.name + " " + describe(tensor.view));
    auto packed = PackedMatrix::pack(arena, exec, tensor.view);
    ASSERT_TRUE(packed) << packed.error().line();
    const auto x = random.normals(packed->cols());
    std::vector<float> out(packed->rows());
    matmul(exec, make_view(const_cast<float*>(x.data()), DType::kF32, {1, packed->cols()}), *packed,
           make_view(out.data(), DType::kF32, {1, packed->rows()}));
    ASSERT_LT(relative_error(tensor.view, x, out, *packed), kAllowedError);
    ++matrices;
  }
  EXPECT_GT(matrices, 30);
}

INSTANTIATE_TEST_SUITE_P(Files, ModelFiles,
                         ::testing::Values("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf",
                                           "gemma-3-270m/gemma-3-270m-q4_k_m.gguf", "all-minilm-l6-v2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           name.resize(name.find_first_of("-"));
                           return name;
                         });

}  // namespace
}  // namespace consort::parity
