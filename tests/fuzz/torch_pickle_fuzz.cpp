#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "models/formats/inspect.h"
#include "models/formats/testing/torch_checkpoint.h"
#include "tests/fuzz/mutate.h"

namespace consort {
namespace {

using namespace consort::testing;

TEST(TorchPickleFuzz, MutatedCheckpointsAreReadOrRefused) {
  std::vector<TorchTensor> tensors;
  std::vector<std::pair<std::string, std::vector<float>>> storages;
  for (int i = 0; i < 6; ++i) {
    const std::string key = std::to_string(100 + i);
    tensors.push_back({"layers." + key + ".weight",
                       key,
                       {2, 3},
                       i % 2 ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{3, 1},
                       6});
    storages.push_back({key, std::vector<float>(6, static_cast<float>(i))});
  }
  const std::string whole = torch_file(tensors, storages);
  const std::string path = (std::filesystem::temp_directory_path() / "consort-torch-fuzz.pth").string();
  Mutator mutator(20);
  std::size_t read = 0, refused = 0;
  double sum = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string bytes = mutator.mutate(whole, whole.size());
    if (bytes.size() > kTorchPickleMagic.size() && i % 2)  // half of them keep the magic number
      bytes.replace(0, kTorchPickleMagic.size(), kTorchPickleMagic);
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

}  // namespace
}  // namespace consort
