#include "models/packed/packed_load.h"

#include <utility>

#include "models/packed/source_note.h"
#include "models/packed/weights_digest.h"

namespace consort {

Result<PackedLoad> PackedLoad::begin(const WeightSource& source, LoadContext& context, std::string variant) {
  PackedLoad load(source, context, std::move(variant));
  if (context.packed == nullptr) return load;
  if (auto noted = context.packed->noted_digest(source.identities())) {
    load.digest_ = std::move(*noted);
  } else if (source.identities().empty()) {
    return load;
  } else {
    load.compute_digest();
  }
  CONSORT_CHECK_OK(load.map_file());
  return load;
}

Status PackedLoad::map_file() {
  PackedCache& cache = *context_->packed;
  file_ = cache.open(digest_, variant_);
  if (!file_) return {};
  auto region = file_->map(context_->pool, Owner{"weights", context_->id});
  if (!region && region.error().kind == ErrorKind::kMemory) return forward_error(region);
  const bool good = region && (!cache.options().check ||
                               file_->check(std::span<const std::byte>(region->data(), file_->size())));
  if (!good) {
    cache.remove(digest_, variant_);
    file_.reset();
    return {};
  }
  region_ = std::move(*region);
  for (const PackedEntry& entry : file_->entries())
    entries_.emplace(std::pair(entry.key.kind, std::string_view(entry.key.name)), &entry);
  return {};
}

std::span<const std::byte> PackedLoad::find(const PackedKey& key) {
  const auto at = entries_.find({key.kind, key.name});
  if (at == entries_.end() || at->second->key != key) return {};
  return {region_.data() + at->second->offset, static_cast<std::size_t>(at->second->bytes)};
}

void PackedLoad::keep(PackedKey key, std::span<const std::byte> bytes) {
  if (context_->packed != nullptr) packed_.push_back({std::move(key), bytes});
}

void PackedLoad::compute_digest() {
  const auto begun = std::chrono::system_clock::now();
  digest_ = weights_digest(*source_, context_->exec);
  computed_ = true;
  if (context_->packed != nullptr) context_->packed->note(source_->identities(), digest_, begun);
}

const std::string& PackedLoad::digest() {
  if (digest_.empty()) compute_digest();
  return digest_;
}

Region PackedLoad::finish() {
  if (context_->packed == nullptr || packed_.empty() || source_->identities().empty())
    return std::move(region_);
  if (file_) {
    context_->packed->remove(digest_, variant_);
    return std::move(region_);
  }
  // Weights are stored only under a digest that this load has computed from the bytes it has packed, which
  // nobody has written to meanwhile.
  if (!computed_) compute_digest();
  if (are_unchanged(source_->identities())) context_->packed->store(digest_, variant_, packed_);
  return std::move(region_);
}

}  // namespace consort
