#include "models/formats/stored_zip.h"

#include <algorithm>
#include <optional>

#include "models/formats/byte_reader.h"

namespace consort {
namespace {

constexpr std::uint32_t kEntry = 0x04034b50, kDirectory = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kLocator64 = 0x07064b50;
constexpr std::size_t kEndBytes = 22, kLocatorBytes = 20, kLongestComment = 0xffff;
constexpr std::uint64_t kMostEntries = 1'000'000;
constexpr std::uint32_t kElsewhere = 0xffffffff;  // the number stands in the ZIP64 part

[[noreturn]] void corrupt(const char* what) {
  throw FormatError(ErrorKind::kCorrupt, std::string("zip: ") + what);
}
[[noreturn]] void unsupported(const char* what) {
  throw FormatError(ErrorKind::kUnsupported, std::string("zip: ") + what, "",
                    "save the checkpoint with torch.save");
}

struct Directory {
  std::uint64_t entries = 0, bytes = 0, offset = 0;
};

class ZipReader {
 public:
  explicit ZipReader(std::span<const std::byte> file) : file_(file) {}

  std::vector<StoredEntry> read() {
    const Directory directory = find_directory();
    if (directory.entries > kMostEntries) corrupt("more entries than any checkpoint has");
    ByteReader reader = at(directory.offset, directory.bytes);
    std::vector<StoredEntry> entries;
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
      entries.push_back(read_entry(reader));
      total += entries.back().data.size();
      if (total > file_.size()) corrupt("the entries together are larger than the file");
    }
    return entries;
  }

 private:
  ByteReader at(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset > file_.size() || bytes > file_.size() - offset) corrupt("an offset outside the file");
    return ByteReader(file_.subspan(offset, bytes));
  }

  std::size_t find_end() const {
    if (file_.size() < kEndBytes) corrupt("too short for an archive");
    const std::size_t last = file_.size() - kEndBytes;
    for (std::size_t back = 0; back <= std::min(last, kLongestComment); ++back) {
      ByteReader reader = at(last - back, kEndBytes);
      if (reader.number<std::uint32_t>("") != kEnd) continue;
      reader.text(16, "");
      if (reader.number<std::uint16_t>("") == back) return last - back;
    }
    corrupt("no directory at its end");
  }

  Directory find_directory() const {
    const std::size_t end = find_end();
    ByteReader reader = at(end + 4, kEndBytes - 4);
    const auto disk = reader.number<std::uint16_t>("zip"), first = reader.number<std::uint16_t>("zip");
    const auto here = reader.number<std::uint16_t>("zip");
    Directory d;
    d.entries = reader.number<std::uint16_t>("zip");
    d.bytes = reader.number<std::uint32_t>("zip");
    d.offset = reader.number<std::uint32_t>("zip");
    if (d.entries == 0xffff || d.bytes == kElsewhere || d.offset == kElsewhere) return directory64(end);
    if (disk != 0 || first != 0 || here != d.entries) unsupported("an archive of several parts");
    return d;
  }

  Directory directory64(std::size_t end) const {
    if (end < kLocatorBytes) corrupt("no directory at its end");
    ByteReader locator = at(end - kLocatorBytes, kLocatorBytes);
    if (locator.number<std::uint32_t>("zip") != kLocator64) corrupt("no directory at its end");
    if (locator.number<std::uint32_t>("zip") != 0) unsupported("an archive of several parts");
    const auto offset = locator.number<std::uint64_t>("zip");
    if (offset > end) corrupt("an offset outside the file");
    ByteReader reader = at(offset, end - offset);
    if (reader.number<std::uint32_t>("zip") != kEnd64) corrupt("no directory at its end");
    reader.text(8 + 2 + 2 + 4 + 4 + 8, "zip");  // size, versions, disks, entries on this disk
    Directory d;
    d.entries = reader.number<std::uint64_t>("zip");
    d.bytes = reader.number<std::uint64_t>("zip");
    d.offset = reader.number<std::uint64_t>("zip");
    return d;
  }

  // The numbers of an entry's ZIP64 part, in their order, where the short ones say that they stand there.
  static void take_long_numbers(ByteReader extra, std::initializer_list<std::uint64_t*> numbers) {
    while (extra.remaining() >= 4) {
      const auto kind = extra.number<std::uint16_t>("zip"), size = extra.number<std::uint16_t>("zip");
      const std::string_view text = extra.text(size, "zip: an entry");
      if (kind != 1) continue;
      ByteReader part(std::as_bytes(std::span(text)));
      for (std::uint64_t* number : numbers)
        if (*number == kElsewhere) *number = part.number<std::uint64_t>("zip: an entry");
      return;
    }
    for (const std::uint64_t* number : numbers)
      if (*number == kElsewhere) corrupt("an entry without its size");
  }

  StoredEntry read_entry(ByteReader& reader) const {
    if (reader.number<std::uint32_t>("zip: the directory") != kDirectory) corrupt("a damaged directory");
    reader.text(4, "zip: the directory");  // versions
    const auto flags = reader.number<std::uint16_t>("zip: the directory"),
               method = reader.number<std::uint16_t>("zip: the directory");
    reader.text(4 + 4, "zip: the directory");  // time, checksum
    std::uint64_t packed = reader.number<std::uint32_t>("zip: the directory"),
                  size = reader.number<std::uint32_t>("zip: the directory");
    const auto name_bytes = reader.number<std::uint16_t>("zip: the directory"),
               extra_bytes = reader.number<std::uint16_t>("zip: the directory"),
               comment_bytes = reader.number<std::uint16_t>("zip: the directory");
    reader.text(2 + 2 + 4, "zip: the directory");  // disk, attributes
    std::uint64_t offset = reader.number<std::uint32_t>("zip: the directory");
    const std::string_view name = reader.text(name_bytes, "zip: a name");
    const std::string_view extra = reader.text(extra_bytes, "zip: an entry");
    reader.text(comment_bytes, "zip: a comment");
    if ((flags & 1) != 0) unsupported("an encrypted entry");
    if (method != 0) unsupported("a compressed entry");
    if (packed == kElsewhere || size == kElsewhere || offset == kElsewhere)
      take_long_numbers(ByteReader(std::as_bytes(std::span(extra))), {&size, &packed, &offset});
    if (packed != size) corrupt("a stored entry of two sizes");
    return {name, data_of(name, offset, size)};
  }

  std::span<const std::byte> data_of(std::string_view name, std::uint64_t offset, std::uint64_t size) const {
    if (offset > file_.size()) corrupt("an offset outside the file");
    ByteReader reader = at(offset, file_.size() - offset);
    if (reader.number<std::uint32_t>("zip: an entry") != kEntry) corrupt("no entry where the directory says");
    reader.text(22, "zip: an entry");  // what the directory says too
    const auto name_bytes = reader.number<std::uint16_t>("zip: an entry"),
               extra_bytes = reader.number<std::uint16_t>("zip: an entry");
    if (reader.text(name_bytes, "zip: a name") != name)
      corrupt("an entry of another name than the directory says");
    reader.text(extra_bytes, "zip: an entry");
    return std::as_bytes(std::span(reader.text(size, "zip: an entry")));
  }

  std::span<const std::byte> file_;
};

}  // namespace

std::vector<StoredEntry> read_stored_zip(std::span<const std::byte> file) {
  return ZipReader(file).read();
}

}  // namespace consort
