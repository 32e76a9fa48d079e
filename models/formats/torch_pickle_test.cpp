#include "models/formats/torch_pickle.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "models/formats/inspect.h"
#include "models/formats/testing/torch_checkpoint.h"

namespace consort {
namespace {

using namespace consort::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TorchPickleTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<WeightSource>> open(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return open_weights(path_);
  }
  // The first words of the error of a state dictionary; fails when there is none.
  Error error_of(const std::string& bytes) {
    auto opened = open(bytes);
    EXPECT_FALSE(opened);
    return opened ? Error{} : opened.error();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("consort-torch-" + std::to_string(::getpid()) + ".pth"))
          .string();
};

const std::vector<std::pair<std::string, std::vector<float>>> kStorages = {{"7", {1, 2, 3, 4, 5, 6}},
                                                                           {"8", {9}}};

std::vector<float> values_of(const TensorView& v) {
  return {v.as<float>(), v.as<float>() + v.elements()};
}

TEST_F(TorchPickleTest, TensorsAreViewsOrRowByRowCopies) {
  const auto source = open(torch_file({{"a.weight", "7", {2, 3}, {3, 1}, 6},
                                       {"turned", "7", {3, 2}, {1, 3}, 6},
                                       {"part", "7", {2}, {1}, 6, 4},
                                       {"scalar", "8", {}, {}, 1}},
                                      kStorages));
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_EQ((*source)->format(), "torch pickle");
  ASSERT_EQ((*source)->tensors().size(), 4u);
  EXPECT_THAT(values_of((*source)->find("a.weight")->view), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(values_of((*source)->find("turned")->view), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(values_of((*source)->find("part")->view), ElementsAre(5, 6));
  EXPECT_EQ((*source)->find("scalar")->view.rank, 0);
  EXPECT_THAT(values_of((*source)->find("scalar")->view), ElementsAre(9));
  EXPECT_EQ(inspect_weights(**source).parameters, 6u + 6 + 2 + 1);
}

TEST_F(TorchPickleTest, AStateDictionaryMayStandInsideACheckpoint) {
  const std::string inner =
      "ccollections\nOrderedDict\n)R(" + pickle_text("w") + torch_tensor({"w", "7", {6}, {1}, 6}) + "u";
  const auto source = open(
      torch_file("}(" + pickle_text("epoch") + pickle_integer(3) + pickle_text("state_dict") + inner + "u",
                 {kStorages[0]}));
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_NE((*source)->find("w"), nullptr);
}

TEST_F(TorchPickleTest, WhatIsNotATensorIsRefusedByName) {
  EXPECT_THAT(error_of(torch_file("cos\nsystem\n(" + pickle_text("id") + "tR", {})).what,
              HasSubstr("os.system"));
  EXPECT_THAT(error_of(torch_file("c__builtin__\neval\n)R", {})).what, HasSubstr("__builtin__.eval"));
  EXPECT_THAT(error_of(torch_file("ctorch\nFloatStorage\n)R", {})).what, HasSubstr("storage type"));
  EXPECT_THAT(error_of(torch_file("\x93", {})).what, HasSubstr("opcode 147"));
  EXPECT_THAT(error_of(torch_file("}(" + pickle_text("f") + "]u", {})).what,
              HasSubstr("a list among the tensors"));
  EXPECT_EQ(error_of(torch_file("cos\nsystem\n)R", {})).kind, ErrorKind::kUnsupported);
}

TEST_F(TorchPickleTest, TensorsOutsideTheirStorageAreRefused) {
  const auto refused = [&](TorchTensor t) {
    t.name = "w";
    if (t.key.empty()) t.key = "7";
    return error_of(torch_file({t}, {kStorages[0]})).what;
  };
  EXPECT_THAT(refused({"", "", {7}, {1}, 6}), HasSubstr("past its storage"));
  EXPECT_THAT(refused({"", "", {2, 3}, {4, 1}, 6}), HasSubstr("past its storage"));
  EXPECT_THAT(refused({"", "", {6}, {1}, 6, 1}), HasSubstr("past its storage"));
  EXPECT_THAT(refused({"", "", {1 << 30, 1 << 30}, {0, 0}, 6}), HasSubstr("past its storage"));
  EXPECT_THAT(refused({"", "", {1 << 30, 1 << 30, 1 << 30}, {0, 0, 0}, 6}), HasSubstr("impossible"));
  EXPECT_THAT(refused({"", "", {-1}, {1}, 6}), HasSubstr("negative"));
  EXPECT_THAT(refused({"", "", {6}, {1}, 6, -1}), HasSubstr("offset"));
  EXPECT_THAT(refused({"", "", {6}, {1}, 5}), HasSubstr("another size"));
  EXPECT_THAT(refused({"", "9", {6}, {1}, 6}), HasSubstr("no tensor names"));
  EXPECT_THAT(refused({"", "", {1, 1, 1, 2, 3}, {6, 6, 6, 3, 1}, 6}), HasSubstr("5 dimensions"));
}

TEST_F(TorchPickleTest, BombsEndInAnErrorQuickly) {
  EXPECT_THAT(error_of(torch_file(std::string(5'000'000, ']'), {})).what, HasSubstr("more values"));
  EXPECT_THAT(error_of(torch_file(std::string(20'000'000, '('), {})).what, HasSubstr("more steps"));
  EXPECT_THAT(error_of(torch_file("]r" + little<std::uint32_t>(0xfffffff0), {})).what,
              HasSubstr("memo number"));
  EXPECT_THAT(error_of(torch_file("X" + little<std::uint32_t>(0xfffffff0), {})).what,
              HasSubstr("past the end"));
  // A list that holds itself, as a state dictionary's value; lists of lists of lists that double.
  EXPECT_FALSE(open(torch_file("}" + pickle_text("a") + std::string("]q\x01h\x01") + "as", {})));
  std::string doubling = "}" + pickle_text("a") + "]";
  for (int i = 0; i < 60; ++i) doubling += std::string("q\x01](h\x01h\x01") + "e";
  EXPECT_FALSE(open(torch_file(doubling + "s", {})));
}

const std::vector<TorchTensor> kTensors = {
    {"a.weight", "7", {2, 3}, {3, 1}, 6}, {"turned", "7", {3, 2}, {1, 3}, 6}, {"scalar", "8", {}, {}, 1}};

TEST_F(TorchPickleTest, ArchivesSinceTorch16AreRead) {
  for (const bool long_numbers : {false, true}) {
    const auto source = open(zip_archive(torch_zip_files(kTensors, kStorages), long_numbers));
    ASSERT_TRUE(source) << source.error().line();
    EXPECT_EQ((*source)->format(), "torch zip");
    ASSERT_EQ((*source)->tensors().size(), 3u);
    EXPECT_THAT(values_of((*source)->find("a.weight")->view), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(values_of((*source)->find("turned")->view), ElementsAre(1, 4, 2, 5, 3, 6));
    EXPECT_THAT(values_of((*source)->find("scalar")->view), ElementsAre(9));
  }
}

TEST_F(TorchPickleTest, AStorageOfAnOptimiserIsPassedOver) {
  auto files = torch_zip_files(kTensors, kStorages);
  files.push_back({"archive/data/99", "abc"});
  EXPECT_TRUE(open(zip_archive(files)));
}

TEST_F(TorchPickleTest, ArchivesThatAreNotWhatTorchWritesAreRefused) {
  const auto line = [&](auto change) {
    auto files = torch_zip_files(kTensors, kStorages);
    change(files);
    return error_of(zip_archive(files)).line();
  };
  EXPECT_THAT(line([](auto& f) { f[2].method = 8; }), HasSubstr("a compressed entry"));
  EXPECT_THAT(line([](auto& f) { f[2].flags = 1; }), HasSubstr("an encrypted entry"));
  EXPECT_THAT(line([](auto& f) { f[2].content.resize(20); }), HasSubstr("another size"));
  EXPECT_THAT(line([](auto& f) { f[2].name = "archive/other"; }), HasSubstr("storage is not in the file"));
  EXPECT_THAT(line([](auto& f) { f.push_back(f[2]); }), HasSubstr("stands twice"));
  EXPECT_THAT(line([](auto& f) { f[1].content = "big"; }), HasSubstr("big-endian"));
  EXPECT_THAT(line([](auto& f) { f.back().content = "11\n"; }), HasSubstr("version 11"));
  EXPECT_THAT(line([](auto& f) { f.push_back({"archive/constants.pkl", ""}); }), HasSubstr("TorchScript"));
  EXPECT_THAT(line([](auto& f) { f.erase(f.begin()); }), HasSubstr("without data.pkl"));
  EXPECT_THAT(line([](auto& f) { f[0].content += "x"; }), HasSubstr("left over"));
  EXPECT_THAT(line([](auto& f) { f[0].content.insert(2, "cos\nsystem\n"); }), HasSubstr("system"));
}

// Many entries of the directory that all name the same bytes (an "overlapping" bomb): what they give together
// may not be more than the file has.
TEST_F(TorchPickleTest, EntriesThatOverlapAreRefused) {
  auto files = torch_zip_files(kTensors, kStorages);
  files.push_back({"archive/data/big", std::string(4096, 'x')});
  std::string bytes = zip_archive(files);
  const std::size_t end = bytes.size() - 22, at = bytes.rfind("archive/data/big") - 46;
  const std::string entry = bytes.substr(at, end - at);
  std::string more;
  constexpr std::size_t kCopies = 50;
  for (std::size_t i = 0; i < kCopies; ++i) more += entry;
  bytes.insert(end, more);
  const std::size_t tail = bytes.size() - 22;
  const auto count = static_cast<std::uint16_t>(files.size() + kCopies);
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + tail + 12, 4);
  size += static_cast<std::uint32_t>(more.size());
  std::memcpy(bytes.data() + tail + 8, &count, 2);
  std::memcpy(bytes.data() + tail + 10, &count, 2);
  std::memcpy(bytes.data() + tail + 12, &size, 4);
  EXPECT_THAT(error_of(bytes).line(), HasSubstr("larger than the file"));
}

}  // namespace
}  // namespace consort
