// PackedLoad: what one load of a model takes from the cache of packed weights and gives to it. Without a cache
// it finds nothing and keeps nothing. Belongs to the loading thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/model.h"
#include "models/packed/packed_cache.h"

namespace consort {

class PackedLoad {
 public:
  // Maps the packed weights of this source if there are any. `source` and `context` must outlive it. Errors:
  // kMemory, when the pool has no room for them.
  static Result<PackedLoad> begin(const WeightSource& source, LoadContext& context, std::string variant);

  // The bytes packed earlier for this key, 64-byte aligned, or empty: then they are to be packed, and keep()
  // is to be told.
  std::span<const std::byte> find(const PackedKey& key);
  // `bytes` must stay until finish().
  void keep(PackedKey key, std::span<const std::byte> bytes);
  // The digest of the source's weights.
  const std::string& digest();
  // Stores what was packed if nothing was found. If only some of it was found the file is not what this
  // program makes of these weights: it is removed. Returns the mapping, to be held as long as the weights.
  Region finish();

 private:
  PackedLoad(const WeightSource& source, LoadContext& context, std::string variant)
      : source_(&source), context_(&context), variant_(std::move(variant)) {}
  Status map_file();
  void compute_digest();

  const WeightSource* source_;
  LoadContext* context_;
  std::string variant_;
  std::string digest_;
  bool computed_ = false;  // in this load, from the bytes
  std::optional<PackedFile> file_;
  std::map<std::pair<PackedKind, std::string_view>, const PackedEntry*> entries_;
  Region region_;
  std::vector<PackedPiece> packed_;
};

}  // namespace consort
