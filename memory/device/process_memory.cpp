#include "memory/device/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace consort {

ProcessMemory process_memory() {
  ProcessMemory out;
  std::ifstream in("/proc/self/status");
  std::string line;
  while (std::getline(in, line)) {
    const auto value = [&](std::string_view name) -> std::size_t {
      if (line.rfind(name, 0) != 0) return 0;
      return std::strtoull(line.c_str() + name.size(), nullptr, 10) * 1024;
    };
    if (auto n = value("RssAnon:")) out.anonymous = n;
    if (auto n = value("RssShmem:")) out.shared = n;
    if (auto n = value("RssFile:")) out.files = n;
  }
  return out;
}

std::size_t present_bytes(const std::byte* address, std::size_t bytes) {
  constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;  // Linux, admin-guide/mm/pagemap
  constexpr std::size_t kEntries = 4096;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const int fd = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const std::size_t first = reinterpret_cast<std::uintptr_t>(address) / page, count = (bytes + page - 1) / page;
  std::vector<std::uint64_t> entries(std::min(kEntries, count));
  std::size_t present = 0;
  for (std::size_t at = 0; at < count;) {
    const std::size_t want = std::min(entries.size(), count - at) * sizeof(std::uint64_t);
    const ssize_t got = ::pread(fd, entries.data(), want,
                                static_cast<off_t>((first + at) * sizeof(std::uint64_t)));
    if (got <= 0) break;
    const auto n = static_cast<std::size_t>(got) / sizeof(std::uint64_t);
    if (n == 0) break;
    for (std::size_t i = 0; i < n; ++i) present += (entries[i] & kPresent) != 0 ? page : 0;
    at += n;
  }
  ::close(fd);
  return present;
}

}  // namespace consort
