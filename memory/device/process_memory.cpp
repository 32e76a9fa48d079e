#include "memory/device/process_memory.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

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

}  // namespace consort
