// HugeAllocator: large arrays that are read from end to end lie in huge pages where the system grants them to those
// who ask (transparent huge pages, "madvise"): fewer misses of the TLB, and the prefetcher does not stop every 4 KiB.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace consort {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// For std::vector: below two huge pages as std::allocator. Throws std::bad_alloc.
template <typename T>
struct HugeAllocator {
  using value_type = T;
  HugeAllocator() = default;
  template <typename U>
  HugeAllocator(const HugeAllocator<U>&) {}

  T* allocate(std::size_t n) {
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    const std::size_t bytes = n * sizeof(T);
    void* got = ::operator new(bytes, alignment(bytes));
    if (bytes >= 2 * kHugePage) madvise(got, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a wish
    return static_cast<T*>(got);
  }
  void deallocate(T* p, std::size_t n) noexcept { ::operator delete(p, n * sizeof(T), alignment(n * sizeof(T))); }
  bool operator==(const HugeAllocator&) const = default;

 private:
  static std::align_val_t alignment(std::size_t bytes) {
    return std::align_val_t{bytes >= 2 * kHugePage ? kHugePage : 64};
  }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace consort
