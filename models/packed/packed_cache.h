// PackedCache: a folder of packed weights (PackedFile), named by the digest of the weights they were made of,
// and of notes (SourceNote) that tell the digest of weight files without reading them. Everything in it can be
// made again: what is damaged, old or has lost its source is removed, and a failure to write is a warning.
//
// Several processes may use one folder: files are written under names of their own and renamed when they are
// whole, and a removed file stays readable for those who have it mapped.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/weight_source.h"
#include "models/packed/packed_file.h"

namespace consort {

struct PackedCacheOptions {
  std::string folder;                      // made when something is written to it
  bool check = false;                      // compare the digests of all pieces at every load
  std::uint64_t least_bytes = 1u << 20;    // less is packed anew at each load
  std::uint64_t spare_bytes = 1u << 30;    // must stay free on the disk
  std::chrono::nanoseconds settle{2'000'000'000};  // see SourceNote::settled
  std::function<void(const std::string&)> warn;    // hears of the first failure to write; any thread
};

// Thread-safe.
class PackedCache {
 public:
  explicit PackedCache(PackedCacheOptions options) : options_(std::move(options)) {}
  const PackedCacheOptions& options() const { return options_; }

  // The digest of the weights in these files as a settled note of the same files tells it.
  std::optional<std::string> noted_digest(const std::vector<FileIdentity>& files) const;
  // Remembers it. `begun`: when computing it began.
  void note(const std::vector<FileIdentity>& files, const std::string& digest,
            std::chrono::system_clock::time_point begun);

  // The packed weights of a digest; `variant` tells apart what the same weights are packed to ("" or
  // "int16"). nullopt when there are none; a file that is of no use is removed.
  std::optional<PackedFile> open(std::string_view digest, std::string_view variant) const;
  void remove(std::string_view digest, std::string_view variant) const;
  // Writes them, if they are large enough and the disk has room, and removes what has lost its source.
  void store(std::string_view digest, std::string_view variant, std::span<const PackedPiece> pieces);

  // What a full check of a source finds. Reads everything.
  struct Checked {
    bool noted = false;       // a note told the digest, and it is right
    std::size_t good = 0;     // files of packed weights in which every digest is right
    std::size_t removed = 0;  // notes and files that were wrong; they are gone now
  };
  Checked check(const WeightSource& source) const;

 private:
  std::string path(std::string_view digest, std::string_view variant) const;
  Status write(std::string_view digest, std::string_view variant, std::span<const PackedPiece> pieces) const;
  void remove_orphans() const;
  void warn(const Status& failed);

  const PackedCacheOptions options_;
  std::atomic<bool> warned_{false};
};

}  // namespace consort
