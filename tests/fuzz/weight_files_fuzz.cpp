// Truncated and bit-flipped weight files end in a clear error or in a source whose every byte may be read.
#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "models/formats/dequantize.h"
#include "models/formats/inspect.h"
#include "models/formats/testing/synthetic_files.h"
#include "models/formats/testing/synthetic_onnx.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

using testing::Mutator;
using testing::TemporaryFolder;

constexpr int kMutants = 2500;
constexpr int kRealMutants = 150;  // of each real file's header: they are 2 to 8 MB

// Reads everything a caller could read: metadata, every tensor's first and last row (the sanitizers watch).
void exercise(const WeightSource& source) {
  const WeightSummary summary = inspect_weights(source);
  ASSERT_EQ(summary.tensors.size(), source.tensors().size());
  std::vector<float> row;
  for (const auto& [name, view] : source.tensors()) {
    ASSERT_NE(source.find(name), nullptr);
    if (view.elements() == 0) continue;
    ASSERT_LE(view.bytes(), 8 * source.mapped_bytes());  // ONNX may write an int64 in one byte
    const auto cols = static_cast<std::size_t>(view.cols());
    if (cols > 1u << 20) continue;
    row.resize(cols);
    dequantize_row(view.dtype, view.data, row.data(), cols);
    dequantize_row(view.dtype, view.data + view.bytes() - row_bytes(view.dtype, cols), row.data(), cols);
  }
}

struct Counts {
  int opened = 0, refused = 0;
};

void open_mutant(const TemporaryFolder& folder, const std::string& name, const std::string& bytes,
                 const std::string& open_path, Counts& counts) {
  folder.file(name, bytes);
  auto source = open_weights(open_path);
  if (source) {
    ++counts.opened;
    exercise(**source);
    return;
  }
  ++counts.refused;
  const Error& e = source.error();
  ASSERT_FALSE(e.what.empty());
  ASSERT_NE(e.where.find(folder.path()), std::string::npos) << "the error names no file: " << e.line();
  ASSERT_TRUE(e.kind == ErrorKind::kCorrupt || e.kind == ErrorKind::kUnsupported ||
              e.kind == ErrorKind::kNotFound)
      << e.line();
}

TEST(WeightFilesFuzz, Gguf) {
  TemporaryFolder folder;
  Mutator mutator(1);
  const std::string seeds[] = {testing::small_gguf(3), testing::small_gguf(2)};
  Counts counts;
  for (int i = 0; i < kMutants && !HasFatalFailure(); ++i)
    open_mutant(folder, "m.gguf", mutator.mutate(seeds[i % 2], 900), folder.path() + "/m.gguf", counts);
  // Every prefix is refused: the last tensor always ends past the cut.
  for (std::size_t n = 0; n + 32 < seeds[0].size() && !HasFatalFailure(); n += 3) {
    const int opened = counts.opened;
    open_mutant(folder, "m.gguf", seeds[0].substr(0, n), folder.path() + "/m.gguf", counts);
    ASSERT_EQ(counts.opened, opened) << "a file cut at " << n << " was opened";
  }
  EXPECT_GT(counts.refused, kMutants / 2);
  EXPECT_GT(counts.opened, 50);  // flips in the data do no harm: the reader is not simply refusing everything
}

TEST(WeightFilesFuzz, Safetensors) {
  TemporaryFolder folder;
  Mutator mutator(2);
  const std::string seed = testing::small_safetensors();
  Counts counts;
  for (int i = 0; i < kMutants && !HasFatalFailure(); ++i)
    open_mutant(folder, "m.safetensors", mutator.mutate(seed, 190), folder.path() + "/m.safetensors", counts);
  for (std::size_t n = 0; n < seed.size() && !HasFatalFailure(); ++n) {
    const int opened = counts.opened;
    open_mutant(folder, "m.safetensors", seed.substr(0, n), folder.path() + "/m.safetensors", counts);
    ASSERT_EQ(counts.opened, opened) << "a file cut at " << n << " was opened";
  }
  EXPECT_GT(counts.refused, kMutants / 2);
  EXPECT_GT(counts.opened, 50);
}

TEST(WeightFilesFuzz, Onnx) {
  TemporaryFolder folder;
  Mutator mutator(6);
  const std::string seed = testing::small_onnx();
  Counts counts;
  for (int i = 0; i < kMutants && !HasFatalFailure(); ++i)
    open_mutant(folder, "m.onnx", mutator.mutate(seed, seed.size()), folder.path() + "/m.onnx", counts);
  for (std::size_t n = 0; n < seed.size() && !HasFatalFailure(); ++n)  // cut files: an error or fewer fields
    open_mutant(folder, "m.onnx", seed.substr(0, n), folder.path() + "/m.onnx", counts);
  EXPECT_GT(counts.refused, kMutants / 3);
  EXPECT_GT(counts.opened, 50);
}

TEST(WeightFilesFuzz, HuggingFaceFolder) {
  TemporaryFolder folder;
  Mutator mutator(3);
  const std::string config =
      R"({"model_type":"bert","hidden_size":384,"rope":{"theta":1e4},"a":[1,{"x":[2]}]})";
  const std::string index = R"({"metadata":{},"weight_map":{"a":"one.safetensors","b":"one.safetensors"}})";
  folder.file("one.safetensors", testing::small_safetensors());
  Counts counts;
  for (int i = 0; i < kMutants && !HasFatalFailure(); ++i) {
    const bool in_config = i % 2 == 0;
    folder.file("config.json", config);
    folder.file("model.safetensors.index.json", index);
    open_mutant(folder, in_config ? "config.json" : "model.safetensors.index.json",
                mutator.mutate(in_config ? config : index, 4096), folder.path(), counts);
  }
  EXPECT_GT(counts.refused, kMutants / 4);  // flips inside strings and numbers of a config do no harm
  EXPECT_GT(counts.opened, 20);
}

// The header regions of the real files, followed by nothing: flips may reach any metadata; a mutant that
// still parses ends at the missing tensor data.
void real_header(const std::string& relative, std::size_t header_bytes, std::uint64_t seed) {
  const char* set = std::getenv("CONSORT_MODELS_DIR");
  const char* home = std::getenv("HOME");
  const std::string path =
      (set ? std::string(set) : std::string(home ? home : "") + "/.cache/consort/models") + "/" + relative;
  std::ifstream in(path, std::ios::binary);
  std::string header(header_bytes, '\0');
  in.read(header.data(), static_cast<std::streamsize>(header_bytes));
  ASSERT_GT(in.gcount(), 1000) << path << " is missing: run `consort models pull` for it";
  header.resize(static_cast<std::size_t>(in.gcount()));
  const std::string name = relative.substr(relative.rfind('/') + 1);
  TemporaryFolder folder;
  Mutator mutator(seed);
  Counts counts;
  for (int i = 0; i < kRealMutants && !::testing::Test::HasFatalFailure(); ++i)
    open_mutant(folder, name, mutator.mutate(header, 2000), folder.path() + "/" + name, counts);
  EXPECT_EQ(counts.opened, 0) << "a file without its tensors was opened";
}

TEST(WeightFilesFuzz, RealGgufHeader) {
  real_header("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf", 2u << 20, 4);
}
TEST(WeightFilesFuzz, RealOnnxHeader) {
  real_header("magika/model.onnx", 64u << 10, 7);
}
TEST(WeightFilesFuzz, RealSafetensorsHeader) {
  real_header("all-minilm-l6-v2/model.safetensors", 64u << 10, 5);
}

}  // namespace
}  // namespace consort
