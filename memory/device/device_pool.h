// DevicePool: the one place where model memory comes from. It hands out 2 MiB granules mapped into address
// ranges that belong to an Owner. Addresses never move; giving a region back returns its granules at once, so
// another owner can take them. The CPU back end reserves address space with mmap and commits granules from a
// recycled backing (memfd), so that "the same granules" is literal; a CUDA back end fills the same interface
// with virtual memory management. stats() is public and its sum over owners equals what the pool has
// committed. A file can take granules' place: map_file() maps one read-only and books it on its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "memory/base/status.h"

namespace consort {

enum class DeviceKind : std::uint8_t { kCpu, kCuda };
struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  std::int8_t index = 0;
  bool operator==(const Device&) const = default;
};

inline constexpr std::size_t kGranuleBytes = 2u << 20;  // CUDA's VMM granularity and a CPU huge page

// Who holds a range: a purpose and a name, e.g. {"weights", "smollm2-135m-instruct"}, {"kv", ...},
// {"activations", "lane cpu"}.
struct Owner {
  std::string purpose;
  std::string name;
  bool operator==(const Owner&) const = default;
  auto operator<=>(const Owner&) const = default;
};

struct OwnerStats {
  Owner owner;
  std::size_t committed_bytes = 0;  // granules and pages of mapped files held, in bytes
  std::size_t file_bytes = 0;       // of these, pages of mapped files
  std::size_t reserved_bytes = 0;   // address space
  std::size_t used_bytes = 0;       // bytes asked for, before rounding up to granules or pages
};
struct PoolStats {
  std::size_t limit_bytes = 0;
  std::size_t committed_bytes = 0;  // sum over owners, kept independently of the owners' rows
  std::size_t peak_bytes = 0;
  std::size_t free_granules = 0;   // backed granules waiting to be taken again (0 after trim)
  std::vector<OwnerStats> owners;  // sorted by owner
};

class DevicePool;

// A range of addresses with committed memory at its front, or a mapped file. Movable; gives everything back when destroyed.
// Thread: one at a time; the pool itself may be called from any thread.
class Region {
 public:
  Region() = default;
  Region(Region&&) noexcept;
  Region& operator=(Region&&) noexcept;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region();

  std::byte* data() const { return data_; }
  // Bytes usable from data(): a multiple of a granule; of a mapped file, of a page.
  std::size_t committed() const { return committed_; }
  std::size_t reserved() const { return reserved_; }
  bool empty() const { return data_ == nullptr; }

 private:
  friend class DevicePool;
  DevicePool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t committed_ = 0;
  std::size_t reserved_ = 0;
  std::size_t used_ = 0;
  std::uint64_t id_ = 0;
};

// Thread-safe. Outlives every Region it handed out.
class DevicePool {
 public:
  // limit_bytes: no more than this is ever committed.
  static Result<std::unique_ptr<DevicePool>> create_cpu(std::size_t limit_bytes);
  virtual ~DevicePool() = default;

  virtual Device device() const = 0;
  // Reserves `address_bytes` of addresses and commits nothing. Errors: kMemory when no address space is left.
  virtual Result<Region> reserve(std::size_t address_bytes, Owner owner) = 0;
  // Grows the committed front to at least `bytes` (rounded up to granules), zero-filled on first touch by
  // this owner. Errors: kMemory when the limit would be passed even after the pressure hook; nothing changes
  // then.
  virtual Status commit(Region& region, std::size_t bytes) = 0;
  // Shrinks the committed front to at least `bytes`; the granules behind it return to the pool.
  virtual void trim(Region& region, std::size_t bytes) = 0;
  // Maps the first `bytes` of an open file read-only, makes its pages present (they are the page cache's: no
  // copy) and books them, rounded up to pages, on the owner and against the limit like granules. The region
  // neither grows nor shrinks; writing through it faults. The descriptor is not needed afterwards; the file
  // must not be shortened while it is mapped. Errors: kInvalid when the file is shorter; kMemory; kIo.
  virtual Result<Region> map_file(int descriptor, std::size_t bytes, Owner owner) = 0;
  // Of the files mapped by map_file(), the bytes that the operating system has present in this process now:
  // all of them, unless it took clean pages back under pressure. Reads the page tables; for statistics.
  virtual std::size_t resident_file_bytes() const = 0;
  // reserve + commit of the same size.
  Result<Region> allocate(std::size_t bytes, Owner owner);
  virtual PoolStats stats() const = 0;
  // Called (outside the pool's lock) with the number of missing bytes before a commit fails; returns true
  // when it freed something and the commit should be tried again. One hook per pool.
  virtual void set_pressure_hook(std::function<bool(std::size_t)> hook) = 0;
  // Returns unused backed granules to the operating system.
  virtual void trim_free() = 0;

 protected:
  friend class Region;
  virtual void release(Region& region) = 0;
  // For back ends: build and read a Region's private fields.
  static void fill(Region& r, DevicePool* pool, std::byte* data, std::size_t reserved, std::uint64_t id);
  static void set_committed(Region& r, std::size_t committed, std::size_t used);
  static std::uint64_t id_of(const Region& r);
};

}  // namespace consort
