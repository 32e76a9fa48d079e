// The quota from trees of files as cgroups show them.
#include "kernels/exec/usable_cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "kernels/exec/thread_pool.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class Tree {
 public:
  Tree() : root_(fs::path(testing::TempDir()) / ("cgroup-" + std::to_string(++made_))) {
    fs::remove_all(root_);
  }
  ~Tree() { fs::remove_all(root_); }
  Tree& file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
    return *this;
  }
  int cores(int affinity) const { return cores_under_quota(affinity, root_.string()); }

 private:
  static inline int made_ = 0;
  const fs::path root_;
};

TEST(UsableCores, WithoutAnyFileTheAffinityCounts) {
  EXPECT_EQ(Tree().cores(6), 6);
  EXPECT_EQ(Tree().cores(0), 1);
}

TEST(UsableCores, VersionTwo) {
  Tree tree;
  tree.file("proc/self/cgroup", "0::/pod/container\n")
      .file("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  EXPECT_EQ(tree.cores(8), 8);
  tree.file("sys/fs/cgroup/pod/container/cpu.max", "150000 100000\n");
  EXPECT_EQ(tree.cores(8), 2);  // a part of a core counts as one
  EXPECT_EQ(tree.cores(1), 1);  // the affinity binds as well
  tree.file("sys/fs/cgroup/pod/cpu.max", "100000 100000\n");
  EXPECT_EQ(tree.cores(8), 1);  // and so does the parent
}

TEST(UsableCores, VersionTwoInsideAContainerShowsTheOwnGroupAsTheRoot) {
  Tree tree;
  tree.file("proc/self/cgroup", "0::/\n").file("sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(tree.cores(8), 3);
}

TEST(UsableCores, VersionOne) {
  Tree tree;
  tree.file("proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n2:cpuset:/\n")
      .file("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n")
      .file("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(tree.cores(8), 8);
  tree.file("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(tree.cores(8), 4);
  // Of another controller, or of a group that is not ours: no limit of ours.
  tree.file("sys/fs/cgroup/cpu/other/cpu.cfs_quota_us", "100000\n")
      .file("sys/fs/cgroup/cpu/other/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(tree.cores(8), 4);
}

TEST(UsableCores, BrokenFilesAreNoLimit) {
  Tree tree;
  tree.file("proc/self/cgroup", "nonsense\n0::/a\n0:\n").file("sys/fs/cgroup/a/cpu.max", "lots\n");
  EXPECT_EQ(tree.cores(4), 4);
  tree.file("sys/fs/cgroup/a/cpu.max", "100000 0\n");
  EXPECT_EQ(tree.cores(4), 4);
  tree.file("sys/fs/cgroup/a/cpu.max", "");
  EXPECT_EQ(tree.cores(4), 4);
}

TEST(UsableCores, AThreadThatMayUseOneCoreSeesOne) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), static_cast<int>(std::thread::hardware_concurrency()));
  int seen = 0;
  std::thread([&seen] {
    cpu_set_t mask, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
    CPU_ZERO(&one);
    for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core)
      if (CPU_ISSET(core, &mask)) CPU_SET(core, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    seen = usable_cores();
  }).join();
  EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace consort
