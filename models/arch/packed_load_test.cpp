// Decoders whose weights come from the cache: the same bits as packed anew, booked to the byte, and never from
// a file that is damaged or belongs to other weights.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "memory/kv/kv_cache.h"
#include "models/arch/registry.h"
#include "models/arch/testing/small_model.h"
#include "models/formats/mapped_file.h"
#include "models/packed/packed_cache.h"

namespace consort {
namespace {

using testing::SmallModel;
using testing::TemporaryFolder;
namespace fs = std::filesystem;

class PackedDecoder : public ::testing::Test {
 protected:
  PackedDecoder() {
    options_.folder = folder_.path() + "/packed";
    options_.least_bytes = options_.spare_bytes = 0;
    options_.settle = {};
    options_.warn = [this](const std::string& what) { warnings_.push_back(what); };
  }
  Result<std::unique_ptr<Model>> load(PackedCache* cache) {
    CONSORT_TRY(source, open_weights(path_));
    LoadContext context{exec_, *pool_, "small", Precision::kFile, cache};
    const Architecture* architecture = find_architecture(source->architecture());
    return architecture->load_model(std::shared_ptr<const WeightSource>(std::move(source)), context);
  }
  std::vector<float> logits_of(Model& model) {
    auto cache = KvCache::create(*pool_, model.kv_layout(), "small", std::size_t{64} << 20).value();
    KvSequence sequence = cache->new_sequence();
    EXPECT_TRUE(sequence.reserve(5));
    const std::int32_t ids[] = {1, 2, 3, 0, 2};
    std::vector<float> logits(static_cast<std::size_t>(model.info().vocab_size) * 5);
    const SequenceSlice slice{ids, 0, sequence.view(), LogitsWanted::kAll};
    StepOutput out{make_view(logits.data(), DType::kF32, {5, std::ssize(logits) / 5})};
    EXPECT_TRUE(model.forward(exec_, {{&slice, 1}}, out));
    return logits;
  }
  // What a load through a fresh cache gives, held against one that packs.
  void expect_same(const char* what) {
    auto expected = load(nullptr);
    PackedCache cache(options_);
    auto model = load(&cache);
    ASSERT_TRUE(expected && model) << what;
    const auto a = logits_of(**expected), b = logits_of(**model);
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << what;
    const ModelInfo &x = (*expected)->info(), &y = (*model)->info();
    EXPECT_EQ(x.weights_digest, y.weights_digest) << what;
    EXPECT_EQ(x.weight_bytes, y.weight_bytes) << what;
    EXPECT_EQ(x.flop_per_token, y.flop_per_token) << what;
  }
  void write(const SmallModel& model) { path_ = folder_.file("model.gguf", model.bytes()); }
  static std::uint64_t inode(const std::string& path) { return MappedFile::open(path)->identity().inode; }
  std::vector<std::string> packed_files() const {
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(options_.folder, none))
      if (entry.path().extension() == ".packed") found.push_back(entry.path().string());
    return found;
  }
  OwnerStats weights_booked() const {
    for (const OwnerStats& row : pool_->stats().owners)
      if (row.owner == Owner{"weights", "small"}) return row;
    return {};
  }

  TemporaryFolder folder_;
  PackedCacheOptions options_;
  std::vector<std::string> warnings_;
  std::string path_;
  std::unique_ptr<DevicePool> pool_ = DevicePool::create_cpu(std::size_t{1} << 30).value();
  ThreadPool threads_{2};
  ScratchArena scratch_{*pool_, Owner{"activations", "test"}};
  Exec exec_{threads_, scratch_};
};

TEST_F(PackedDecoder, TheSecondLoadMapsAndHasTheSameBits) {
  for (const char* name : {"llama", "gemma3"}) {
    write(SmallModel(name));
    expect_same("packs");
    ASSERT_EQ(packed_files().size(), 1u);  // the first model's went with its source
    const auto written = inode(packed_files()[0]);
    expect_same("maps");
    EXPECT_EQ(inode(packed_files()[0]), written);

    PackedCache cache(options_);
    auto model = load(&cache);
    ASSERT_TRUE(model);
    const OwnerStats row = weights_booked();
    EXPECT_EQ(row.committed_bytes, row.file_bytes);  // no granules at all
    EXPECT_EQ(row.used_bytes, fs::file_size(packed_files()[0]));
    EXPECT_EQ(pool_->resident_file_bytes(), row.file_bytes);
    std::size_t sum = 0;
    for (const OwnerStats& owner : pool_->stats().owners) sum += owner.committed_bytes;
    EXPECT_EQ(sum, pool_->stats().committed_bytes);
    model->reset();
    EXPECT_EQ(weights_booked().committed_bytes, 0u);
  }
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(PackedDecoder, OtherWeightsUnderTheSameNameArePackedAnew) {
  SmallModel tied("llama"), untied("llama");
  untied.tensors.emplace_back("output.weight", std::vector<std::uint64_t>{testing::kWidth, testing::kVocab});
  write(tied);
  expect_same("tied");
  write(untied);
  expect_same("untied");
  expect_same("untied again");
  write(tied);
  expect_same("tied again");
}

TEST_F(PackedDecoder, DamagedFilesAreReplacedAndNeverUsed) {
  write(SmallModel("gemma3"));
  expect_same("packs");
  const std::string path = packed_files().at(0);
  std::string good(fs::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(good.data(), static_cast<std::streamsize>(good.size()));
  const auto damage = [&](const std::string& bytes, const char* what) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    expect_same(what);
    ASSERT_EQ(packed_files().size(), 1u) << what;
    EXPECT_EQ(fs::file_size(path), good.size()) << what;  // whole again
  };
  damage("", "empty");
  for (const std::size_t size : {50u, 96u, 200u, 5000u})
    damage(good.substr(0, size), "cut");
  damage(good + "x", "longer");
  damage(std::string(good.size(), '\0'), "zeros");
  std::string flipped = good;
  flipped[flipped.size() / 2] ^= 1;  // in a piece: what gives it away is the time of writing
  damage(flipped, "a piece");
  fs::remove(path);
  fs::create_directory(path);
  expect_same("a folder in its place");
}

TEST_F(PackedDecoder, ACheckedLoadFindsAChangeThatKeptTheTime) {
  write(SmallModel("llama"));
  expect_same("packs");
  const std::string path = packed_files().at(0);
  const auto time = fs::last_write_time(path);
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(fs::file_size(path) - 3));
    file.put('\x55');
  }
  fs::last_write_time(path, time);
  const auto damaged = inode(path);
  options_.check = true;
  expect_same("checked");
  const auto anew = inode(path);
  EXPECT_NE(anew, damaged);
  expect_same("checked again");
  EXPECT_EQ(inode(path), anew);
}

TEST_F(PackedDecoder, AFolderThatCannotBeWrittenIsOneWarning) {
  options_.folder = folder_.file("file", "") + "/packed";  // below a file there is no folder
  write(SmallModel("llama"));
  PackedCache cache(options_);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(load(&cache));
  EXPECT_EQ(warnings_.size(), 1u);
  warnings_.clear();
  options_.folder = folder_.path() + "/full";
  options_.spare_bytes = std::uint64_t{1} << 62;  // no disk has that
  PackedCache full(options_);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(load(&full));
  EXPECT_EQ(warnings_.size(), 1u);
}

TEST_F(PackedDecoder, LoadsAtTheSameTimeShareTheFolder) {
  write(SmallModel("gemma3"));
  auto expected = load(nullptr);
  ASSERT_TRUE(expected);
  const auto want = logits_of(**expected);
  std::vector<std::unique_ptr<Model>> models(6);
  std::vector<std::thread> loaders;
  for (auto& model : models)
    loaders.emplace_back([&] {
      PackedCache cache(options_);
      ThreadPool threads(1);
      ScratchArena scratch(*pool_, Owner{"activations", "loader"});
      Exec exec{threads, scratch};
      auto source = open_weights(path_);
      LoadContext context{exec, *pool_, "small", Precision::kFile, &cache};
      auto loaded = find_architecture("gemma3")->load_model(std::move(*source), context);
      if (loaded) model = std::move(*loaded);
    });
  for (auto& loader : loaders) loader.join();
  for (auto& model : models) {
    ASSERT_TRUE(model);
    EXPECT_EQ(logits_of(*model), want);
  }
  EXPECT_EQ(packed_files().size(), 1u);
  expect_same("afterwards");
}

TEST_F(PackedDecoder, ALoadWithoutRoomIsAMemoryError) {
  write(SmallModel("llama"));
  expect_same("packs");
  auto pool = DevicePool::create_cpu(kGranuleBytes).value();
  const Region rest = pool->allocate(kGranuleBytes, {"kv", "x"}).value();
  PackedCache cache(options_);
  LoadContext context{exec_, *pool, "small", Precision::kFile, &cache};
  auto refused = find_architecture("llama")->load_model(open_weights(path_).value(), context);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kMemory);
  EXPECT_EQ(packed_files().size(), 1u);  // the file is good and stays
}

}  // namespace
}  // namespace consort
