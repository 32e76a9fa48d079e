// Pulling with a package client of the test's own: a `python3` first in PATH that copies prepared packages.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include <cstdlib>
#include <iterator>

#include "models/catalogue/catalogue.h"
#include "models/catalogue/digest.h"
#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::TemporaryFolder;

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}
std::string digest_of(const std::string& bytes) {
  Sha256 digest;
  digest.update(bytes.data(), bytes.size());
  return digest.hex();
}

void write_zip(const std::string& path, const std::vector<std::pair<std::string, std::string>>& members) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  ASSERT_NE(archive, nullptr);
  for (const auto& [name, bytes] : members)
    ASSERT_GE(
        zip_file_add(archive, name.c_str(), zip_source_buffer(archive, bytes.data(), bytes.size(), 0), 0), 0);
  ASSERT_EQ(zip_close(archive), 0);
}

class PullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(path("bin"));
    std::filesystem::create_directories(path("index"));
    client("cp \"$INDEX\"/* \"$dest\"/");
    write_zip(path("index/p-1-py3-none-any.whl"), {{"p/one", one_}, {"p/two", two_}, {"p/licence", "MIT"}});
    old_path_ = std::getenv("PATH");
    ::setenv("PATH", (path("bin") + ":" + old_path_).c_str(), 1);
    ::setenv("INDEX", path("index").c_str(), 1);
    ::setenv("CALLS", path("calls").c_str(), 1);
    ::setenv("MIRROR_OF_TEST", "", 1);
    load();
  }
  void TearDown() override { ::setenv("PATH", old_path_.c_str(), 1); }

  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  void client(const std::string& action) {
    folder_.file("bin/python3",
                 "#!/bin/sh\necho x >> \"$CALLS\"\nwhile [ $# -gt 0 ]; do if [ \"$1\" = --dest ]; then "
                 "dest=\"$2\"; fi; shift; done\n" +
                     action + "\n");
    ::chmod(path("bin/python3").c_str(), 0755);
  }
  std::size_t calls() const { return contents(path("calls")).size() / 2; }

  // One file in two parts, and one with a local second source.
  void load() {
    const std::string wheel = contents(path("index/p-1-py3-none-any.whl"));
    const auto file = [](const std::string& name, const std::string& bytes, const std::string& rest) {
      return R"({"name":")" + name + R"(","role":"r","bytes":)" + std::to_string(bytes.size()) +
             R"(,"sha256":")" + digest_of(bytes) + "\"," + rest + "}";
    };
    const auto member = [](const std::string& name) {
      return R"("sources":[{"kind":"pypi","wheel":"p-1-py3-none-any.whl","member":"p/)" + name + R"("})";
    };
    const std::string parts =
        file("w.0", one_, member("one") + "]") + "," + file("w.1", two_, member("two") + "]");
    const std::string text =
        R"({"wheels":{"p-1-py3-none-any.whl":{"package":"p","version":"1","sha256":")" + digest_of(wheel) +
        R"("}},"models":[{"id":"m","kind":"k","architecture":"a","licence":"l","mainFile":"sub/w","files":[)" +
        file("sub/w", one_ + two_, R"("parts":[)" + parts + "]") + "," +
        file("LICENSE", "MIT", member("licence") + R"(,{"kind":"path","path":"$MIRROR_OF_TEST/LICENSE"}]})");
    std::string whole = text;
    whole.pop_back();  // file() closed the object once more
    whole += "]}]}";
    auto catalogue = Catalogue::load(folder_.file("models.json", whole), path("models"), folder_.path());
    ASSERT_TRUE(catalogue) << catalogue.error().line();
    catalogue_ = std::move(*catalogue);
  }
  Result<std::size_t> pull(const Catalogue::ProgressFn& progress = {}) {
    return catalogue_.pull(*catalogue_.find("m"), true, progress);
  }
  void expect_whole() {
    EXPECT_EQ(contents(path("models/m/sub/w")), one_ + two_);
    EXPECT_EQ(contents(path("models/m/LICENSE")), "MIT");
    EXPECT_TRUE(catalogue_.verify(*catalogue_.find("m"), {}));
    EXPECT_FALSE(std::filesystem::exists(path("models/.staging/m")));
  }
  void expect_nothing_half_written() { EXPECT_FALSE(std::filesystem::exists(path("models/m/sub/w"))); }

  TemporaryFolder folder_;
  std::string one_ = std::string(300000, 'a') + "1", two_ = std::string(100000, 'b') + "2", old_path_;
  Catalogue catalogue_;
};

TEST_F(PullTest, FetchesOnceAssemblesAndVerifies) {
  std::vector<std::string> stages;
  ASSERT_TRUE(pull([&](const Catalogue::Progress& p) {
    EXPECT_LE(p.done, p.total);
    if (stages.empty() || stages.back() != p.stage) stages.push_back(p.stage);
    return true;
  }));
  expect_whole();
  EXPECT_EQ(calls(), 1u);  // one package serves three files
  EXPECT_EQ(stages.front(), "download");
  ASSERT_TRUE(pull());  // all there: nothing is fetched
  EXPECT_EQ(calls(), 1u);
}

TEST_F(PullTest, RepairsADamagedFileOnly) {
  ASSERT_TRUE(pull());
  folder_.file("models/m/LICENSE", "XXX");
  const auto before = std::filesystem::last_write_time(path("models/m/sub/w"));
  ASSERT_TRUE(pull());
  expect_whole();
  EXPECT_EQ(std::filesystem::last_write_time(path("models/m/sub/w")), before);
}

TEST_F(PullTest, GoesOnAfterAnInterruption) {
  bool interrupted = false;
  const auto stopped =
      pull([&](const Catalogue::Progress& p) { return !(interrupted = p.stage == "unpack"); });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::kCancelled);
  expect_nothing_half_written();
  ASSERT_TRUE(pull());
  expect_whole();
  EXPECT_EQ(calls(), 1u);  // the package had been kept
}

TEST_F(PullTest, EndsTheClientWhenStopped) {
  client("sleep 60");
  const auto start = std::chrono::steady_clock::now();
  int ticks = 0;
  EXPECT_EQ(pull([&](const Catalogue::Progress&) { return ++ticks < 3; }).error().kind,
            ErrorKind::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(PullTest, WrongDigestIsAnErrorAndLeavesNothing) {
  write_zip(path("index/p-1-py3-none-any.whl"), {{"p/one", one_}, {"p/two", two_}, {"p/licence", "GPL"}});
  const auto status = pull();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(status.error().what.find("digest"), std::string::npos);
  expect_nothing_half_written();
}

TEST_F(PullTest, WrongMemberInTheRightPackage) {
  write_zip(path("index/p-1-py3-none-any.whl"), {{"p/one", one_}, {"p/two", one_}, {"p/licence", "MIT"}});
  load();  // pins the new package, but not the new member
  EXPECT_EQ(pull().error().kind, ErrorKind::kCorrupt);
  write_zip(path("index/p-1-py3-none-any.whl"), {{"p/one", one_}, {"p/licence", "MIT"}});
  load();
  EXPECT_NE(pull().error().what.find("no such member"), std::string::npos);
  folder_.file("index/p-1-py3-none-any.whl", "this is no zip file");
  load();
  EXPECT_EQ(pull().error().kind, ErrorKind::kCorrupt);
  expect_nothing_half_written();
}

TEST_F(PullTest, AFailingClientIsReportedAndTheSecondSourceUsed) {
  ASSERT_TRUE(pull());
  std::filesystem::remove(path("models/m/LICENSE"));
  client("echo 'ERROR: no route to the index' >&2; exit 1");
  const auto status = pull();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(status.error().what.find("no route to the index"), std::string::npos) << status.error().line();
  folder_.file("LICENSE", "wrong");
  ::setenv("MIRROR_OF_TEST", folder_.path().c_str(), 1);
  EXPECT_FALSE(pull());  // the mirror's digest is checked too
  folder_.file("LICENSE", "MIT");
  ASSERT_TRUE(pull());
  expect_whole();
}

TEST_F(PullTest, AFullDiskIsSaidPlainly) {
  client("echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1");
  const auto status = pull();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
  EXPECT_NE(status.error().hint.find("disk is full"), std::string::npos);
}

TEST_F(PullTest, TwoProcessesAtOnce) {
  client("sleep 0.3; cp \"$INDEX\"/* \"$dest\"/");
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(pull() ? 0 : 1);
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  expect_whole();
  EXPECT_EQ(calls(), 1u);
}

}  // namespace
}  // namespace consort
