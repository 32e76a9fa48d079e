// Several sources for one file, tried in order: no network, no package client.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "models/catalogue/catalogue.h"
#include "models/catalogue/digest.h"
#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::TemporaryFolder;

std::string digest_of(const std::string& bytes) {
  Sha256 digest;
  digest.update(bytes.data(), bytes.size());
  return digest.hex();
}

class SourcesTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string file_entry(const std::string& name, const std::string& bytes, const std::string& rest) const {
    return R"({"name":")" + name + R"(","role":"weights","bytes":)" + std::to_string(bytes.size()) +
           R"(,"sha256":")" + digest_of(bytes) + "\"," + rest + "}";
  }
  std::string sources(const std::string& list) const { return R"("sources":[)" + list + "]"; }
  std::string local(const std::string& name) const {
    return R"({"kind":"path","path":")" + path(name) + R"("})";
  }
  std::string bundled(const std::string& name) const {
    return R"({"kind":"bundled","path":")" + name + R"("})";
  }
  std::string url(const std::string& name) const {
    return R"({"kind":"url","url":"file://)" + path(name) + R"("})";
  }
  // One model `m` of one file `w` that must hold `wanted_`.
  void load(const std::string& rest, const std::string& licence = "") {
    const std::string text =
        R"({"wheels":{},"models":[{"id":"m","kind":"k","architecture":"a","licence":"l",)" + licence +
        R"("mainFile":"w","files":[)" + file_entry("w", wanted_, rest) + "]}]}";
    auto catalogue = Catalogue::load(folder_.file("models.json", text), path("models"), folder_.path());
    ASSERT_TRUE(catalogue) << catalogue.error().line();
    catalogue_ = std::move(*catalogue);
  }
  Result<std::size_t> pull(bool accepted = true) {
    return catalogue_.pull(*catalogue_.find("m"), accepted, {});
  }
  void expect_pulled() {
    const auto fetched = pull();
    ASSERT_TRUE(fetched) << fetched.error().line();
    EXPECT_EQ(*fetched, 1u);
    std::ifstream in(path("models/m/w"), std::ios::binary);
    EXPECT_EQ(std::string((std::istreambuf_iterator<char>(in)), {}), wanted_);
  }

  TemporaryFolder folder_;
  const std::string wanted_ = std::string(70000, 'w') + "!";
  Catalogue catalogue_;
};

TEST_F(SourcesTest, TheSecondIsUsedWhenTheFirstIsNotThere) {
  folder_.file("second", wanted_);
  load(sources(local("first") + "," + bundled("second")));
  expect_pulled();
}

TEST_F(SourcesTest, TheSecondIsUsedWhenTheFirstHasAnotherDigest) {
  folder_.file("first", std::string(wanted_.size(), 'x'));
  folder_.file("second", wanted_);
  load(sources(bundled("first") + "," + url("second")));
  expect_pulled();
}

TEST_F(SourcesTest, ATooLongAndATooShortFileAreFollowedByTheNext) {
  folder_.file("long", wanted_ + wanted_);
  folder_.file("short", wanted_.substr(1));
  folder_.file("third", wanted_);
  load(sources(url("long") + "," + url("short") + "," + url("third")));
  expect_pulled();
}

TEST_F(SourcesTest, EveryFailureIsNamedWhenAllFail) {
  folder_.file("first", "damaged");
  load(sources(bundled("first") + "," + url("second")));
  const auto status = pull();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
  const std::string line = status.error().line();
  EXPECT_NE(line.find("the bundled file first: the file does not have the catalogue's digest"),
            std::string::npos)
      << line;
  EXPECT_NE(line.find("file://" + path("second") + ": cannot read the file"), std::string::npos) << line;
  EXPECT_FALSE(std::filesystem::exists(path("models/m/w")));
}

TEST_F(SourcesTest, PartsFollowLocalFilesAndPrecedeOthers) {
  const std::string head = wanted_.substr(0, 30000), tail = wanted_.substr(30000);
  const std::string parts = R"("parts":[)" +
                            file_entry("w.0", head, sources(bundled("missing") + "," + bundled("head"))) +
                            "," + file_entry("w.1", tail, sources(bundled("tail"))) + "]";
  folder_.file("head", head);
  folder_.file("tail", tail);
  load(sources(local("nowhere")) + "," + parts);  // from the parts, one of them by its second source
  expect_pulled();
  std::filesystem::remove(path("models/m/w"));
  folder_.file("tail", std::string(tail.size(), '?'));
  folder_.file("whole", wanted_);
  load(sources(url("whole")) + "," + parts);  // a damaged part, then the whole file
  expect_pulled();
  std::filesystem::remove(path("models/m/w"));
  std::filesystem::remove(path("whole"));
  const auto status = pull();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().what.find("its parts: cannot get w.1 from the bundled file tail"),
            std::string::npos)
      << status.error().line();
  EXPECT_NE(status.error().what.find("whole: cannot read the file"), std::string::npos)
      << status.error().line();
}

TEST_F(SourcesTest, ADamagedFileOfTheRightSizeIsRepaired) {
  folder_.file("first", wanted_);
  load(sources(bundled("first")));
  expect_pulled();
  std::string damaged = wanted_;
  damaged[100] ^= 1;
  folder_.file("models/m/w", damaged);
  EXPECT_TRUE(catalogue_.present(*catalogue_.find("m")));  // by size
  EXPECT_EQ(catalogue_.verify(*catalogue_.find("m"), {}).error().kind, ErrorKind::kCorrupt);
  expect_pulled();
  EXPECT_EQ(pull().value_or(9), 0u);  // nothing left to do
}

TEST_F(SourcesTest, TheLicenceIsAskedForOnlyWhenSomethingIsFetched) {
  folder_.file("first", wanted_);
  load(sources(bundled("first")), R"("licenceKey":"key","terms":"there",)");
  ASSERT_FALSE(pull(false));
  EXPECT_EQ(pull(false).error().kind, ErrorKind::kUsage);
  EXPECT_FALSE(std::filesystem::exists(path("models")));
  expect_pulled();
  EXPECT_EQ(pull(false).value_or(9), 0u);
  folder_.file("models/m/w", std::string(wanted_.size(), 'x'));
  EXPECT_EQ(pull(false).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace consort
