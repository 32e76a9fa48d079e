#include "models/formats/onnx.h"

#include <gtest/gtest.h>

#include <cstring>

#include "models/formats/inspect.h"
#include "models/formats/testing/synthetic_files.h"
#include "models/formats/testing/synthetic_onnx.h"

namespace consort {
namespace {

using testing::OnnxTensor;
using testing::TemporaryFolder;

class Onnx : public ::testing::Test {
 protected:
  Result<std::unique_ptr<WeightSource>> open(const std::string& bytes) {
    return open_weights(folder_.file("m.onnx", bytes));
  }
  Result<std::unique_ptr<WeightSource>> open_tensor(const OnnxTensor& tensor) {
    return open(testing::onnx_model({tensor}));
  }
  void expect_refused(const OnnxTensor& tensor, ErrorKind kind, std::string_view word) {
    const auto source = open_tensor(tensor);
    ASSERT_FALSE(source) << word;
    EXPECT_EQ(source.error().kind, kind) << source.error().line();
    EXPECT_NE(source.error().line().find(word), std::string::npos) << source.error().line();
    EXPECT_NE(source.error().where.find("m.onnx"), std::string::npos) << source.error().line();
  }
  TemporaryFolder folder_;
};

template <typename T>
std::vector<T> values(const WeightSource& source, const std::string& name) {
  const TensorView& view = source.find(name)->view;
  std::vector<T> out(static_cast<std::size_t>(view.elements()));
  if (!out.empty()) std::memcpy(out.data(), view.data, out.size() * sizeof(T));
  return out;
}

TEST_F(Onnx, EveryWayOfWritingValues) {
  const auto source = open(testing::small_onnx());
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_EQ((*source)->format(), "onnx");
  EXPECT_EQ((*source)->integer("onnx.ir_version").value(), 7);
  EXPECT_EQ((*source)->integer("onnx.opset").value(), 14);
  EXPECT_EQ((*source)->text("kind").value(), "test");
  EXPECT_EQ((*source)->tensors().size(), 9u);
  EXPECT_EQ(values<std::int8_t>(**source, "w_quantized"), (std::vector<std::int8_t>{1, -2, 3, -4, 5, -127}));
  EXPECT_EQ((*source)->tensor("w_quantized", {2, 3}).value().dtype, DType::kI8);
  EXPECT_EQ(values<float>(**source, "w_scale"), std::vector<float>{0.25f});
  EXPECT_TRUE((*source)->tensor("w_scale", {}));
  EXPECT_EQ(values<std::int8_t>(**source, "w_zero_point"), std::vector<std::int8_t>{0});
  EXPECT_EQ(values<std::uint8_t>(**source, "table"), (std::vector<std::uint8_t>{0, 70, 128, 255}));
  EXPECT_EQ(values<std::uint8_t>(**source, "table_zero_point"), std::vector<std::uint8_t>{70});
  EXPECT_EQ(values<float>(**source, "bias"), (std::vector<float>{1.5f, -2.5f, 3.5f}));
  EXPECT_EQ(values<std::int64_t>(**source, "ids"), (std::vector<std::int64_t>{-5, 1LL << 40}));
  EXPECT_EQ(values<std::int32_t>(**source, "shape"), (std::vector<std::int32_t>{-1, 384}));
  EXPECT_EQ((*source)->find("none")->view.elements(), 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*source)->find("bias")->view.data) % alignof(float), 0u);
  EXPECT_EQ(inspect_weights(**source).tensors.size(), 9u);
}

TEST_F(Onnx, WhatDoesNotFitIsRefused) {
  using enum ErrorKind;
  const std::vector<float> three{1, 2, 3};
  expect_refused(OnnxTensor("t", 1, {4}).raw(three), kCorrupt, "raw_data");
  expect_refused(OnnxTensor("t", 1, {2}).raw(three), kCorrupt, "raw_data");
  expect_refused(OnnxTensor("t", 1, {4}).floats(three), kCorrupt, "fewer");
  expect_refused(OnnxTensor("t", 1, {2}).floats(three), kCorrupt, "dims");
  expect_refused(OnnxTensor("t", 3, {1}).integers(5, {128}), kCorrupt, "outside its type");
  expect_refused(OnnxTensor("t", 2, {1}).integers(5, {-1}), kCorrupt, "outside its type");
  expect_refused(OnnxTensor("t", 3, {1}).integers(5, {1, 2}), kCorrupt, "more values");
  expect_refused(OnnxTensor("t", 3, {3}).integers(5, {1, 2}), kCorrupt, "fewer");
  expect_refused(OnnxTensor("t", 7, {1}).integers(5, {1}), kCorrupt, "another element type");
  expect_refused(OnnxTensor("t", 6, {1}).integers(7, {1}), kCorrupt, "another element type");
  expect_refused(OnnxTensor("t", 1, {3}).raw(three).floats(three), kCorrupt, "two values");
  expect_refused(OnnxTensor("t", 1, {-1}), kCorrupt, "negative");
  expect_refused(OnnxTensor("t", 1, {1LL << 40, 1LL << 40}), kCorrupt, "too large");
  expect_refused(OnnxTensor("t", 1, {1LL << 40}), kCorrupt, "fewer");
  expect_refused(OnnxTensor("t", 1, {1, 1, 1, 1, 1}), kUnsupported, "four dimensions");
  expect_refused(OnnxTensor("t", 1, std::vector<std::int64_t>(10000, 1)), kUnsupported, "four dimensions");
  expect_refused(OnnxTensor("t", 8, {1}), kUnsupported, "element type 8");
  expect_refused(OnnxTensor("t", 1, {1}).number(14, 1), kUnsupported, "another file");
  expect_refused(OnnxTensor("", 1, {0}), kCorrupt, "no name");
  EXPECT_EQ(open(testing::onnx_model({OnnxTensor("t", 1, {0}), OnnxTensor("t", 1, {0})})).error().kind,
            kCorrupt);
}

TEST_F(Onnx, WrongWireFormatIsRefused) {
  std::string group("\x0b\x0c", 2), endless(20, '\xff'), no_graph, long_field("\x3a\xff\xff\xff\xff\x7f", 6);
  testing::put_number(no_graph, 1, 7);
  for (const std::string& bytes : {std::string(), group, endless, no_graph, long_field,
                                   std::string("\x00", 1), std::string("GGUF"), std::string(100, '\x3a')}) {
    const auto source = open(bytes);
    ASSERT_FALSE(source) << bytes.size();
    EXPECT_EQ(source.error().kind, ErrorKind::kCorrupt);
  }
}

TEST_F(Onnx, AFolderTakesItsArchitectureFromConfig) {
  folder_.file("model.onnx", testing::small_onnx());
  EXPECT_EQ(open_weights(folder_.path()).error().kind, ErrorKind::kNotFound);
  folder_.file("config.json", R"({"model_type": "bert", "hidden_size": 384})");
  const auto source = open_weights(folder_.path());
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_EQ((*source)->format(), "onnx folder");
  EXPECT_EQ((*source)->architecture(), "bert");
  EXPECT_EQ((*source)->integer("hidden_size").value(), 384);
  EXPECT_NE((*source)->find("bias"), nullptr);
  EXPECT_GT((*source)->mapped_bytes(), 100u);
}

}  // namespace
}  // namespace consort
