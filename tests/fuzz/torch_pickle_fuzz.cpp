#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "models/formats/inspect.h"
#include "models/formats/testing/torch_checkpoint.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

using namespace consort::testing;

// Mutants of `whole` are read or refused; half of them keep the `magic` at the front.
void mutate_checkpoint(const std::string& whole, std::string_view magic, std::uint64_t seed) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("consort-torch-fuzz-" + std::to_string(::getpid()) + ".pth"))
          .string();
  Mutator mutator(seed);
  std::size_t read = 0, refused = 0;
  double sum = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string bytes = mutator.mutate(whole, whole.size());
    if (bytes.size() > magic.size() && i % 2) bytes.replace(0, magic.size(), magic);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    const auto source = open_torch_pickle(path);
    if (!source) {
      ++refused;
      EXPECT_FALSE(source.error().what.empty());
      continue;
    }
    ++read;
    for (const TensorEntry& entry : (*source)->tensors())  // every byte is there
      if (entry.view.dtype == DType::kF32)
        for (std::int64_t e = 0; e < entry.view.elements(); ++e) sum += entry.view.as<float>()[e] != 0;
    inspect_weights(**source);
  }
  std::filesystem::remove(path);
  std::printf("torch checkpoints: %zu read, %zu refused (%g)\n", read, refused, sum);
  EXPECT_GT(read, 100u);
  EXPECT_GT(refused, 1000u);
}

class TorchPickleFuzz : public ::testing::Test {
 protected:
  TorchPickleFuzz() {
    for (int i = 0; i < 6; ++i) {
      const std::string key = std::to_string(100 + i);
      tensors_.push_back({"layers." + key + ".weight",
                          key,
                          {2, 3},
                          i % 2 ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{3, 1},
                          6});
      storages_.push_back({key, std::vector<float>(6, static_cast<float>(i))});
    }
  }
  std::vector<TorchTensor> tensors_;
  std::vector<std::pair<std::string, std::vector<float>>> storages_;
};

TEST_F(TorchPickleFuzz, MutatedCheckpointsAreReadOrRefused) {
  mutate_checkpoint(torch_file(tensors_, storages_), kTorchPickleMagic, 20);
}

TEST_F(TorchPickleFuzz, MutatedArchivesAreReadOrRefused) {
  const auto files = torch_zip_files(tensors_, storages_);
  mutate_checkpoint(zip_archive(files), "PK\3\4", 21);
  mutate_checkpoint(zip_archive(files, true), "PK\3\4", 22);
}

}  // namespace
}  // namespace consort
