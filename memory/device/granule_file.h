// GranuleFile: the CPU pool's backing store, one anonymous file (memfd) cut into 2 MiB granules. A granule is
// a place in the file: mapping the same place at another address moves the same physical memory to a new
// owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/base/status.h"
#include "memory/device/device_pool.h"

namespace consort {

using GranuleIndex = std::uint32_t;

// Owned by CpuDevicePool. Thread: grow() under the pool's lock; the others from any thread, each on granules
// and addresses of its own.
class GranuleFile {
 public:
  static Result<GranuleFile> create();
  GranuleFile(GranuleFile&& other) noexcept;
  GranuleFile& operator=(GranuleFile&&) = delete;
  ~GranuleFile();

  // Makes granules [0, count) addressable in the file (no memory is used yet).
  Status grow(std::size_t count);
  // Maps `granules`, in order, at `address` and makes every page of them present, so that committed memory is
  // resident and a lack of memory is an error here and never a signal later. Errors: kMemory.
  Status map(std::byte* address, std::span<const GranuleIndex> granules) const;
  // Takes `granules` granules of addresses out of use: they fault from now on.
  static void unmap(std::byte* address, std::size_t granules);
  // Gives a granule's memory back to the operating system; it reads as zeros when mapped again.
  void discard(GranuleIndex granule) const;

 private:
  explicit GranuleFile(int fd) : fd_(fd) {}
  int fd_ = -1;
  std::size_t count_ = 0;
};

// Maps `bytes` of a file read-only at `address` (a multiple of a granule, reserved) and makes its pages
// present. Where the page cache holds the file in huge pages they are mapped as such. 0, or an errno.
int map_file_pages(std::byte* address, std::size_t bytes, int descriptor);

}  // namespace consort
