// Files of packed weights: what was written is read, and whatever is not whole is refused.
#include "models/packed/packed_file.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <filesystem>
#include <random>

#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::TemporaryFolder;
namespace fs = std::filesystem;

constexpr std::size_t kHeaderBytes = 96, kChecksummed = 80;
const std::string kDigest = "0123456789abcdef0123456789abcdef";

class PackedFiles : public ::testing::Test {
 protected:
  PackedFiles() {
    std::mt19937 random(3);
    for (auto& bytes : content_)
      for (auto& b : bytes) b = static_cast<std::byte>(random());
    pieces_ = {{{PackedKind::kMatrix, DType::kQ4_1, 20, 32, "blk.0.a"}, content_[0]},
               {{PackedKind::kInt16, DType::kI8, 4, 8, "blk.0.b"}, content_[1]},
               {{PackedKind::kVector, DType::kF16, 1, 3, std::string(300, 'n')}, content_[2]}};
    auto out = StagedFile::create(path_ + ".part").value();
    EXPECT_TRUE(write_packed(out, kDigest, pieces_));
    EXPECT_EQ(out.size(), packed_file_bytes(pieces_));
    EXPECT_TRUE(out.publish(path_));
    good_.resize(fs::file_size(path_));
    std::ifstream(path_, std::ios::binary).read(good_.data(), static_cast<std::streamsize>(good_.size()));
    time_ = fs::last_write_time(path_);
  }
  // The file with these bytes and the time that its header says.
  Result<PackedFile> open(const std::string& bytes, bool keep_time = true) {
    std::fstream(path_, std::ios::binary | std::ios::in | std::ios::out) << bytes;  // truncating is slow
    fs::resize_file(path_, bytes.size());
    if (keep_time) fs::last_write_time(path_, time_);
    return PackedFile::open(path_, kDigest);
  }
  static void sign(std::string& bytes) {  // what a forger would do
    const std::uint64_t sum = XXH3_64bits(bytes.data(), kChecksummed);
    std::memcpy(bytes.data() + kChecksummed, &sum, sizeof sum);
  }
  std::size_t index_bytes() const { return 3 * 56 + 7 + 7 + 300; }

  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/x.packed";
  std::array<std::vector<std::byte>, 3> content_{std::vector<std::byte>(1000), std::vector<std::byte>(64),
                                                 std::vector<std::byte>(12)};
  std::vector<PackedPiece> pieces_;
  std::string good_;
  fs::file_time_type time_;
};

TEST_F(PackedFiles, WhatWasWrittenIsRead) {
  auto file = PackedFile::open(path_, kDigest);
  ASSERT_TRUE(file) << file.error().line();
  auto pool = DevicePool::create_cpu(16u << 20).value();
  auto region = file->map(*pool, {"weights", "x"});
  ASSERT_TRUE(region) << region.error().line();
  ASSERT_EQ(file->entries().size(), pieces_.size());
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const PackedEntry& entry = file->entries()[i];
    EXPECT_EQ(entry.key, pieces_[i].key);
    EXPECT_EQ(entry.offset % 64, 0u);
    ASSERT_EQ(entry.bytes, pieces_[i].bytes.size());
    EXPECT_EQ(std::memcmp(region->data() + entry.offset, pieces_[i].bytes.data(), entry.bytes), 0);
  }
  EXPECT_TRUE(file->check({region->data(), file->size()}));
  EXPECT_TRUE(file->check());
}

TEST_F(PackedFiles, AnyByteOfHeaderOrIndexThatChangesIsNoticedAtOnce) {
  ASSERT_TRUE(open(good_));
  for (std::size_t at = 0; at < kHeaderBytes - 8 + index_bytes(); ++at) {
    std::string bytes = good_;
    bytes[at < kHeaderBytes - 8 ? at : at + 8] ^= 0x10;
    auto file = open(bytes);
    ASSERT_FALSE(file) << at;
    EXPECT_EQ(file.error().kind, ErrorKind::kCorrupt);
  }
}

TEST_F(PackedFiles, ChangedPiecesAreNoticedByTheirTimeAndByACheck) {
  std::string bytes = good_;
  bytes.back() ^= 1;
  EXPECT_FALSE(open(bytes, false));  // an ordinary write
  auto file = open(bytes);           // somebody who put the time back
  ASSERT_TRUE(file);
  EXPECT_EQ(file->check().error().kind, ErrorKind::kCorrupt);
  auto pool = DevicePool::create_cpu(16u << 20).value();
  const Region region = file->map(*pool, {"weights", "x"}).value();
  EXPECT_FALSE(file->check({region.data(), file->size()}));
}

TEST_F(PackedFiles, OtherLengthsVersionsAndWeightsAreRefused) {
  for (std::size_t size = 0; size < good_.size(); size += 13) EXPECT_FALSE(open(good_.substr(0, size))) << size;
  EXPECT_FALSE(open(good_ + "x"));
  std::string bytes = good_;
  bytes[8] ^= 1;  // the version
  sign(bytes);
  EXPECT_FALSE(open(bytes));
  ASSERT_TRUE(open(good_));
  EXPECT_FALSE(PackedFile::open(path_, "f" + kDigest.substr(1)));
  EXPECT_EQ(PackedFile::open(path_ + "x", kDigest).error().kind, ErrorKind::kNotFound);
  fs::create_symlink(path_, path_ + "l");
  EXPECT_FALSE(PackedFile::open(path_ + "l", kDigest));
}

// Forged files, all checksums right: what opens has all of its pieces inside the file.
TEST_F(PackedFiles, ForgedIndicesNeverReachOutsideTheFile) {
  std::mt19937_64 random(5);
  int opened = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = good_;
    for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n) {
      const std::size_t at = 12 + random() % (kHeaderBytes + index_bytes() - 12);
      if (random() % 2)
        bytes[at] = static_cast<char>(random());
      else if (const std::uint64_t value = random() >> (random() % 64); at + 8 <= bytes.size())
        std::memcpy(bytes.data() + at, &value, sizeof value);
    }
    std::uint64_t index = 0;
    std::memcpy(&index, bytes.data() + 16, sizeof index);
    if (index <= bytes.size() - kHeaderBytes) {
      const std::uint64_t sum = XXH3_64bits(bytes.data() + kHeaderBytes, index);
      std::memcpy(bytes.data() + 72, &sum, sizeof sum);
    }
    std::memcpy(bytes.data() + 32, good_.data() + 32, 8 + 32);  // time and digest
    sign(bytes);
    auto file = open(bytes);
    if (!file) continue;
    ++opened;
    std::uint64_t end = kHeaderBytes;
    for (const PackedEntry& entry : file->entries()) {
      ASSERT_GE(entry.offset, end);
      ASSERT_LE(entry.bytes, file->size());
      ASSERT_LE(entry.offset, file->size() - entry.bytes);
      end = entry.offset + entry.bytes;
    }
    (void)file->check();
  }
  EXPECT_GT(opened, 100);  // the forger was not stopped by the checksums
}

}  // namespace
}  // namespace consort
