// CpuDevicePool: the CPU back end of DevicePool. See device_pool.h for the contract.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "memory/device/device_pool.h"
#include "memory/device/granule_file.h"

namespace consort {

// Thread-safe. Zeroing, mapping and the pressure hook run outside the lock.
class CpuDevicePool final : public DevicePool {
 public:
  // Errors: kInvalid for a limit below one granule; kMemory when the backing file cannot be made.
  static Result<std::unique_ptr<CpuDevicePool>> create(std::size_t limit_bytes);

  Device device() const override { return {}; }
  Result<Region> reserve(std::size_t address_bytes, Owner owner) override;
  Status commit(Region& region, std::size_t bytes) override;
  void trim(Region& region, std::size_t bytes) override;
  Result<Region> map_file(int descriptor, std::size_t bytes, Owner owner) override;
  std::size_t resident_file_bytes() const override;
  PoolStats stats() const override;
  void set_pressure_hook(std::function<bool(std::size_t)> hook) override;
  void trim_free() override;

 private:
  struct Held {  // what one region holds
    Owner owner;
    std::byte* base = nullptr;
    std::size_t reserved = 0;
    std::size_t used = 0;
    std::size_t file_bytes = 0;          // of a mapped file, whole pages; then there are no granules
    std::vector<GranuleIndex> granules;  // in address order
  };
  struct Taken {
    std::vector<GranuleIndex> granules;  // ascending
    std::vector<bool> dirty;             // holds an earlier owner's bytes
  };

  CpuDevicePool(std::size_t limit_bytes, GranuleFile file) : limit_(limit_bytes), file_(std::move(file)) {}
  void release(Region& region) override;
  // Books `bytes` on the limit, calling the pressure hook while it is in the way; `under_lock` does what goes
  // with it, and its error books nothing.
  Status book(std::size_t bytes, const Owner& owner, const std::function<Status()>& under_lock);
  Status take(std::size_t count, Held& held, Taken& taken);
  void give_back(Held& held, std::size_t keep, bool discard);

  const std::size_t limit_;
  mutable std::mutex mutex_;
  GranuleFile file_;
  std::map<std::uint64_t, Held> regions_;
  std::set<GranuleIndex> free_backed_;  // memory kept, bytes of an earlier owner inside
  std::set<GranuleIndex> free_empty_;   // no memory behind
  GranuleIndex next_ = 0;               // never used from here on
  std::uint64_t next_id_ = 1;
  std::size_t committed_ = 0;
  std::size_t peak_ = 0;
  std::function<bool(std::size_t)> hook_;
};

}  // namespace consort
