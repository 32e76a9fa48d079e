#include "agents/calls/ingest.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "memory/store/temporary_store.h"

namespace consort {
namespace {

namespace fs = std::filesystem;

class IngestTest : public ::testing::Test {
 protected:
  IngestTest() {
    store_ = std::move(*Store::open(dir_ / "s"));
    memory_ = std::move(*Retrieval::open(*store_));
    fs::create_directories(dir_ / "notes/deep");
    write("a.md", "# A\n\nFirst words.\n\nSecond words.\n");
    write("deep/b.txt", "Third words.");
    write("picture.png", "left out");
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / ("notes/" + name)) << text;
  }
  Result<IngestReport> ingest(const std::string& path, std::string model = "") {
    IngestOptions options;
    options.name_space = "n";
    options.model = std::move(model);
    boost::asio::io_context io;
    std::optional<Result<IngestReport>> report;
    boost::asio::co_spawn(io, ingest_path(*memory_, nullptr, path, options, {}),
                          [&](std::exception_ptr e, Result<IngestReport> r) {
                            EXPECT_FALSE(e);
                            report = std::move(r);
                          });
    io.run();
    return std::move(*report);
  }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> memory_;
};

TEST_F(IngestTest, AFolderAndThenOnlyWhatChanged) {
  auto report = ingest(dir_ / "notes");
  ASSERT_TRUE(report.has_value()) << report.error().line();
  EXPECT_EQ(report->files, 2u);
  EXPECT_EQ(report->created, 3u);
  const auto item = memory_->find_external("n", "deep/b.txt#0");
  ASSERT_TRUE(item->has_value());
  EXPECT_EQ((*item)->text, "Third words.");
  EXPECT_EQ((*item)->provenance.source, "deep/b.txt");
  EXPECT_EQ((*memory_->find_external("n", "a.md#1"))->metadata.at("title"), MetadataValue(std::string("A")));

  EXPECT_EQ(ingest(dir_ / "notes")->unchanged, 3u);
  write("a.md", "# A\n\nFirst words.\n");
  report = ingest(dir_ / "notes");
  EXPECT_EQ(report->erased, 1u);
  EXPECT_EQ(report->unchanged, 2u);
  EXPECT_TRUE(memory_->check()->ok());
}

TEST_F(IngestTest, TheItemsOfFilesThatAreGoneAreForgotten) {
  write("gone.md", "Words that go.\n\nAnd more of them.\n");
  ASSERT_EQ(ingest(dir_ / "notes")->created, 5u);
  fs::remove(dir_ / "notes/gone.md");
  auto report = ingest(dir_ / "notes/");  // the same folder by another spelling
  EXPECT_EQ(report->vanished, std::vector<std::string>{"gone.md"});
  EXPECT_EQ(report->erased, 2u);
  EXPECT_EQ(report->unchanged, 3u);
  EXPECT_FALSE(memory_->find_external("n", "gone.md#0")->has_value());
  EXPECT_TRUE(memory_->check()->ok());
  EXPECT_TRUE(ingest(dir_ / "notes")->vanished.empty());
}

TEST_F(IngestTest, FilesThatAreStillThereKeepTheirItems) {
  ASSERT_EQ(ingest(dir_ / "notes")->created, 3u);
  fs::rename(dir_ / "notes/a.md", dir_ / "notes/kept.md");
  fs::create_directories(dir_ / "notes/a.md");  // no file any more, but the name is taken: nothing is guessed
  const auto report = ingest(dir_ / "notes");
  EXPECT_TRUE(report->vanished.empty());
  EXPECT_TRUE(memory_->find_external("n", "a.md#0")->has_value());
}

TEST_F(IngestTest, AnotherFolderAndASingleFileForgetNothing) {
  ASSERT_EQ(ingest(dir_ / "notes")->created, 3u);
  fs::create_directories(dir_ / "other");
  std::ofstream(dir_ / "other/c.md") << "Of the other folder.";
  std::ofstream(dir_ / "other/a.md") << "The same name.";
  EXPECT_TRUE(ingest(dir_ / "other")->vanished.empty());
  EXPECT_TRUE(ingest(dir_ / "other/c.md")->vanished.empty());
  EXPECT_TRUE(memory_->find_external("n", "deep/b.txt#0")->has_value());
  fs::remove(dir_ / "other/a.md");  // the first folder has one of this name: its items stay
  const auto report = ingest(dir_ / "other");
  EXPECT_TRUE(report->vanished.empty());
  EXPECT_EQ(report->erased, 0u);
  EXPECT_TRUE(memory_->find_external("n", "a.md#0")->has_value());
}

TEST_F(IngestTest, BadFilesAreNamedAndTheRestGoesOn) {
  write("binary.md", std::string("\0\1\2", 3));
  write("broken.md", "bytes \xff\xfe that are no UTF-8");
  write("empty.md", "");
  const auto report = ingest(dir_ / "notes");
  ASSERT_TRUE(report.has_value());
  ASSERT_EQ(report->failures.size(), 1u);
  EXPECT_EQ(report->failures[0].file, "binary.md");
  EXPECT_EQ(report->failures[0].error.kind, ErrorKind::kInvalid);
  EXPECT_EQ(report->created, 4u);  // the broken bytes became U+FFFD
  EXPECT_EQ(ingest(dir_ / "nothing").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(ingest(dir_ / "notes", "all-minilm-l6-v2").error().kind,
            ErrorKind::kUnavailable);  // no models here
}

}  // namespace
}  // namespace consort
