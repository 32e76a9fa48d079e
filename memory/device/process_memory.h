// What the operating system says this process holds, to check the pool's books against.
#pragma once

#include <cstddef>

namespace consort {

// Bytes, from /proc/self/status; zeros where the system does not say.
struct ProcessMemory {
  std::size_t anonymous = 0;  // RssAnon: heap, stacks
  std::size_t shared = 0;     // RssShmem: the CPU pool's granules
  std::size_t files = 0;      // RssFile: mapped files (weights read in place, the program itself)
};

ProcessMemory process_memory();

// Of the pages of [address, address + bytes), page-aligned, the bytes present in this process now, from
// /proc/self/pagemap; 0 where the system does not say.
std::size_t present_bytes(const std::byte* address, std::size_t bytes);

}  // namespace consort
