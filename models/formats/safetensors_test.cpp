#include "models/formats/safetensors.h"

#include <gtest/gtest.h>

#include "models/formats/safetensors_writer.h"
#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::safetensors_bytes;
using testing::TemporaryFolder;

Error error_of(const std::string& bytes) {
  TemporaryFolder folder;
  auto source = open_weights(folder.file("m.safetensors", bytes));
  EXPECT_FALSE(source.has_value());
  return source ? Error{} : source.error();
}
Error error_of_header(const std::string& header, std::size_t data_bytes) {
  return error_of(safetensors_bytes(header, std::string(data_bytes, 'x')));
}

TEST(Safetensors, ReadsTensorsAndMetadata) {
  TemporaryFolder folder;
  auto source = open_weights(folder.file("m.safetensors", testing::small_safetensors()));
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_EQ((*source)->text("format").value(), "pt");
  EXPECT_EQ((*source)->tensor("a", {2, 3})->as<float>()[4], 4.0f);
  EXPECT_EQ((*source)->tensor("b", {2})->as<std::int64_t>()[1], 1ll << 40);
}

TEST(Safetensors, ReadsDataThatIsNotAligned) {
  // One byte first: the float behind it lies at an odd address in the file.
  std::string data = "\x01";
  testing::append(data, 2.5f);
  TemporaryFolder folder;
  auto source = open_weights(folder.file(
      "m.safetensors", safetensors_bytes(R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                         R"("f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                                         data)));
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_EQ(*(*source)->find("f")->view.as<float>(), 2.5f);
}

TEST(Safetensors, RefusesHostileHeaders) {
  const auto kind = [](const std::string& header, std::size_t data) {
    return error_of_header(header, data).kind;
  };
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  EXPECT_EQ(error_of("").kind, ErrorKind::kCorrupt);
  EXPECT_EQ(error_of(std::string(8, '\xff')).kind, ErrorKind::kCorrupt);
  EXPECT_EQ(kind("[]", 0), ErrorKind::kCorrupt);
  EXPECT_EQ(kind("{" + a + "," + a + "}", 8), ErrorKind::kCorrupt);  // duplicate name
  EXPECT_EQ(kind("{" + a + "}", 7), ErrorKind::kCorrupt);            // truncated
  EXPECT_EQ(kind("{" + a + "}", 9), ErrorKind::kCorrupt);            // bytes of nobody
  EXPECT_EQ(kind(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
            ErrorKind::kCorrupt);
  EXPECT_EQ(
      kind(
          R"({"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]}})",
          0),
      ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8), ErrorKind::kCorrupt);
  std::string deep = R"({"a":)";
  for (int i = 0; i < 100000; ++i) deep += "[";
  EXPECT_EQ(kind(deep, 0), ErrorKind::kCorrupt);
  const Error unsupported =
      error_of_header(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", 8);
  EXPECT_EQ(unsupported.kind, ErrorKind::kUnsupported);
  EXPECT_NE(unsupported.what.find("F8_E4M3"), std::string::npos);
  EXPECT_EQ(kind(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1],"data_offsets":[0,1]}})", 1),
            ErrorKind::kUnsupported);
}

TEST(Safetensors, WriterRoundTripsThroughTheReader) {
  TemporaryFolder folder;
  std::vector<float> a = {1, 2, 3, 4, 5, 6};
  std::vector<std::int32_t> ids = {7, -8};
  const NamedTensor tensors[] = {{"0.top_logits", make_view(a.data(), DType::kF32, {2, 3})},
                                 {"0.top_ids", make_view(ids.data(), DType::kI32, {2})},
                                 {"1.empty", make_view(ids.data(), DType::kI32, {0, 4})}};
  const std::pair<std::string, std::string> metadata[] = {{"model", "m"}};
  const std::string path = folder.path() + "/out.safetensors";
  ASSERT_TRUE(write_safetensors(path, tensors, metadata));
  auto source = open_weights(path);
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_EQ((*source)->text("model").value(), "m");
  EXPECT_EQ((*source)->tensor("0.top_logits", {2, 3})->as<float>()[5], 6.0f);
  EXPECT_EQ((*source)->tensor("0.top_ids", {2})->as<std::int32_t>()[1], -8);
  EXPECT_EQ((*source)->tensor("1.empty", {0, 4})->elements(), 0);
}

TEST(Safetensors, WriterRefusesWhatItCannotWriteAndLeavesNothing) {
  TemporaryFolder folder;
  float x = 1;
  const TensorView view = make_view(&x, DType::kF32, {1});
  const std::string path = folder.path() + "/out.safetensors";
  const NamedTensor twice[] = {{"a", view}, {"a", view}};
  EXPECT_EQ(write_safetensors(path, twice).error().kind, ErrorKind::kInvalid);
  const NamedTensor bad_name[] = {{"\xff", view}};
  EXPECT_EQ(write_safetensors(path, bad_name).error().kind, ErrorKind::kInvalid);
  TensorView block = view;
  block.dtype = DType::kQ4_0;
  const NamedTensor blocks[] = {{"a", block}};
  EXPECT_EQ(write_safetensors(path, blocks).error().kind, ErrorKind::kUnsupported);
  const NamedTensor good[] = {{"a", view}};
  EXPECT_EQ(write_safetensors(folder.path() + "/absent/out.safetensors", good).error().kind, ErrorKind::kIo);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(HuggingFaceFolder, FlattensConfigAndReadsShards) {
  TemporaryFolder folder;
  folder.file("config.json", R"({"model_type":"bert","hidden_size":384,"layer_norm_eps":1e-12,"tied":true,
    "none":null,"rope":{"theta":10000.0,"kinds":["a","b"]},"mixed":[1,{"x":2}],"sizes":[1,2]})");
  folder.file("one.safetensors", testing::small_safetensors());
  folder.file("two.safetensors",
              safetensors_bytes(R"({"c":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                std::string("\0\0\x80\x3f", 4)));
  folder.file("model.safetensors.index.json",
              R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"}})");
  auto source = open_weights(folder.path());
  ASSERT_TRUE(source) << source.error().line();
  const WeightSource& s = **source;
  EXPECT_EQ(s.architecture(), "bert");
  EXPECT_EQ(s.integer("hidden_size").value(), 384);
  EXPECT_EQ(s.number("layer_norm_eps").value(), 1e-12);
  EXPECT_EQ(s.number("rope.theta").value(), 10000.0);
  EXPECT_EQ(s.integer("mixed.1.x").value(), 2);
  EXPECT_EQ(s.meta("none"), nullptr);
  EXPECT_EQ(s.tensors().size(), 3u);
  EXPECT_EQ(*s.tensor("c", {1})->as<float>(), 1.0f);
}

TEST(HuggingFaceFolder, RefusesBadIndices) {
  TemporaryFolder folder;
  folder.file("config.json", "{}");
  EXPECT_EQ(open_weights(folder.path()).error().kind, ErrorKind::kNotFound);
  folder.file("one.safetensors", testing::small_safetensors());
  const auto kind = [&](const std::string& map) {
    folder.file("model.safetensors.index.json", R"({"weight_map":)" + map + "}");
    auto source = open_weights(folder.path());
    return source ? ErrorKind::kRuntime : source.error().kind;
  };
  EXPECT_EQ(kind(R"({"absent":"one.safetensors"})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"a":"missing.safetensors"})"), ErrorKind::kNotFound);
  EXPECT_EQ(kind(R"({"a":"../one.safetensors"})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"a":3})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind("{}"), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace consort
