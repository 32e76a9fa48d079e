// How many cores a process may use, from the files in which Linux says so.
#pragma once

#include <string>

namespace consort {

// `affinity` cores, or fewer where a cgroup's quota on the way from this process's cgroup up to the root
// allows less (v2: cpu.max; v1: cpu.cfs_quota_us over cpu.cfs_period_us), a part of a core counted as one; at
// least 1. `root`: where /proc and /sys hang, without a slash at its end; "" is the machine itself.
int cores_under_quota(int affinity, const std::string& root);

}  // namespace consort
