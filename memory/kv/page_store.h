// PageStore: the pages of one KvCache. Carves them from regions of the DevicePool, counts references, and
// gives a region back when none of its pages is held.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "memory/base/status.h"
#include "memory/device/device_pool.h"

namespace consort {

using PageId = std::uint32_t;

// How pages are packed into regions: the smallest number of granules that wastes at most 1/16, up to 16
// granules (else the one that wastes least). Pages larger than a granule get regions of their own size.
struct RegionShape {
  std::size_t granules = 1;
  std::size_t pages = 1;
};
RegionShape region_shape(std::size_t page_bytes);

// Owned by KvCache. Thread: the lane's, except the counters.
class PageStore {
 public:
  PageStore(DevicePool& pool, Owner owner, std::size_t page_bytes, std::size_t max_bytes);

  // A page with one reference; bytes are not cleared. Errors: kMemory.
  Result<PageId> take();
  void add_reference(PageId id);
  void drop_reference(PageId id);  // the last one frees the page
  std::uint32_t references(PageId id) const { return pages_[id].references; }
  std::byte* data(PageId id) const { return pages_[id].data; }
  std::size_t page_bytes() const { return page_bytes_; }
  std::size_t pages_not_carved() const { return capacity() - pages_total(); }  // that max_bytes still allows
  std::size_t capacity() const { return max_slabs_ * shape_.pages; }
  std::size_t pages_free() const { return free_count_.load(std::memory_order_relaxed); }
  std::size_t pages_total() const { return total_count_.load(std::memory_order_relaxed); }
  std::size_t pages_shared() const { return shared_count_.load(std::memory_order_relaxed); }
  std::size_t bytes_committed() const { return bytes_.load(std::memory_order_relaxed); }

  // Compares every page with `holders[id]`, the references that should exist. Errors: kCorrupt, naming the
  // page.
  Status check(const std::vector<std::uint32_t>& holders) const;
  std::size_t id_range() const { return pages_.size(); }

 private:
  struct Page {
    std::byte* data = nullptr;  // null: its region is not there
    std::uint32_t references = 0;
  };
  struct Slab {
    Region region;
    std::size_t held = 0;  // pages with references
  };
  std::size_t slab_of(PageId id) const { return id / shape_.pages; }
  Status add_slab();
  void drop_slab(std::size_t index);

  DevicePool& pool_;
  const Owner owner_;
  const std::size_t page_bytes_;
  const RegionShape shape_;
  const std::size_t max_slabs_;
  std::vector<Slab> slabs_;
  std::vector<Page> pages_;
  std::set<PageId> free_;  // lowest first, so that high regions empty
  std::atomic<std::size_t> free_count_{0}, total_count_{0}, shared_count_{0}, bytes_{0};
};

}  // namespace consort
