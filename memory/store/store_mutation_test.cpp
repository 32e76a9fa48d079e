// A damaged directory must end in a clear error or in a store that tells the truth: never in a crash, a hang,
// too much memory or a wrong value. CONSORT_STORE_MUTATIONS sets the number of damaged directories (default
// 240).
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "memory/store/store.h"
#include "memory/store/temporary_store.h"

namespace consort {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;
using Content = std::map<std::string, std::string>;  // "family key" -> value

constexpr int kCommits = 300;

StoreOptions small() {
  StoreOptions options;
  options.block_cache_bytes = 1u << 20;
  options.write_buffer_bytes = 1u << 20;
  return options;
}

std::string value_of(int i) {
  return fmt::format("value {} {}", i, std::string(40 + i % 60, static_cast<char>('a' + i % 26)));
}

// Tables, a log and a manifest with history: two flushes, erased keys, then writes that live in the log only.
bool build_base(const std::string& directory) {
  auto store = Store::open(directory, small());
  if (!store || !(*store)->ensure_family("item") || !(*store)->ensure_family("run")) return false;
  for (int i = 0; i < kCommits; ++i) {
    std::vector<StoreWrite> writes{{"item", fmt::format("k{:04}", i), value_of(i)},
                                   {"run", fmt::format("r{:04}", i), value_of(i + 1)}};
    if (i % 10 == 9) writes.push_back({"item", fmt::format("k{:04}", i - 5), "", true});
    if (!(*store)->commit(writes, Durability::kAsync)) return false;
    if ((i == 100 || i == 200) && !(*store)->flush()) return false;
  }
  return true;
}

// What the store holds after the first `commits` commits of build_base.
Content content_after(int commits) {
  Content content;
  for (int i = 0; i < commits; ++i) {
    content[fmt::format("item k{:04}", i)] = value_of(i);
    content[fmt::format("run r{:04}", i)] = value_of(i + 1);
    if (i % 10 == 9) content.erase(fmt::format("item k{:04}", i - 5));
  }
  return content;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Damages one file of the directory; says what it did.
std::string damage(const fs::path& directory, std::mt19937_64& random) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (!entry.path().filename().string().starts_with("LOG"))
      files.push_back(entry.path());  // text for people
  }
  std::sort(files.begin(), files.end());
  const fs::path file = files[random() % files.size()];
  const std::string name = file.filename().string();
  std::string bytes = read_file(file);
  const auto at = [&] { return bytes.empty() ? 0 : random() % bytes.size(); };
  const auto kind = random() % 8;
  switch (kind) {
    case 0:
      fs::remove(file);
      return name + ": removed";
    case 1: {
      const fs::path other = files[random() % files.size()];
      const std::string foreign = read_file(other);
      std::ofstream(file, std::ios::binary | std::ios::trunc) << foreign;
      return fmt::format("{}: replaced by {}", name, other.filename().string());
    }
    case 2:
      bytes.resize(at());
      break;
    case 3: {
      const auto from = at();
      const auto length = std::min<std::size_t>(bytes.size() - from, 1 + random() % 600);
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(from), length, '\0');
      break;
    }
    case 4:
      for (auto n = 1 + random() % 300; n > 0; --n) bytes.push_back(static_cast<char>(random()));
      break;
    case 5:
      bytes.insert(at(), bytes.substr(at(), 1 + random() % 500));
      break;
    default:
      for (auto n = 1 + random() % 6; n > 0 && !bytes.empty(); --n)
        bytes[at()] ^= static_cast<char>(1 << random() % 8);
  }
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  return fmt::format("{}: damaged by way {}", name, kind);
}

struct Outcome {
  bool refused = false, found = false;
  int commits = 0;    // how many commits the opened store shows
  std::string wrong;  // what must not be
};

// Opens, checks, reads everything. A store without findings must show exactly what was committed.
Outcome use(const std::string& directory) {
  Outcome outcome;
  auto store = Store::open(directory, small());
  if (!store) {
    outcome.refused = true;
    if (store.error().what.empty() || store.error().where.empty()) outcome.wrong = "an error without words";
    if (store.error().kind == ErrorKind::kUnavailable)
      outcome.wrong = "called locked: " + store.error().line();
    return outcome;
  }
  const auto check = (*store)->check();
  outcome.found = !check || !check->ok();
  Content content;
  for (const std::string family : {"item", "run"}) {
    auto cursor = (*store)->scan(family, "");
    for (; cursor.valid(); cursor.next()) {
      content[family + " " + std::string(cursor.key())] = std::string(cursor.value());
      outcome.commits += family == "run";
    }
    if (!cursor.status() && !outcome.found) outcome.wrong = "unreadable, but check() was content";
  }
  if (!outcome.found && content != content_after(outcome.commits)) outcome.wrong = "a state that never was";
  const auto written = (*store)->commit({{"item", "k0000", value_of(0)}}, Durability::kAsync);
  if (written && outcome.found) outcome.wrong = "written to after damage was found";
  (void)(*store)->stats();
  return outcome;
}

struct Tally {
  int refused = 0, found = 0, whole = 0;
};

// One batch of trials in a child, so that a crash or a hang is a message and not the end of the test.
int run_batch(const fs::path& base, const fs::path& work, std::uint64_t first, std::uint64_t count) {
#ifndef CONSORT_SANITIZED
  const rlimit memory{2ull << 30, 2ull << 30};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  Tally tally;
  for (std::uint64_t trial = first; trial < first + count; ++trial) {
    ::alarm(30);
    std::mt19937_64 random(20260000 + trial);
    const fs::path copy = work / fmt::format("t{}", trial);
    fs::copy(base, copy);
    const std::string what = damage(copy, random);
    std::ofstream(work / "last", std::ios::trunc) << trial << ' ' << what;
    const Outcome outcome = use(copy.string());
    const bool lost = !outcome.refused && !outcome.found && outcome.commits < kCommits;
    if (!outcome.wrong.empty() || lost) {
      fmt::print(stderr, "trial {} ({}): {}, shows {} commits\n", trial, what,
                 outcome.wrong.empty() ? "silent loss" : outcome.wrong, outcome.commits);
      return 1;
    }
    tally.refused += outcome.refused;
    tally.found += outcome.found;
    tally.whole += !outcome.refused && !outcome.found;
    fs::remove_all(copy);
  }
  std::ofstream(work / "tally", std::ios::app)
      << fmt::format("{} {} {}\n", tally.refused, tally.found, tally.whole);
  return 0;
}

template <typename F>
int in_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(StoreMutation, DamagedDirectoriesNeverCrashAndNeverLie) {
  const char* wanted = std::getenv("CONSORT_STORE_MUTATIONS");
  const std::uint64_t trials = wanted ? std::strtoull(wanted, nullptr, 10) : 480;
  TemporaryDirectory dir;
  const fs::path base = dir / "base";
  ASSERT_EQ(in_child([&] { return build_base(base.string()) ? 0 : 1; }), 0);
  constexpr std::uint64_t kBatch = 40;
  for (std::uint64_t first = 0; first < trials; first += kBatch) {
    const int status =
        in_child([&] { return run_batch(base, dir.path(), first, std::min(kBatch, trials - first)); });
    ASSERT_EQ(status, 0) << "signal " << (status & 127) << " at trial " << read_file(dir / "last");
  }
  Tally sum;
  std::ifstream tallies(dir / "tally");
  for (Tally t; tallies >> t.refused >> t.found >> t.whole;) {
    sum.refused += t.refused;
    sum.found += t.found;
    sum.whole += t.whole;
  }
  fmt::print("{} damaged directories: {} refused, {} opened with findings, {} unharmed\n", trials,
             sum.refused, sum.found, sum.whole);
  EXPECT_GT(sum.refused, static_cast<int>(trials / 10));
}

}  // namespace
}  // namespace consort
