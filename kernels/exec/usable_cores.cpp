#include "kernels/exec/usable_cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

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
double cgroup_quota(const std::string& root) {
  const std::string v2_mount = root + "/sys/fs/cgroup", v1_mount = root + "/sys/fs/cgroup/cpu";
  double smallest = std::min(quota_v2(v2_mount), quota_v1(v1_mount));
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    for (std::string path = line.substr(second + 1); path.size() > 1; path.resize(path.rfind('/'))) {
      smallest = std::min(smallest, v2 ? quota_v2(v2_mount + path) : quota_v1(v1_mount + path));
      if (path.rfind('/') == std::string::npos) break;
    }
  }
  return smallest;
}

// Of the affinity mask, which the cpuset bounds; the mask of a large machine is longer than cpu_set_t.
int cores_by_affinity() {
  for (int most = CPU_SETSIZE; most <= 1 << 18; most *= 2) {
    cpu_set_t* set = CPU_ALLOC(most);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(most);
    CPU_ZERO_S(bytes, set);
    const int cores = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (cores > 0) return cores;
  }
  return 1;
}

}  // namespace

int cores_under_quota(int affinity, const std::string& root) {
  const double quota = cgroup_quota(root);
  const int allowed = quota < affinity ? static_cast<int>(std::ceil(quota)) : affinity;
  return std::max(1, allowed);
}

int usable_cores() {
  return cores_under_quota(cores_by_affinity(), "");
}

}  // namespace consort
