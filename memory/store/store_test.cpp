#include "memory/store/store.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "memory/store/owner_file.h"
#include "memory/store/record.h"
#include "memory/store/temporary_store.h"

namespace consort {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;

std::unique_ptr<Store> opened(const std::string& directory, StoreOptions options = {}) {
  auto store = Store::open(directory, options);
  EXPECT_TRUE(store.has_value()) << store.error().line();
  if (!store) std::abort();
  return std::move(*store);
}

StoreWrite put(std::string family, std::string key, std::string value) {
  return {std::move(family), std::move(key), std::move(value), false};
}

std::vector<std::string> keys(StoreCursor cursor) {
  std::vector<std::string> found;
  for (; cursor.valid(); cursor.next()) found.emplace_back(cursor.key());
  EXPECT_TRUE(cursor.status().has_value());
  return found;
}

TEST(Store, KeepsABatchOverFamiliesAcrossReopen) {
  TemporaryDirectory dir;
  {
    auto store = opened(dir / "s");
    ASSERT_TRUE(store->ensure_family("run"));
    ASSERT_TRUE(store->ensure_family("item"));
    ASSERT_TRUE(store->commit(
        {put("run", "a", "1"), put("item", "a", std::string("\0\xff", 2)), put("run", "a", "2")},
        Durability::kAsync));
  }
  auto store = opened(dir / "s");
  EXPECT_THAT(store->families(), ElementsAre("item", "meta", "run"));
  EXPECT_EQ(**store->get("run", "a"), "2");  // the later write of one key won
  EXPECT_EQ(**store->get("item", "a"), std::string("\0\xff", 2));
  ASSERT_TRUE(store->commit({{"run", "a", "", true}}, Durability::kSync));
  EXPECT_FALSE(store->get("run", "a")->has_value());
}

TEST(Store, ABatchWithOneBadWriteChangesNothing) {
  TemporaryDirectory dir;
  auto store = opened(dir / "s");
  ASSERT_TRUE(store->ensure_family("run"));
  EXPECT_EQ(store->commit({put("run", "a", "1"), put("none", "b", "2")}, Durability::kAsync).error().kind,
            ErrorKind::kInvalid);
  EXPECT_FALSE(store->commit({put("run", "a", "1"), put("run", "", "2")}, Durability::kAsync));
  EXPECT_FALSE(
      store->commit({put("run", "a", "1"), put("run", std::string(70000, 'k'), "2")}, Durability::kAsync));
  EXPECT_FALSE(store->get("run", "a")->has_value());
  EXPECT_FALSE(store->get("none", "a").has_value());
  EXPECT_FALSE(store->ensure_family("Not A Name").has_value());
}

TEST(Store, CursorsSeeExactlyThePrefixInOrder) {
  TemporaryDirectory dir;
  auto store = opened(dir / "s");
  ASSERT_TRUE(store->ensure_family("f"));
  const std::string high(2, '\xff');
  ASSERT_TRUE(store->commit({put("f", "a", ""), put("f", "ab1", ""), put("f", "ab2", ""), put("f", "ac", ""),
                             put("f", "b", ""), put("f", high + "1", ""), put("f", high, "")},
                            Durability::kAsync));
  EXPECT_THAT(keys(store->scan("f", "ab")), ElementsAre("ab1", "ab2"));
  EXPECT_THAT(keys(store->scan("f", "ab", "ab2")), ElementsAre("ab2"));
  EXPECT_THAT(keys(store->scan_reverse("f", "a")), ElementsAre("ac", "ab2", "ab1", "a"));
  EXPECT_THAT(keys(store->scan("f", high)), ElementsAre(high, high + "1"));
  EXPECT_THAT(keys(store->scan_reverse("f", high)), ElementsAre(high + "1", high));
  EXPECT_THAT(keys(store->scan("f", "zz")), ElementsAre());
  EXPECT_EQ(keys(store->scan("f", "")).size(), 7u);
  auto unknown = store->scan("nothing", "");
  EXPECT_FALSE(unknown.valid());
  EXPECT_FALSE(unknown.status().has_value());
  ASSERT_TRUE(store->erase_prefix("f", "ab", Durability::kAsync));
  EXPECT_THAT(keys(store->scan("f", "a")), ElementsAre("a", "ac"));
  EXPECT_FALSE(store->erase_prefix("f", "", Durability::kAsync).has_value());
}

TEST(Store, ASnapshotDoesNotMove) {
  TemporaryDirectory dir;
  auto store = opened(dir / "s");
  ASSERT_TRUE(store->ensure_family("f"));
  ASSERT_TRUE(store->commit({put("f", "a", "old")}, Durability::kAsync));
  const auto before = store->snapshot();
  ASSERT_TRUE(store->commit({put("f", "a", "new"), put("f", "b", "x")}, Durability::kAsync));
  EXPECT_EQ(**store->get("f", "a", before), "old");
  EXPECT_THAT(keys(store->scan("f", "", "", before)), ElementsAre("a"));
  auto cursor = store->scan("f", "");
  store.reset();  // a cursor keeps the database open
  EXPECT_EQ(cursor.value(), "new");
}

TEST(Store, ListenersSeeCommitsOfTheirFamilyInOrder) {
  TemporaryDirectory dir;
  auto store = opened(dir / "s");
  ASSERT_TRUE(store->ensure_family("f"));
  ASSERT_TRUE(store->ensure_family("g"));
  std::vector<std::string> seen;
  store->set_listener("f", [&seen](const std::vector<StoreWrite>& writes) {
    for (const auto& w : writes) {
      if (w.family == "f") seen.push_back(w.value);
    }
  });
  ASSERT_TRUE(store->commit({put("g", "x", "no")}, Durability::kAsync));
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(store->commit({put("f", "last", fmt::format("{}-{}", t, i))}, Durability::kAsync));
      }
    });
  }
  threads.clear();
  EXPECT_EQ(seen.size(), 400u);
  EXPECT_EQ(seen.back(), **store->get("f", "last"));
}

TEST(Store, SecondOpenSaysWhoHoldsIt) {
  TemporaryDirectory dir;
  auto store = opened(dir / "s");
  const auto again = Store::open(dir / "s");
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(again.error().line(), HasSubstr(fmt::format("process {}", ::getpid())));
  // Another process gets the same answer, and its attempt does no harm to the holder.
  const pid_t child = ::fork();
  if (child == 0) {
    const auto other = Store::open(dir / "s");
    const bool right = !other && other.error().kind == ErrorKind::kUnavailable;
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(store->ensure_family("f"));
  EXPECT_TRUE(store->commit({put("f", "a", "1")}, Durability::kAsync).has_value());
  store.reset();
  EXPECT_TRUE(Store::open(dir / "s").has_value());
}

TEST(Store, ReadOnlyLooksWithoutTakingTheLock) {
  TemporaryDirectory dir;
  auto store = opened(dir / "s");
  ASSERT_TRUE(store->ensure_family("f"));
  ASSERT_TRUE(store->commit({put("f", "a", "1")}, Durability::kAsync));
  StoreOptions options;
  options.read_only = true;
  auto reader = opened(dir / "s", options);
  EXPECT_EQ(**reader->get("f", "a"), "1");
  EXPECT_EQ(reader->commit({put("f", "a", "2")}, Durability::kAsync).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(Store::open(dir / "none", options).error().kind, ErrorKind::kNotFound);
}

TEST(Store, RefusesANewerFormatAndForeignDirectories) {
  TemporaryDirectory dir;
  {
    auto store = opened(dir / "s");
    ASSERT_TRUE(store->commit({put("meta", "format", RecordWriter(9).varint(kStoreFormat + 1).take())},
                              Durability::kSync));
  }
  const auto newer = Store::open(dir / "s");
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(newer.error().what, HasSubstr("format 2"));

  std::ofstream(dir / "file") << "not a directory";
  EXPECT_EQ(Store::open(dir / "file").error().kind, ErrorKind::kInvalid);
  const auto denied = Store::open("/proc/consort-store");
  EXPECT_EQ(denied.error().kind, ErrorKind::kIo);
  EXPECT_EQ(Store::open("").error().kind, ErrorKind::kInvalid);
  StoreOptions existing;
  existing.create = false;
  EXPECT_EQ(Store::open(dir / "none", existing).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(dir / "none"));
}

TEST(Store, ALostCurrentIsDamageAndNotANewStore) {
  TemporaryDirectory dir;
  {
    auto store = opened(dir / "s");
    ASSERT_TRUE(store->ensure_family("f"));
    ASSERT_TRUE(store->commit({put("f", "a", "1")}, Durability::kSync));
    ASSERT_TRUE(store->flush());
  }
  const std::string kept = dir / "s" + "/CURRENT.kept";
  std::filesystem::rename(dir / "s" + "/CURRENT", kept);
  const auto lost = Store::open(dir / "s");
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().kind, ErrorKind::kCorrupt);
  std::filesystem::rename(kept, dir / "s" + "/CURRENT");
  EXPECT_EQ(**opened(dir / "s")->get("f", "a"), "1");
}

// A disk that takes no more: the process may not write files above a size (RLIMIT_FSIZE), in a child.
TEST(Store, AFullDiskIsAnErrorAndLosesNothing) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer cannot start threads in a forked child; AddressSanitizer runs this";
#endif
  TemporaryDirectory dir;
  const pid_t child = ::fork();  // before this process has threads of RocksDB
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    auto store = Store::open(dir / "s");
    if (!store || !(*store)->ensure_family("f")) ::_exit(1);
    const rlimit limit{256u << 10, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 1000; ++i) {
      const auto done =
          (*store)->commit({put("f", fmt::format("{:04}", i), std::string(4096, 'x'))}, Durability::kSync);
      if (done) continue;
      if (done.error().kind != ErrorKind::kIo || i < 10) ::_exit(2);
      if (**(*store)->get("f", "0000") != std::string(4096, 'x')) ::_exit(3);
      std::ofstream(dir / "committed") << i;
      ::_exit(0);  // like a kill: nothing is closed
    }
    ::_exit(4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  int committed = 0;
  std::ifstream(dir / "committed") >> committed;
  auto store = opened(dir / "s");
  EXPECT_GE(keys(store->scan("f", "")).size(), static_cast<std::size_t>(committed));
  EXPECT_TRUE(store->commit({put("f", "again", "1")}, Durability::kSync).has_value());
}

TEST(Store, ADirectoryThatCannotBeWrittenIsAnError) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer cannot start threads in a forked child; AddressSanitizer runs this";
#endif
  TemporaryDirectory dir;
  const pid_t child = ::fork();
  if (child == 0) {
    { opened(dir / "s"); }
    for (const auto& entry : std::filesystem::directory_iterator(dir / "s"))
      ::chmod(entry.path().c_str(), 0444);
    ::chmod((dir / "s").c_str(), 0555);
    ::chmod(dir.path().c_str(), 0755);
    if (::getuid() == 0 && ::setuid(65534) != 0) ::_exit(1);  // permissions do not bind root
    const auto denied = Store::open(dir / "s");
    if (denied || denied.error().kind != ErrorKind::kIo) ::_exit(2);
    const auto inside = Store::open(dir / "s" + "/deeper");
    if (inside || inside.error().kind != ErrorKind::kIo) ::_exit(3);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ::chmod((dir / "s").c_str(), 0755);
}

TEST(Store, ALimitOnDiskSpaceIsKept) {
  TemporaryDirectory dir;
  StoreOptions options;
  options.write_buffer_bytes = 1u << 20;
  options.disk_limit_bytes = 4u << 20;
  auto store = opened(dir / "s", options);
  ASSERT_TRUE(store->ensure_family("f"));
  std::string value(10'000, 'x');
  std::mt19937 random(1);
  Status done;
  int written = 0;
  for (; done && written < 3000; ++written) {
    for (char& c : value) c = static_cast<char>(random());  // nothing to compress
    done = store->commit({put("f", fmt::format("{:06}", written), value)}, Durability::kAsync);
  }
  ASSERT_FALSE(done.has_value()) << "30 MB went into 4 MiB";
  EXPECT_EQ(done.error().kind, ErrorKind::kIo);
  EXPECT_THAT(done.error().line(), HasSubstr("space"));
  EXPECT_EQ(store->get("f", "000000")->value().size(), value.size());  // reading goes on
  store.reset();
  EXPECT_GE(keys(opened(dir / "s")->scan("f", "")).size(), static_cast<std::size_t>(written - 1));
}

TEST(Store, StatsCheckAndCheckpoint) {
  TemporaryDirectory dir;
  auto store = opened(dir / "s");
  ASSERT_TRUE(store->ensure_family("f"));
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(
        store->commit({put("f", fmt::format("{:04}", i), std::string(1000, 'x'))}, Durability::kAsync));
  }
  auto stats = store->stats();
  EXPECT_GE(stats.memtable_bytes, 200'000u);
  EXPECT_EQ(stats.memory_bytes, stats.block_cache_bytes + stats.memtable_bytes + stats.table_reader_bytes);
  EXPECT_EQ(stats.commits, 200u);
  const auto check = store->check();
  ASSERT_TRUE(check.has_value());
  EXPECT_TRUE(check->ok());
  EXPECT_EQ(check->keys, 201u);  // and the format record
  ASSERT_TRUE(store->checkpoint(dir / "copy").has_value());
  EXPECT_FALSE(store->checkpoint(dir / "copy").has_value());
  ASSERT_TRUE(store->commit({put("f", "later", "1")}, Durability::kAsync));
  auto copy = opened(dir / "copy");
  EXPECT_EQ(keys(copy->scan("f", "")).size(), 200u);
}

TEST(Store, MemoryStaysInsideItsBounds) {
  TemporaryDirectory dir;
  StoreOptions options;
  options.block_cache_bytes = 4u << 20;
  options.write_buffer_bytes = 2u << 20;
  auto store = opened(dir / "s", options);
  ASSERT_TRUE(store->ensure_family("f"));
  std::size_t most = 0;
  for (int i = 0; i < 4000; ++i) {
    ASSERT_TRUE(store->commit({put("f", fmt::format("{:08}", i), std::string(8000, static_cast<char>(i)))},
                              Durability::kAsync));
    if (i % 50 == 0) most = std::max(most, store->stats().memory_bytes);
  }
  EXPECT_EQ(keys(store->scan("f", "")).size(), 4000u);
  most = std::max(most, store->stats().memory_bytes);
  EXPECT_LE(most, 12u << 20) << "32 MB went through a cache of 4 MiB and write buffers of 2 MiB";
}

TEST(OwnerFile, StrangeTextIsNotShown) {
  TemporaryDirectory dir;
  std::filesystem::create_directory(dir / "s");
  for (const std::string text :
       {"", "x", "12 \x1b[31mhost now", "-4 host now", "99999999999999999999999 h t"}) {
    std::ofstream(dir / "s/OWNER") << text;
    const auto owner = read_owner_file(dir / "s");
    EXPECT_TRUE(!owner || owner->pid > 0);
    EXPECT_THAT(owner ? owner->text() : "", ::testing::Not(HasSubstr("\x1b")));
  }
  write_owner_file(dir / "s", this_process());
  EXPECT_EQ(read_owner_file(dir / "s")->pid, ::getpid());
}

}  // namespace
}  // namespace consort
