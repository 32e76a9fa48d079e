// PackedFile: the weights of one model as an earlier load has packed them, in one file that is mapped instead
// of packing again. Lay-out, little-endian: a header of 96 bytes (magic, version, sizes, digest of the source,
// time stamp, checksums), the index (kind, type, shape, place, digest and name of every piece), the pieces,
// each at a multiple of 64.
//
// What open() proves without reading the pieces: the header and the index are as written (checksums), the file
// is as long as it says, every piece lies inside it, none over another, and nobody has written to it (its
// modification time is the one in the header, which every ordinary write changes). What only
// check() proves: that the bytes of the pieces are those that were packed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "memory/device/device_pool.h"
#include "memory/tensor/dtype.h"
#include "models/catalogue/staged_file.h"

namespace consort {

enum class PackedKind : std::uint8_t { kMatrix = 1, kInt16 = 2, kVector = 3, kSketch = 4 };

// By what a piece is asked for: name, type and shape of the tensor in the source. A vector has one row.
struct PackedKey {
  PackedKind kind = PackedKind::kMatrix;
  DType dtype = DType::kF32;
  std::int64_t rows = 0, cols = 0;
  std::string name;
  bool operator==(const PackedKey&) const = default;
};

struct PackedEntry {
  PackedKey key;
  std::uint64_t offset = 0, bytes = 0;
  std::array<std::uint64_t, 2> digest{};  // XXH3-128 of the bytes
};

struct PackedPiece {
  PackedKey key;
  std::span<const std::byte> bytes;
};

// Of the file and of everything inside it, for the file's name; grows with every change of a lay-out.
std::uint32_t packed_layout_version();

class PackedFile {
 public:
  // `source_digest`: 32 hex digits, of the weights that it must hold. Errors: kNotFound; kCorrupt for a file
  // that is not whole, was written to, is of another version or of other weights: it is of no use.
  static Result<PackedFile> open(const std::string& path, std::string_view source_digest);
  PackedFile(PackedFile&& other) noexcept;
  PackedFile& operator=(PackedFile&& other) noexcept;
  ~PackedFile();

  const std::vector<PackedEntry>& entries() const { return entries_; }  // by offset
  std::size_t size() const { return size_; }
  // The whole file, booked on the owner. Errors: those of DevicePool::map_file.
  Result<Region> map(DevicePool& pool, Owner owner) const;
  // Compares the digests of all pieces; `file`: size() bytes as map() shows them. Errors: kCorrupt.
  Status check(std::span<const std::byte> file) const;
  // The same by reading the file piece by piece. Errors: kCorrupt, kIo.
  Status check() const;

 private:
  PackedFile(std::string path, int descriptor, std::size_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}
  Status read_index(std::string_view source_digest);

  std::string path_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
  std::vector<PackedEntry> entries_;
};

// Bytes that such a file takes.
std::size_t packed_file_bytes(std::span<const PackedPiece> pieces);

// Writes header, index and pieces and sets the time. Errors: kIo.
Status write_packed(StagedFile& out, std::string_view source_digest, std::span<const PackedPiece> pieces);

}  // namespace consort
