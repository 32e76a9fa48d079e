#include "memory/kv/page_store.h"

#include <fmt/format.h>

#include <cassert>
#include <utility>

#include "memory/base/checked.h"

namespace consort {
namespace {

constexpr std::size_t kMaxGranulesPerRegion = 16;  // 32 MiB: a region goes back only when all of it is free
constexpr std::size_t kWasteParts = 16;            // accept a region that wastes at most 1/16

}  // namespace

RegionShape region_shape(std::size_t page_bytes) {
  const std::size_t first = round_up(page_bytes, kGranuleBytes) / kGranuleBytes;
  RegionShape best{first, 1};
  double best_waste = 1.0;
  for (std::size_t g = first; g <= std::max(first, kMaxGranulesPerRegion); ++g) {
    const std::size_t bytes = g * kGranuleBytes;
    const std::size_t pages = bytes / page_bytes;
    const std::size_t wasted = bytes - pages * page_bytes;
    const double waste = static_cast<double>(wasted) / static_cast<double>(bytes);
    if (waste < best_waste) {
      best_waste = waste;
      best = {g, pages};
    }
    if (wasted * kWasteParts <= bytes) break;
  }
  return best;
}

PageStore::PageStore(DevicePool& pool, Owner owner, std::size_t page_bytes, std::size_t max_bytes)
    : pool_(pool),
      owner_(std::move(owner)),
      page_bytes_(page_bytes),
      shape_(region_shape(page_bytes)),
      max_slabs_(max_bytes / (shape_.granules * kGranuleBytes)) {}

Result<PageId> PageStore::take() {
  if (free_.empty()) CONSORT_CHECK_OK(add_slab());
  const PageId id = *free_.begin();
  free_.erase(free_.begin());
  pages_[id].references = 1;
  ++slabs_[slab_of(id)].held;
  --free_count_;
  return id;
}

void PageStore::add_reference(PageId id) {
  assert(id < pages_.size() && pages_[id].references > 0);
  if (++pages_[id].references == 2) ++shared_count_;
}

void PageStore::drop_reference(PageId id) {
  assert(id < pages_.size() && pages_[id].references > 0);
  Page& page = pages_[id];
  if (--page.references == 1) --shared_count_;
  if (page.references > 0) return;
  free_.insert(id);
  ++free_count_;
  const std::size_t slab = slab_of(id);
  if (--slabs_[slab].held == 0) drop_slab(slab);
}

Status PageStore::add_slab() {
  if (pages_total() / shape_.pages >= max_slabs_)
    return fail(ErrorKind::kMemory,
                fmt::format("the KV cache of {} is full ({} pages)", owner_.name, pages_total()), {},
                "raise its budget, use shorter prompts or fewer sequences");
  // The pool's pressure hook may run inside and free pages of this very store, so nothing is read before it.
  CONSORT_TRY(region, pool_.allocate(shape_.granules * kGranuleBytes, owner_));
  std::size_t index = 0;
  while (index < slabs_.size() && !slabs_[index].region.empty()) ++index;
  if (index == slabs_.size()) {
    slabs_.emplace_back();
    pages_.resize(pages_.size() + shape_.pages);
  }
  for (std::size_t i = 0; i < shape_.pages; ++i) {
    const auto id = static_cast<PageId>(index * shape_.pages + i);
    pages_[id].data = region.data() + i * page_bytes_;
    free_.insert(id);
  }
  slabs_[index].region = std::move(region);
  free_count_ += shape_.pages;
  total_count_ += shape_.pages;
  bytes_ += shape_.granules * kGranuleBytes;
  return {};
}

void PageStore::drop_slab(std::size_t index) {
  for (std::size_t i = 0; i < shape_.pages; ++i) {
    const auto id = static_cast<PageId>(index * shape_.pages + i);
    pages_[id].data = nullptr;
    free_.erase(id);
  }
  slabs_[index].region = Region();
  free_count_ -= shape_.pages;
  total_count_ -= shape_.pages;
  bytes_ -= shape_.granules * kGranuleBytes;
}

Status PageStore::check(const std::vector<std::uint32_t>& holders) const {
  const auto bad = [](PageId id, std::string why) {
    return fail(ErrorKind::kCorrupt, fmt::format("KV page {}: {}", id, why));
  };
  std::size_t free_pages = 0, shared = 0, total = 0;
  std::vector<std::size_t> held(slabs_.size());
  for (PageId id = 0; id < pages_.size(); ++id) {
    const Page& page = pages_[id];
    const bool there = !slabs_[slab_of(id)].region.empty();
    if (page.references != holders[id])
      return bad(id, fmt::format("{} references but {} holders", page.references, holders[id]));
    if (page.references > 0 && page.data == nullptr) return bad(id, "held, but its memory is gone");
    if ((page.data != nullptr) != there) return bad(id, "does not agree with its region");
    const bool listed = free_.contains(id);
    if (listed != (there && page.references == 0))
      return bad(id, "is on the free list and held, or on neither");
    free_pages += listed;
    total += there;
    shared += page.references > 1;
    held[slab_of(id)] += page.references > 0;
  }
  for (std::size_t i = 0; i < slabs_.size(); ++i) {
    if (held[i] != slabs_[i].held)
      return fail(ErrorKind::kCorrupt, fmt::format("KV region {}: wrong count", i));
    if (held[i] == 0 && !slabs_[i].region.empty())
      return fail(ErrorKind::kCorrupt, fmt::format("KV region {}: free but not given back", i));
  }
  if (free_pages != pages_free() || total != pages_total() || shared != pages_shared())
    return fail(ErrorKind::kCorrupt, "KV page counters do not agree with the pages");
  return {};
}

}  // namespace consort
