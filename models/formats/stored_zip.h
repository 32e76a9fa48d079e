// The entries of a ZIP archive that are stored as they are, as views into the mapped file (source: the .ZIP
// File Format Specification 6.3.10, with ZIP64). What torch.save writes is such an archive. Compressed and
// encrypted entries are refused: nothing is ever unpacked, so no archive grows in memory. Internal to this
// room.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace consort {

struct StoredEntry {
  std::string_view name;  // in the file
  std::span<const std::byte> data;
};

// In the order of the central directory. Throws FormatError: kCorrupt (no directory, offsets outside the
// file, entries that together are larger than it, names that differ between directory and entry),
// kUnsupported (compression, encryption, several disks).
std::vector<StoredEntry> read_stored_zip(std::span<const std::byte> file);

}  // namespace consort
