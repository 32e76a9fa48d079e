// Loading decoders from small synthetic files: what fits runs, what does not is refused by name, and no
// damaged file crashes the loader or the forward pass.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "memory/kv/kv_cache.h"
#include "models/arch/registry.h"
#include "models/arch/testing/small_model.h"
#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::kFeedForward;
using testing::kHeadDim;
using testing::kHeads;
using testing::kKvHeads;
using testing::kLayers;
using testing::kVocab;
using testing::kWidth;
using testing::SmallModel;
using testing::TemporaryFolder;

class DecoderLoad : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Model>> load(const std::string& bytes) {
    CONSORT_TRY(source, open_weights(folder_.file("model.gguf", bytes)));
    const Architecture* architecture = find_architecture(source->architecture());
    if (architecture == nullptr || architecture->load_model == nullptr)
      return fail(ErrorKind::kUnsupported, "architecture");
    LoadContext context{exec_, *pool_, "small"};
    return architecture->load_model(std::shared_ptr<const WeightSource>(std::move(source)), context);
  }
  // Logits of the last of five tokens, or the error.
  Result<std::vector<float>> run(Model& model) {
    CONSORT_TRY(cache, KvCache::create(*pool_, model.kv_layout(), "small", std::size_t{64} << 20));
    KvSequence sequence = cache->new_sequence();
    CONSORT_CHECK_OK(sequence.reserve(5));
    const std::int32_t ids[] = {1, 2, 3, 0, 2};
    std::vector<float> logits(static_cast<std::size_t>(model.info().vocab_size));
    const SequenceSlice slice{ids, 0, sequence.view(), LogitsWanted::kLast};
    StepOutput out{make_view(logits.data(), DType::kF32, {1, std::ssize(logits)})};
    CONSORT_CHECK_OK(model.forward(exec_, {{&slice, 1}}, out));
    return logits;
  }
  void expect_refused(const SmallModel& model, ErrorKind kind, const std::string& word) {
    const auto loaded = load(model.bytes());
    ASSERT_FALSE(loaded) << word;
    EXPECT_EQ(loaded.error().kind, kind) << loaded.error().line();
    EXPECT_NE(loaded.error().line().find(word), std::string::npos) << loaded.error().line();
  }

  TemporaryFolder folder_;
  std::unique_ptr<DevicePool> pool_ = DevicePool::create_cpu(std::size_t{1} << 30).value();
  ThreadPool threads_{2};
  ScratchArena scratch_{*pool_, Owner{"activations", "test"}};
  Exec exec_{threads_, scratch_};
};

TEST_F(DecoderLoad, SmallModelsRun) {
  for (const char* name : {"llama", "gemma3"}) {
    auto model = load(SmallModel(name).bytes());
    ASSERT_TRUE(model) << model.error().line();
    const ModelInfo& info = (*model)->info();
    EXPECT_EQ(info.vocab_size, kVocab);
    EXPECT_EQ(info.context_length, 64);
    EXPECT_EQ((*model)->kv_layout(), (KvLayout{kLayers, kKvHeads, kHeadDim, DType::kF16}));
    const double layer = kWidth * (2.0 * kHeads + 2.0 * kKvHeads) * kHeadDim + 3.0 * kWidth * kFeedForward;
    EXPECT_EQ(info.flop_per_token, 2 * (kLayers * layer + kVocab * kWidth));
    EXPECT_EQ(info.flop_per_token_context, 4.0 * kHeads * kHeadDim * kLayers);
    EXPECT_EQ(info.kv_bytes_per_token, static_cast<std::size_t>(kLayers) * 2 * kKvHeads * kHeadDim * 2);
    EXPECT_EQ(info.weights_digest.size(), 32u);
    const auto logits = run(**model);
    ASSERT_TRUE(logits) << logits.error().line();
    for (const float x : *logits) EXPECT_TRUE(std::isfinite(x));
  }
}

TEST_F(DecoderLoad, AnUntiedHeadIsUsedAndCountedOnce) {
  SmallModel tied("llama"), untied("llama");
  untied.tensors.emplace_back("output.weight", std::vector<std::uint64_t>{kWidth, kVocab});
  auto a = load(tied.bytes()), b = load(untied.bytes());
  ASSERT_TRUE(a && b);
  EXPECT_EQ((*a)->info().flop_per_token, (*b)->info().flop_per_token);
  EXPECT_EQ((*a)->info().weight_bytes, (*b)->info().weight_bytes);
  EXPECT_NE((*a)->info().weights_digest, (*b)->info().weights_digest);
  EXPECT_NE(run(**a).value(), run(**b).value());
}

TEST_F(DecoderLoad, BiasesOfQueriesAndKeysAreUsed) {
  SmallModel with("llama");
  with.tensors.emplace_back("blk.0.attn_q.bias", std::vector<std::uint64_t>{kHeads * kHeadDim});
  auto plain = load(SmallModel("llama").bytes()), biased = load(with.bytes());
  ASSERT_TRUE(plain && biased);
  EXPECT_NE(run(**plain).value(), run(**biased).value());
}

TEST_F(DecoderLoad, WhatTheForwardPassDoesNotDoIsRefusedByName) {
  SmallModel yarn("llama");
  yarn.texts.emplace_back("rope.scaling.type", "yarn");
  expect_refused(yarn, ErrorKind::kUnsupported, "yarn");
  SmallModel experts("llama");
  experts.set("expert_count", 8);
  expect_refused(experts, ErrorKind::kUnsupported, "experts");
  SmallModel head("llama");
  head.set("attention.key_length", 24);
  expect_refused(head, ErrorKind::kUnsupported, "24");
  SmallModel caps("gemma3");
  caps.reals.emplace_back("final_logit_softcapping", 30.0f);
  expect_refused(caps, ErrorKind::kUnsupported, "final_logit_softcapping");
}

TEST_F(DecoderLoad, WrongNumbersAndShapesAreErrors) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::uint32_t>>{{"block_count", 0},
                                                          {"block_count", 0xffffffff},
                                                          {"embedding_length", 0},
                                                          {"attention.head_count", 0},
                                                          {"context_length", 0},
                                                          {"feed_forward_length", 0x7fffffff}}) {
    SmallModel model("llama");
    model.set(key, value);
    expect_refused(model, ErrorKind::kInvalid, key);
  }
  SmallModel uneven("llama");
  uneven.set("attention.head_count", 3);
  uneven.set("attention.head_count_kv", 2);
  expect_refused(uneven, ErrorKind::kInvalid, "kv heads");
  SmallModel wide("llama");
  wide.set("embedding_length", 64);
  expect_refused(wide, ErrorKind::kInvalid, "token_embd.weight");
  SmallModel deep("llama");
  deep.set("block_count", 3);
  expect_refused(deep, ErrorKind::kNotFound, "blk.2");
}

TEST_F(DecoderLoad, EveryMissingTensorIsNamed) {
  for (const char* name : {"llama", "gemma3"}) {
    const SmallModel whole(name);
    for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
      SmallModel model = whole;
      model.tensors.erase(model.tensors.begin() + static_cast<std::ptrdiff_t>(i));
      expect_refused(model, ErrorKind::kNotFound, whole.tensors[i].first);
    }
  }
}

TEST_F(DecoderLoad, DamagedFilesNeverCrash) {
  std::mt19937 random(20240607);
  int loaded = 0, refused = 0;
  for (const char* name : {"llama", "gemma3"}) {
    const std::string whole = SmallModel(name).bytes();
    const std::size_t head = std::min<std::size_t>(whole.size(), 2600);  // most damage where the structure is
    for (int round = 0; round < 1000; ++round) {
      std::string bytes = whole;
      const int flips = 1 + static_cast<int>(random() % 3);
      for (int i = 0; i < flips; ++i)
        bytes[random() % (round % 4 == 0 ? bytes.size() : head)] ^= static_cast<char>(1u << (random() % 8));
      if (round % 10 == 0) bytes.resize(random() % bytes.size());
      auto model = load(bytes);
      if (model && (*model)->info().vocab_size >= 4) {
        (void)run(**model);  // may say no; must come back
        ++loaded;
      } else {
        ++refused;
      }
    }
  }
  EXPECT_GT(loaded, 100);
  EXPECT_GT(refused, 100);
}

TEST(Registry, NamesAreThere) {
  for (const char* name : {"llama", "gemma3", "bert"}) {
    const Architecture* a = find_architecture(name);
    ASSERT_NE(a, nullptr) << name;
    EXPECT_NE(a->load_model == nullptr, a->load_network == nullptr);
  }
  EXPECT_EQ(find_architecture("nonesuch"), nullptr);
}

}  // namespace
}  // namespace consort
