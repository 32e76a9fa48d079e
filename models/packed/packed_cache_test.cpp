// The folder of packed weights: notes that are believed only as long as nothing has changed, what is kept and
// what is removed, and the bytes that a layout version stands for.
#include "models/packed/packed_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <filesystem>

#include "kernels/int16_matmul/int16_matmul.h"
#include "kernels/matmul/largest.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul/random_weights.h"
#include "models/formats/mapped_file.h"
#include "models/formats/testing/synthetic_files.h"
#include "models/packed/source_note.h"
#include "models/packed/weights_digest.h"

namespace consort {
namespace {

using testing::TemporaryFolder;
namespace fs = std::filesystem;
using Clock = std::chrono::system_clock;

constexpr std::uint64_t kMatrixSum = 5790242400422105639u, kInt16Sum = 7540317438969772205u,
                        kSketchSum = 7679657303031664565u;
const std::string kOne(32, '1'), kTwo(32, '2');

TEST(SourceNote, IsReadAsWrittenAndNothingElseIs) {
  const SourceNote note{kOne, true, {{"/models/a b.gguf", 1, 2, 3, 4, 5}, {"/models/c", 6, 7, 8, -9, 10}}};
  const std::string text = write_note(note);
  const auto read = read_note(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->digest, note.digest);
  EXPECT_EQ(read->settled, note.settled);
  EXPECT_EQ(read->files, note.files);
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string wrong = text;
    wrong[at] ^= 1;
    EXPECT_FALSE(read_note(wrong)) << at;
    EXPECT_FALSE(read_note(text.substr(0, at))) << at;
  }
  EXPECT_FALSE(read_note(text + "x"));
  EXPECT_FALSE(noted_files({}));
  EXPECT_FALSE(noted_files({{"a\nb", 1, 2, 3, 4, 5}}));
}

class Cache : public ::testing::Test {
 protected:
  Cache() {
    options_.folder = folder_.path() + "/models/packed";
    options_.least_bytes = options_.spare_bytes = 0;
    options_.settle = {};
  }
  static FileIdentity identity(const std::string& path) { return MappedFile::open(path)->identity(); }
  std::size_t count(std::string_view ending) const {
    std::size_t n = 0;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(options_.folder, none))
      n += entry.path().string().ends_with(ending) ? 1 : 0;
    return n;
  }
  std::vector<PackedPiece> pieces() const {
    return {{{PackedKind::kVector, DType::kF32, 1, 16, "v"}, std::as_bytes(std::span(values_))}};
  }

  TemporaryFolder folder_;
  PackedCacheOptions options_;
  std::vector<float> values_ = std::vector<float>(16, 1.5f);
};

TEST_F(Cache, ANoteIsBelievedOnlyOfTheSameUntouchedFiles) {
  PackedCache cache(options_);
  const std::string path = folder_.file("a.gguf", "weights");
  const FileIdentity a = identity(path);
  EXPECT_FALSE(cache.noted_digest({a}));
  cache.note({a}, kOne, Clock::now());
  EXPECT_EQ(cache.noted_digest({identity(path)}), kOne);
  EXPECT_FALSE(cache.noted_digest({}));
  const FileIdentity b = identity(folder_.file("b.gguf", "weights"));
  EXPECT_FALSE(cache.noted_digest({b}));
  EXPECT_FALSE(cache.noted_digest({a, b}));
  fs::permissions(path, fs::perms::owner_read);  // only the change time tells
  EXPECT_FALSE(cache.noted_digest({identity(path)}));
  EXPECT_FALSE(are_unchanged({a}));
  EXPECT_TRUE(are_unchanged({identity(path), b}));
  FileIdentity other = a;
  ++other.inode;
  EXPECT_FALSE(cache.noted_digest({other}));
  fs::remove(path);
  EXPECT_FALSE(are_unchanged({a}));
}

TEST_F(Cache, AYoungFileIsNotBelieved) {
  options_.settle = std::chrono::hours(1);
  PackedCache cache(options_);
  const FileIdentity a = identity(folder_.file("a.gguf", "weights"));
  cache.note({a}, kOne, Clock::now());
  EXPECT_EQ(count(".note"), 1u);
  EXPECT_FALSE(cache.noted_digest({a}));
  cache.note({a}, kOne, Clock::now() + std::chrono::hours(2));
  EXPECT_EQ(cache.noted_digest({a}), kOne);
}

TEST_F(Cache, WhatLostItsSourceGoesWhenOthersAreStored) {
  PackedCache cache(options_);
  const std::string a = folder_.file("a.gguf", "a"), b = folder_.file("b.gguf", "b");
  cache.note({identity(a)}, kOne, Clock::now());
  cache.store(kOne, "", pieces());
  cache.store(kOne, "int16", pieces());
  cache.note({identity(b)}, kTwo, Clock::now());
  cache.store(kTwo, "", pieces());
  EXPECT_EQ(count(".packed"), 3u);
  const std::string stranger = options_.folder + "/README", old = options_.folder + "/" + kOne + "-v00000001.packed",
                    newer = options_.folder + "/" + kOne + "-vffffffff.packed";
  for (const auto& path : {stranger, old, newer}) std::ofstream(path) << "x";
  fs::remove(a);
  cache.store(kTwo, "", pieces());
  EXPECT_FALSE(cache.open(kOne, ""));
  EXPECT_FALSE(cache.open(kOne, "int16"));
  EXPECT_TRUE(cache.open(kTwo, ""));
  EXPECT_EQ(count(".note"), 1u);
  EXPECT_TRUE(fs::exists(stranger));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(newer));  // of a newer program
  EXPECT_EQ(count(".part"), 0u);
}

TEST_F(Cache, SmallModelsAndFullDisksStoreNothing) {
  options_.least_bytes = 1u << 20;
  PackedCache(options_).store(kOne, "", pieces());
  EXPECT_FALSE(fs::exists(options_.folder));
  options_.least_bytes = 0;
  options_.spare_bytes = ~std::uint64_t{0};
  std::string heard;
  options_.warn = [&](const std::string& what) { heard = what; };
  PackedCache(options_).store(kOne, "", pieces());
  EXPECT_NE(heard.find("no room"), std::string::npos) << heard;
  EXPECT_EQ(count(".packed") + count(".part"), 0u);
}

// One process stores again and again while another opens: it always finds a whole file.
TEST_F(Cache, AReaderNeverSeesHalfAFile) {
  const FileIdentity source = identity(folder_.file("a.gguf", "a"));
  values_.assign(1u << 18, 2.5f);
  PackedCache first(options_);
  first.note({source}, kOne, Clock::now());
  first.store(kOne, "", pieces());
  const pid_t child = ::fork();
  if (child == 0) {
    PackedCache cache(options_);
    for (int i = 0; i < 40; ++i) cache.store(kOne, "", pieces());
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  int opened = 0, status = 0;
  do {
    const auto file = first.open(kOne, "");
    ASSERT_TRUE(file) << opened;
    ASSERT_TRUE(file->check()) << opened;
    ++opened;
  } while (::waitpid(child, &status, WNOHANG) == 0);
  EXPECT_EQ(status, 0);
  EXPECT_GT(opened, 1);
  EXPECT_EQ(count(".part"), 0u);
}

TEST_F(Cache, ACheckReadsEverythingAndRemovesWhatIsWrong) {
  const std::string path = folder_.file("m.gguf", testing::small_gguf());
  auto source = open_weights(path).value();
  const std::string digest = weights_digest(*source);
  PackedCache cache(options_);
  cache.note(source->identities(), digest, Clock::now());
  cache.store(digest, "", pieces());
  cache.store(digest, "int16", pieces());
  auto found = cache.check(*source);
  EXPECT_TRUE(found.noted);
  EXPECT_EQ(found.good, 2u);
  EXPECT_EQ(found.removed, 0u);
  cache.note(source->identities(), kOne, Clock::now());  // a wrong digest
  cache.store(digest, "", {});
  found = cache.check(*source);
  EXPECT_FALSE(found.noted);
  EXPECT_EQ(found.removed, 1u);
  EXPECT_FALSE(cache.noted_digest(source->identities()));
}

// A packed byte that changes without a new layout version would be read from files that older programs wrote.
// So the bytes are pinned here: when this fails because packing has changed, raise kPackedMatrixLayout or
// kInt16MatrixLayout and pin the new value.
TEST(PackedLayout, TheBytesOfEveryTypeArePinnedToTheVersion) {
  auto pool = DevicePool::create_cpu(std::size_t{64} << 20).value();
  auto arena = WeightArena::create(*pool, {"weights", "test"}).value();
  ThreadPool threads{2};
  ScratchArena scratch{*pool, {"activations", "test"}};
  Exec exec{threads, scratch};
  std::uint64_t sum = 0;
  for (const DType type : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K,
                           DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kF32, DType::kF16,
                           DType::kBF16}) {
    CaseRandom random(17);
    auto bytes = random_weights(type, 70, 512, random);
    const auto packed = PackedMatrix::pack(arena, exec, make_view(bytes.data(), type, {70, 512})).value();
    sum = XXH3_64bits_withSeed(packed.data(), packed.bytes(), sum);
    const auto again = PackedMatrix::from_packed({packed.data(), packed.bytes()}, type, 70, 512).value();
    std::vector<float> a(512), b(512);
    packed.dequantize_row(69, a);
    again.dequantize_row(69, b);
    EXPECT_EQ(a, b);
    EXPECT_FALSE(PackedMatrix::from_packed({packed.data(), packed.bytes() - 1}, type, 70, 512));
    EXPECT_FALSE(PackedMatrix::from_packed({packed.data() + 1, packed.bytes()}, type, 70, 512));
    EXPECT_FALSE(PackedMatrix::from_packed({packed.data(), packed.bytes()}, type, 70, 1024));
    EXPECT_FALSE(PackedMatrix::from_packed({}, type, 0, 0));
  }
  EXPECT_EQ(kPackedMatrixLayout, 1u);
  EXPECT_EQ(sum, kMatrixSum);

  CaseRandom random(18);
  auto floats = random_weights(DType::kF32, 70, 130, random);
  const auto rounded = Int16Matrix::pack(arena, exec, make_view(floats.data(), DType::kF32, {70, 130})).value();
  std::vector<std::int8_t> codes(70 * 130);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::int8_t>(i * 37);
  const float scale[] = {0.25f};
  const auto exact =
      Int16Matrix::pack_codes(arena, exec, make_view(codes.data(), DType::kI8, {130, 70}), scale).value();
  const std::uint64_t int16_sum = XXH3_64bits_withSeed(
      rounded.data(), rounded.bytes(), XXH3_64bits(exact.data(), exact.bytes()));
  const auto again = Int16Matrix::from_packed({rounded.data(), rounded.bytes()}, 70, 130).value();
  EXPECT_EQ(again.value(69, 129), rounded.value(69, 129));
  EXPECT_FALSE(Int16Matrix::from_packed({rounded.data(), rounded.bytes()}, 70, 140));
  EXPECT_FALSE(Int16Matrix::from_packed({rounded.data(), rounded.bytes()}, 0, 130));
  EXPECT_EQ(kInt16MatrixLayout, 1u);
  EXPECT_EQ(int16_sum, kInt16Sum);

  auto head = random_weights(DType::kQ8_0, 70, 160, random);
  const auto packed = PackedMatrix::pack(arena, exec, make_view(head.data(), DType::kQ8_0, {70, 160})).value();
  const auto sketch = RowSketch::make(arena, exec, packed).value();
  const std::span<const std::byte> bytes(sketch.tiles(), sketch.bytes());
  const auto mapped = RowSketch::from_packed(bytes, 70, 160).value();
  EXPECT_EQ(mapped.tiles(), sketch.tiles());
  EXPECT_EQ(mapped.norms(), sketch.norms());
  EXPECT_FALSE(RowSketch::from_packed(bytes, 70, 192));
  EXPECT_FALSE(RowSketch::from_packed(bytes.subspan(1), 70, 160));
  EXPECT_FALSE(RowSketch::from_packed({}, 0, 160));
  EXPECT_EQ(kRowSketchLayout, 1u);
  EXPECT_EQ(XXH3_64bits(bytes.data(), bytes.size()), kSketchSum);
}

}  // namespace
}  // namespace consort
