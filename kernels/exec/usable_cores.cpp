#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

#include "kernels/exec/thread_pool.h"

namespace consort {
namespace {

// Cores that a cgroup v2 directory's cpu.max allows ("max 100000" or "150000 100000"); a huge number for
// none.
double quota_v2(const std::string& directory) {
  std::ifstream in(directory + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || !(period > 0)) return 1e9;
  return std::max(1.0, std::strtod(quota.c_str(), nullptr)) / period;
}

double quota_v1(const std::string& directory) {
  std::ifstream quota_file(directory + "/cpu.cfs_quota_us"), period_file(directory + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return 1e9;
  return quota / period;
}

// The smallest quota on the way from this process's cgroup up to the root (a parent's limit binds as well).
double cgroup_quota() {
  double smallest = std::min(quota_v2("/sys/fs/cgroup"), quota_v1("/sys/fs/cgroup/cpu"));
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    for (std::string path = line.substr(second + 1); path.size() > 1; path.resize(path.rfind('/'))) {
      smallest =
          std::min(smallest, v2 ? quota_v2("/sys/fs/cgroup" + path) : quota_v1("/sys/fs/cgroup/cpu" + path));
      if (path.rfind('/') == std::string::npos) break;
    }
  }
  return smallest;
}

}  // namespace

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = std::max(1, CPU_COUNT(&set));
  const double quota = cgroup_quota();
  if (quota < cores) cores = std::max(1, static_cast<int>(std::ceil(quota)));
  return cores;
}

}  // namespace consort
