#include "models/packed/packed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "kernels/int16_matmul/int16_matmul.h"
#include "kernels/matmul/largest.h"
#include "kernels/matmul/matmul.h"
#include "memory/base/checked.h"

namespace consort {
namespace {

static_assert(std::endian::native == std::endian::little, "packed files are little-endian");

constexpr std::uint32_t kFileVersion = 1;
constexpr std::array<char, 8> kMagic = {'C', 'N', 'S', 'R', 'T', 'P', 'A', 'K'};
constexpr std::size_t kAlign = 64;
constexpr std::uint64_t kMaxIndexBytes = 64u << 20;
constexpr std::uint32_t kMaxNameBytes = 4096;
// Large writes let the file system keep the file in huge pages, which are mapped as such.
constexpr std::size_t kWriteBytes = 8u << 20;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = 0;  // packed_layout_version()
  std::uint32_t entries = 0;
  std::uint64_t index_bytes = 0;
  std::uint64_t file_bytes = 0;
  std::int64_t seconds = 0;  // the file's modification time
  std::array<char, 32> source_digest{};
  std::uint64_t index_checksum = 0;   // XXH3-64
  std::uint64_t header_checksum = 0;  // XXH3-64 of everything before it
  std::uint64_t zero = 0;
};
static_assert(sizeof(Header) == 96);

// One entry of the index; its name follows.
struct Record {
  std::uint8_t kind = 0, dtype = 0;
  std::uint16_t zero = 0;
  std::uint32_t name_bytes = 0;
  std::int64_t rows = 0, cols = 0;
  std::uint64_t offset = 0, bytes = 0;
  std::array<std::uint64_t, 2> digest{};
};
static_assert(sizeof(Record) == 56);

std::uint64_t header_checksum(const Header& header) {
  return XXH3_64bits(&header, offsetof(Header, header_checksum));
}

std::array<std::uint64_t, 2> digest_of(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

// All of `bytes` from `offset` of the file.
bool read_at(int descriptor, std::uint64_t offset, void* to, std::size_t bytes) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t n = ::pread(descriptor, at, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    offset += static_cast<std::uint64_t>(n);
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

tl::unexpected<Error> corrupt(const std::string& path, std::string what) {
  return fail(ErrorKind::kCorrupt, "packed weights: " + std::move(what), path);
}

// Collects what is written into large pieces.
class Writer {
 public:
  explicit Writer(StagedFile& out) : out_(out) { buffer_.reserve(kWriteBytes); }
  Status append(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const std::size_t n = std::min(bytes, kWriteBytes - buffer_.size());
      buffer_.insert(buffer_.end(), at, at + n);
      at += n;
      bytes -= n;
      if (buffer_.size() == kWriteBytes) CONSORT_CHECK_OK(flush());
    }
    return {};
  }
  Status fill(std::size_t zeros) {
    static constexpr std::array<char, kAlign> kZeros{};
    return append(kZeros.data(), zeros);
  }
  Status flush() {
    CONSORT_CHECK_OK(out_.append(buffer_.data(), buffer_.size()));
    buffer_.clear();
    return {};
  }

 private:
  StagedFile& out_;
  std::vector<char> buffer_;
};

std::size_t index_bytes(std::span<const PackedPiece> pieces) {
  std::size_t bytes = 0;
  for (const PackedPiece& piece : pieces) bytes += sizeof(Record) + piece.key.name.size();
  return bytes;
}

// The index as bytes; `end`: where the last piece ends.
std::string make_index(std::span<const PackedPiece> pieces, std::uint64_t& end) {
  std::string index;
  end = sizeof(Header) + index_bytes(pieces);
  for (const PackedPiece& piece : pieces) {
    Record record;
    record.kind = static_cast<std::uint8_t>(piece.key.kind);
    record.dtype = static_cast<std::uint8_t>(piece.key.dtype);
    record.name_bytes = static_cast<std::uint32_t>(piece.key.name.size());
    record.rows = piece.key.rows;
    record.cols = piece.key.cols;
    record.offset = round_up(end, kAlign);
    record.bytes = piece.bytes.size();
    record.digest = digest_of(piece.bytes);
    end = record.offset + record.bytes;
    index.append(reinterpret_cast<const char*>(&record), sizeof record);
    index += piece.key.name;
  }
  return index;
}

}  // namespace

std::uint32_t packed_layout_version() {
  static_assert(kPackedMatrixLayout < 256 && kInt16MatrixLayout < 256 && kRowSketchLayout < 256);
  return kFileVersion << 24 | kPackedMatrixLayout << 16 | kInt16MatrixLayout << 8 | kRowSketchLayout;
}

PackedFile::PackedFile(PackedFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      entries_(std::move(other.entries_)) {}

PackedFile& PackedFile::operator=(PackedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(entries_, other.entries_);
  return *this;
}

PackedFile::~PackedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<PackedFile> PackedFile::open(const std::string& path, std::string_view source_digest) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return fail(ErrorKind::kNotFound, "no packed weights", path);
    return corrupt(path, std::string("cannot open: ") + std::strerror(errno));
  }
  struct stat info {};
  const bool known = ::fstat(descriptor, &info) == 0;
  PackedFile file(path, descriptor, known && info.st_size > 0 ? static_cast<std::size_t>(info.st_size) : 0);
  if (!known || !S_ISREG(info.st_mode)) return corrupt(path, "not a regular file");
  CONSORT_CHECK_OK(file.read_index(source_digest));
  return file;
}

Status PackedFile::read_index(std::string_view source_digest) {
  Header header;
  if (size_ < sizeof header || !read_at(descriptor_, 0, &header, sizeof header))
    return corrupt(path_, "no header");
  if (header.magic != kMagic || header.header_checksum != header_checksum(header))
    return corrupt(path_, "the header is damaged");
  if (header.version != packed_layout_version()) return corrupt(path_, "of another version");
  if (std::string_view(header.source_digest.data(), header.source_digest.size()) != source_digest)
    return corrupt(path_, "of other weights");
  if (header.file_bytes != size_) return corrupt(path_, "the file has another length than it says");
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0 || info.st_mtim.tv_sec != header.seconds || info.st_mtim.tv_nsec != 0)
    return corrupt(path_, "somebody has written to the file");
  if (header.index_bytes > kMaxIndexBytes || header.index_bytes > size_ - sizeof header)
    return corrupt(path_, "an index that does not fit");
  std::string index(static_cast<std::size_t>(header.index_bytes), '\0');
  if (!read_at(descriptor_, sizeof header, index.data(), index.size()) ||
      XXH3_64bits(index.data(), index.size()) != header.index_checksum)
    return corrupt(path_, "the index is damaged");
  std::uint64_t end = sizeof header + header.index_bytes;
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < header.entries; ++i) {
    Record record;
    if (index.size() - at < sizeof record) return corrupt(path_, "the index is too short");
    std::memcpy(&record, index.data() + at, sizeof record);
    at += sizeof record;
    if (record.name_bytes > kMaxNameBytes || record.name_bytes > index.size() - at)
      return corrupt(path_, "a name that does not fit");
    if (record.offset % kAlign != 0 || record.offset < end || record.offset > size_ ||
        record.bytes > size_ - record.offset)
      return corrupt(path_, "a piece outside the file or over another");
    end = record.offset + record.bytes;
    entries_.push_back({{static_cast<PackedKind>(record.kind), static_cast<DType>(record.dtype), record.rows,
                         record.cols, index.substr(at, record.name_bytes)},
                        record.offset,
                        record.bytes,
                        record.digest});
    at += record.name_bytes;
  }
  if (at != index.size()) return corrupt(path_, "the index is too long");
  return {};
}

Result<Region> PackedFile::map(DevicePool& pool, Owner owner) const {
  return pool.map_file(descriptor_, size_, std::move(owner));
}

Status PackedFile::check(std::span<const std::byte> file) const {
  for (const PackedEntry& entry : entries_)
    if (digest_of(file.subspan(entry.offset, entry.bytes)) != entry.digest)
      return corrupt(path_, "the bytes of " + entry.key.name + " have another digest");
  return {};
}

Status PackedFile::check() const {
  std::vector<std::byte> bytes;
  for (const PackedEntry& entry : entries_) {
    bytes.resize(entry.bytes);
    if (!read_at(descriptor_, entry.offset, bytes.data(), bytes.size()))
      return fail(ErrorKind::kIo, "packed weights cannot be read", path_);
    if (digest_of(bytes) != entry.digest)
      return corrupt(path_, "the bytes of " + entry.key.name + " have another digest");
  }
  return {};
}

std::size_t packed_file_bytes(std::span<const PackedPiece> pieces) {
  std::size_t end = sizeof(Header) + index_bytes(pieces);
  for (const PackedPiece& piece : pieces) end = round_up(end, kAlign) + piece.bytes.size();
  return end;
}

Status write_packed(StagedFile& out, std::string_view source_digest, std::span<const PackedPiece> pieces) {
  Header header;
  if (source_digest.size() != header.source_digest.size())
    return fail(ErrorKind::kInvalid, "not a digest of weights: " + std::string(source_digest));
  for (const PackedPiece& piece : pieces)
    if (piece.key.name.size() > kMaxNameBytes)
      return fail(ErrorKind::kInvalid, "a tensor's name is too long for packed weights");
  std::uint64_t end = 0;
  const std::string index = make_index(pieces, end);
  header.version = packed_layout_version();
  header.entries = static_cast<std::uint32_t>(pieces.size());
  header.index_bytes = index.size();
  header.file_bytes = end;
  // Even seconds: every file system keeps them as they are.
  header.seconds = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count() &
                   ~std::int64_t{1};
  std::copy(source_digest.begin(), source_digest.end(), header.source_digest.begin());
  header.index_checksum = XXH3_64bits(index.data(), index.size());
  header.header_checksum = header_checksum(header);
  Writer writer(out);
  CONSORT_CHECK_OK(writer.append(&header, sizeof header));
  CONSORT_CHECK_OK(writer.append(index.data(), index.size()));
  std::uint64_t at = sizeof header + index.size();
  for (const PackedPiece& piece : pieces) {
    CONSORT_CHECK_OK(writer.fill(round_up(at, kAlign) - at));
    CONSORT_CHECK_OK(writer.append(piece.bytes.data(), piece.bytes.size()));
    at = round_up(at, kAlign) + piece.bytes.size();
  }
  CONSORT_CHECK_OK(writer.flush());
  return out.set_time(header.seconds);
}

}  // namespace consort
