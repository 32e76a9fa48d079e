#include "models/formats/gguf.h"

#include <gtest/gtest.h>

#include <chrono>

#include "models/formats/inspect.h"
#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::GgufBuilder;
using testing::TemporaryFolder;

Result<std::unique_ptr<WeightSource>> open_bytes(const TemporaryFolder& folder, const std::string& bytes) {
  return open_weights(folder.file("m.gguf", bytes));
}
// The error of opening these bytes; fails the test when they open.
Error error_of(const std::string& bytes) {
  TemporaryFolder folder;
  auto source = open_bytes(folder, bytes);
  EXPECT_FALSE(source.has_value());
  return source ? Error{} : source.error();
}

TEST(Gguf, ReadsVersions2And3) {
  for (std::uint32_t version : {2u, 3u}) {
    TemporaryFolder folder;
    auto source = open_bytes(folder, testing::small_gguf(version));
    ASSERT_TRUE(source) << source.error().line();
    const WeightSource& s = **source;
    EXPECT_EQ(s.format(), "gguf v" + std::to_string(version));
    EXPECT_EQ(s.architecture(), "llama");
    EXPECT_EQ(s.integer("llama.block_count").value(), 2);
    EXPECT_EQ(s.integer("llama.big").value(), 1ll << 40);
    EXPECT_FLOAT_EQ(static_cast<float>(s.number("llama.epsilon").value()), 1e-5f);
    EXPECT_EQ(s.number("llama.block_count").value(), 2.0);
    const auto& tokens = std::get<std::vector<std::string>>(
        std::get<MetaValue::Array>(s.meta("tokenizer.ggml.tokens")->value));
    EXPECT_EQ(tokens, (std::vector<std::string>{"<s>", "a", "", "\xc4\xa0the"}));
    const auto& types = std::get<std::vector<std::int64_t>>(
        std::get<MetaValue::Array>(s.meta("tokenizer.ggml.token_type")->value));
    EXPECT_EQ(types.back(), -1);
    auto view = s.tensor("token_embd.weight", {2, 3});  // row-major: the reverse of ne
    ASSERT_TRUE(view) << view.error().line();
    EXPECT_EQ(view->as<float>()[5], 2.5f);
    EXPECT_EQ(s.find("blk.0.q4")->view.dtype, DType::kQ4_0);
    EXPECT_EQ(s.tensors().size(), 4u);
  }
}

TEST(Gguf, TypedLookUpsNameTheKeyAndTheFile) {
  TemporaryFolder folder;
  auto source = open_bytes(folder, testing::small_gguf());
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->integer("absent").error().kind, ErrorKind::kNotFound);
  EXPECT_NE((*source)->integer("absent").error().where.find("absent"), std::string::npos);
  EXPECT_EQ((*source)->integer("general.architecture").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ((*source)->tensor("token_embd.weight", {3, 2}).error().kind, ErrorKind::kInvalid);
  EXPECT_TRUE((*source)->tensor("token_embd.weight", {-1, 3}));
  EXPECT_EQ((*source)->tensor("nope", {1}).error().kind, ErrorKind::kNotFound);
}

TEST(Gguf, RefusesOtherQuantisationsByName) {
  GgufBuilder b;
  b.tensor("w", 23, {256}, std::string(136, 'x'));
  const Error e = error_of(b.bytes());
  EXPECT_EQ(e.kind, ErrorKind::kUnsupported);
  EXPECT_NE(e.what.find("IQ4_XS"), std::string::npos) << e.line();
  EXPECT_NE(e.where.find("tensor w"), std::string::npos) << e.line();
}

TEST(Gguf, RefusesVersionsAndByteOrder) {
  GgufBuilder b;
  for (std::uint32_t version : {0u, 1u, 4u, 0x03000000u}) {
    b.version = version;
    EXPECT_EQ(error_of(b.bytes()).kind, ErrorKind::kUnsupported) << version;
  }
}

TEST(Gguf, RefusesWrongMagicAndEmptyFiles) {
  EXPECT_EQ(error_of("").kind, ErrorKind::kCorrupt);
  EXPECT_EQ(error_of("GGUF").kind, ErrorKind::kCorrupt);
  EXPECT_EQ(error_of("GGML" + std::string(100, '\0')).kind, ErrorKind::kCorrupt);
}

TEST(Gguf, RefusesDuplicateNamesKeysAndOverlaps) {
  GgufBuilder keys;
  keys.u32("k", 1), keys.u32("k", 1);
  EXPECT_EQ(error_of(keys.bytes()).kind, ErrorKind::kCorrupt);
  GgufBuilder names;
  names.tensor("w", 0, {8}, std::string(32, 'x')), names.tensor("w", 0, {8}, std::string(32, 'x'));
  EXPECT_EQ(error_of(names.bytes()).kind, ErrorKind::kCorrupt);
  GgufBuilder overlap;
  overlap.tensor("a", 0, {16}, std::string(64, 'x')), overlap.tensor_at("b", 0, {8}, 32);
  EXPECT_NE(error_of(overlap.bytes()).what.find("overlap"), std::string::npos);
}

TEST(Gguf, RefusesHostileDimensions) {
  const std::vector<std::vector<std::uint64_t>> shapes = {
      {0},         {}, {1ull << 63}, {~0ull}, {1ull << 32, 1ull << 32}, {1, 1, 1, 1, 1}, {1ull << 62, 2, 2},
      {1ull << 61}};
  for (const auto& shape : shapes) {
    GgufBuilder b;
    b.tensor("w", 0, shape, std::string(64, 'x'));
    EXPECT_EQ(error_of(b.bytes()).kind, ErrorKind::kCorrupt);
  }
  GgufBuilder partial_block;
  partial_block.tensor("w", 2, {33}, std::string(64, 'x'));
  EXPECT_EQ(error_of(partial_block.bytes()).kind, ErrorKind::kCorrupt);
}

TEST(Gguf, RefusesHostileCountsOffsetsAndAlignment) {
  std::string counts = testing::small_gguf();
  for (std::size_t at : {8u, 16u}) {
    std::string bytes = counts;
    bytes.replace(at, 8, std::string(8, '\xff'));
    EXPECT_EQ(error_of(bytes).kind, ErrorKind::kCorrupt);
  }
  GgufBuilder far;
  far.tensor("w", 0, {8}, std::string(32, 'x')), far.tensor_at("v", 0, {8}, ~0ull - 31);
  EXPECT_EQ(error_of(far.bytes()).kind, ErrorKind::kCorrupt);
  GgufBuilder crooked;
  crooked.tensor("w", 0, {8}, std::string(64, 'x')), crooked.tensor_at("v", 0, {1}, 36);
  EXPECT_EQ(error_of(crooked.bytes()).kind, ErrorKind::kCorrupt);
  for (std::uint32_t alignment : {0u, 1u, 4u, 48u, 0x80000000u}) {
    GgufBuilder b;
    b.u32("general.alignment", alignment);
    EXPECT_EQ(error_of(b.bytes()).kind, ErrorKind::kCorrupt) << alignment;
  }
  GgufBuilder nested;
  nested.raw("k", 9, std::string("\x09\0\0\0\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0", 24));
  EXPECT_EQ(error_of(nested.bytes()).kind, ErrorKind::kUnsupported);
  GgufBuilder array;
  array.raw("k", 9, std::string("\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f", 12));
  EXPECT_EQ(error_of(array.bytes()).kind, ErrorKind::kCorrupt);
}

TEST(Gguf, HonoursGeneralAlignment) {
  GgufBuilder b;
  b.alignment = 128;
  b.u32("general.alignment", 128);
  b.tensor("a", 0, {1}, std::string("\0\0\x80\x3f", 4));
  b.tensor("b", 0, {1}, std::string("\0\0\0\x40", 4));
  TemporaryFolder folder;
  auto source = open_bytes(folder, b.bytes());
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_EQ(*(*source)->find("b")->view.as<float>(), 2.0f);
}

TEST(Gguf, LargeTokenizerArraysLoadFast) {
  GgufBuilder b;
  std::vector<std::string> tokens;
  for (int i = 0; i < 262144; ++i) tokens.push_back("token number " + std::to_string(i));
  b.texts("tokenizer.ggml.tokens", tokens);
  TemporaryFolder folder;
  const std::string path = folder.file("m.gguf", b.bytes());
  const auto start = std::chrono::steady_clock::now();
  auto source = open_weights(path);
  const auto taken = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(source) << source.error().line();
  EXPECT_LT(taken, std::chrono::seconds(2));  // about 15 ms in a release build; sanitizers and noise included
}

TEST(Inspect, SummarisesMetadataAndTensors) {
  TemporaryFolder folder;
  auto source = open_bytes(folder, testing::small_gguf());
  ASSERT_TRUE(source);
  const WeightSummary s = inspect_weights(**source, 2);
  EXPECT_EQ(s.parameters, 6u + 192 + 256 + 8);
  EXPECT_EQ(s.tensor_bytes, 24u + 108 + 210 + 16);
  EXPECT_EQ(s.metadata[5].key, "tokenizer.ggml.tokens");
  EXPECT_EQ(s.metadata[5].count, 4u);
  EXPECT_TRUE(s.metadata[5].shortened);
  EXPECT_EQ(s.metadata[5].preview, "[<s>, a, ...]");
  EXPECT_EQ(s.metadata[0].preview, "llama");
  EXPECT_EQ(s.dtypes.front().dtype, "q6_k");
  EXPECT_EQ(s.tensors[1].dims, (std::vector<std::int64_t>{3, 64}));
}

}  // namespace
}  // namespace consort
