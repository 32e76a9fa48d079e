// The file WATERMARK: where the store stood when it was last closed in order. RocksDB cannot tell a log or a
// MANIFEST that was cut at a record's border (or a log that was deleted) from one that ended there; a store
// that opens below its watermark has lost acknowledged writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace consort {

struct Watermark {
  std::uint64_t sequence = 0;  // number of the last write
  // The MANIFEST in use, its length in bytes (it only ever grows) and a hash of them: zeros over a record
  // also read as the end of the file.
  std::string manifest;
  std::uint64_t manifest_bytes = 0;
  std::uint64_t manifest_hash = 0;
};

// The MANIFEST that CURRENT names, the length and the hash of its first `limit` bytes; an empty name when
// that cannot be read.
Watermark manifest_now(const std::string& directory, std::uint64_t limit = UINT64_MAX);
// Replaces the file in one step (write beside, rename). Best effort: an old watermark is still a true lower
// bound.
void write_watermark(const std::string& directory, const Watermark& mark);
// nullopt when there is none or its checksum differs.
std::optional<Watermark> read_watermark(const std::string& directory);

}  // namespace consort
