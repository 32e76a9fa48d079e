// Loading sentence encoders from small synthetic folders: what fits runs, what does not is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "models/arch/bert/text_sample.h"
#include "models/arch/registry.h"
#include "models/formats/testing/synthetic_files.h"
#include "models/packed/packed_cache.h"

namespace consort {
namespace {

using testing::TemporaryFolder;

constexpr int kWidth = 32, kHeads = 2, kHidden = 40, kVocab = 50, kPositions = 24;

struct SmallBert {
  std::map<std::string, std::string> config = {
      {"model_type", "\"bert\""}, {"hidden_size", "32"},       {"num_attention_heads", "2"},
      {"num_hidden_layers", "1"}, {"intermediate_size", "40"}, {"vocab_size", "50"},
      {"hidden_act", "\"gelu\""}, {"layer_norm_eps", "1e-12"}, {"max_position_embeddings", "24"}};
  std::map<std::string, std::vector<int>> tensors;

  SmallBert() {
    const std::string e = "embeddings.", l = "encoder.layer.0.";
    tensors[e + "word_embeddings.weight"] = {kVocab, kWidth};
    tensors[e + "position_embeddings.weight"] = {kPositions, kWidth};
    tensors[e + "token_type_embeddings.weight"] = {2, kWidth};
    norm(e + "LayerNorm");
    for (const char* name : {"query", "key", "value"}) affine(l + "attention.self." + name, kWidth, kWidth);
    affine(l + "attention.output.dense", kWidth, kWidth);
    norm(l + "attention.output.LayerNorm");
    affine(l + "intermediate.dense", kHidden, kWidth);
    affine(l + "output.dense", kWidth, kHidden);
    norm(l + "output.LayerNorm");
  }
  void affine(const std::string& name, int rows, int cols) {
    tensors[name + ".weight"] = {rows, cols};
    tensors[name + ".bias"] = {rows};
  }
  void norm(const std::string& name) {
    tensors[name + ".weight"] = {kWidth};
    tensors[name + ".bias"] = {kWidth};
  }
  std::string config_json() const {
    std::string text;
    for (const auto& [key, value] : config) text += (text.empty() ? "{\"" : ",\"") + key + "\":" + value;
    return text + "}";
  }
  std::string weights() const {
    std::mt19937 random(11);
    std::normal_distribution<float> normal(0.0f, 0.3f);
    std::string header, data;
    for (const auto& [name, shape] : tensors) {
      const std::size_t begin = data.size();
      const int n = shape.size() == 2 ? shape[0] * shape[1] : shape[0];
      for (int i = 0; i < n; ++i) testing::append(data, normal(random));
      const std::string dims =
          std::to_string(shape[0]) + (shape.size() == 2 ? "," + std::to_string(shape[1]) : "");
      header += (header.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":"F32","shape":[)" + dims +
                R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
    }
    return testing::safetensors_bytes(header + "}", data);
  }
};

class BertLoad : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Network>> load(const SmallBert& bert, const std::string& settings = {},
                                        const std::string& pooling = {}) {
    folder_ = std::make_unique<TemporaryFolder>();
    folder_->file("config.json", bert.config_json());
    folder_->file("model.safetensors", bert.weights());
    if (!settings.empty()) folder_->file("sentence_bert_config.json", settings);
    std::filesystem::create_directory(folder_->path() + "/1_Pooling");
    if (!pooling.empty()) folder_->file("1_Pooling/config.json", pooling);
    CONSORT_TRY(source, open_weights(folder_->path()));
    LoadContext context{exec_, *pool_, "small", precision_, packed_.get()};
    return find_architecture("bert")->load_network(std::shared_ptr<const WeightSource>(std::move(source)),
                                                   nullptr, context);
  }

  static bert::TextSample text(std::vector<TokenId> ids) {
    bert::TextSample sample;
    sample.ids = std::move(ids);
    sample.tokens = sample.second = static_cast<int>(sample.ids.size());
    return sample;
  }

  std::vector<float> rows_of(Network& encoder) {
    const auto a = text({1, 2, 3}), b = text({49});
    const Sample* const texts[] = {&a, &b};
    std::vector<float> out(2 * kWidth);
    NetworkOutput output{EmbeddingLevel::kItem, make_view(out.data(), DType::kF32, {2, kWidth}), {}};
    EXPECT_TRUE(encoder.forward(exec_, texts, output));
    return out;
  }

  Precision precision_ = Precision::kFile;
  std::unique_ptr<PackedCache> packed_;
  std::unique_ptr<TemporaryFolder> folder_;
  std::unique_ptr<DevicePool> pool_ = DevicePool::create_cpu(std::size_t{1} << 30).value();
  ThreadPool threads_{2};
  ScratchArena scratch_{*pool_, Owner{"activations", "test"}};
  Exec exec_{threads_, scratch_};
};

TEST_F(BertLoad, ASmallEncoderRuns) {
  auto encoder = load(SmallBert(), R"({"max_seq_length": 9})", R"({"pooling_mode_mean_tokens": true})");
  ASSERT_TRUE(encoder) << encoder.error().line();
  EXPECT_EQ((*encoder)->info().max_tokens, 9);
  EXPECT_EQ((*encoder)->info().dimension, kWidth);
  EXPECT_EQ((*encoder)->info().flop_per_token, 2.0 * (4 * kWidth * kWidth + 2 * kWidth * kHidden));
  const std::vector<float> out = rows_of(**encoder);
  for (int t = 0; t < 2; ++t) {
    double length = 0;
    for (int i = 0; i < kWidth; ++i) length += std::pow(out[static_cast<std::size_t>(t * kWidth + i)], 2);
    EXPECT_NEAR(length, 1.0, 1e-5);
  }
}

TEST_F(BertLoad, WrongInputIsAnError) {
  auto encoder = load(SmallBert(), R"({"max_seq_length": 9})");
  ASSERT_TRUE(encoder) << encoder.error().line();
  std::vector<float> out(kWidth);
  const auto refused = [&](std::vector<TokenId> ids) {
    const auto sample = text(std::move(ids));
    const Sample* const samples[] = {&sample};
    NetworkOutput output{EmbeddingLevel::kItem, make_view(out.data(), DType::kF32, {1, kWidth}), {}};
    const Status s = (*encoder)->forward(exec_, samples, output);
    return !s && s.error().kind == ErrorKind::kInvalid;
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({1, -1, 2}));
  EXPECT_TRUE(refused({1, kVocab, 2}));
  EXPECT_TRUE(refused(std::vector<TokenId>(10, 1)));
  EXPECT_FALSE(refused(std::vector<TokenId>(9, 1)));
  NetworkOutput nothing{EmbeddingLevel::kItem, make_view(nullptr, DType::kF32, {0, kWidth}), {}};
  EXPECT_TRUE((*encoder)->forward(exec_, {}, nothing));
  NetworkOutput scores{EmbeddingLevel::kItem, {}, make_view(out.data(), DType::kF32, {0, 1})};
  EXPECT_EQ((*encoder)->forward(exec_, {}, scores).error().kind, ErrorKind::kUnsupported);
}

TEST_F(BertLoad, PairsAreCutLongestFirst) {
  const auto kept = [](std::size_t query, std::size_t passage) {
    const bert::PairCut cut = bert::cut_pair(query, passage, 509);
    return std::pair(cut.query, cut.passage);
  };
  EXPECT_EQ(kept(9, 500), std::pair(std::size_t{9}, std::size_t{500}));
  EXPECT_EQ(kept(9, 501), std::pair(std::size_t{9}, std::size_t{500}));
  EXPECT_EQ(kept(600, 9), std::pair(std::size_t{500}, std::size_t{9}));
  EXPECT_EQ(kept(300, 400), std::pair(std::size_t{254}, std::size_t{255}));
  EXPECT_EQ(kept(400, 300), std::pair(std::size_t{255}, std::size_t{254}));
  EXPECT_EQ(kept(300, 300), std::pair(std::size_t{254}, std::size_t{255}));
}

TEST_F(BertLoad, WhatIsNotKnownIsRefused) {
  SmallBert tanh_gelu;
  tanh_gelu.config["hidden_act"] = "\"gelu_new\"";
  const auto activation = load(tanh_gelu);
  ASSERT_FALSE(activation);
  EXPECT_EQ(activation.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(activation.error().line().find("gelu_new"), std::string::npos);
  const auto pooling = load(SmallBert(), {}, R"({"pooling_mode_max_tokens": true})");
  ASSERT_FALSE(pooling);
  EXPECT_NE(pooling.error().line().find("max_tokens"), std::string::npos);
  EXPECT_EQ(load(SmallBert(), {}, R"({"pooling_mode_cls_token": true})").value()->info().pooling, "cls");
  for (const char* settings : {"[]", "{", R"({"max_seq_length": -1})", R"({"max_seq_length": "x"})"}) {
    const auto bad = load(SmallBert(), settings);
    ASSERT_FALSE(bad) << settings;
    EXPECT_EQ(bad.error().kind, ErrorKind::kCorrupt);
  }
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"num_attention_heads", "3"},
                                          {"hidden_size", "64"},
                                          {"num_hidden_layers", "2"},
                                          {"vocab_size", "51"},
                                          {"max_position_embeddings", "1000000000"}}) {
    SmallBert wrong;
    wrong.config[key] = value;
    EXPECT_FALSE(load(wrong)) << key;
  }
}

TEST_F(BertLoad, EveryMissingTensorIsNamed) {
  const SmallBert whole;
  for (const auto& [name, shape] : whole.tensors) {
    SmallBert part = whole;
    part.tensors.erase(name);
    const auto loaded = load(part);
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().kind, ErrorKind::kNotFound);
    EXPECT_NE(loaded.error().line().find(name), std::string::npos) << loaded.error().line();
  }
}

TEST_F(BertLoad, PackedEarlierTheNumbersAreTheSameInBothPrecisions) {
  const TemporaryFolder kept;
  PackedCacheOptions options;
  options.folder = kept.path() + "/packed";
  options.least_bytes = options.spare_bytes = 0;
  for (const Precision precision : {Precision::kFile, Precision::kInt16}) {
    precision_ = precision;
    packed_.reset();
    auto anew = load(SmallBert());
    ASSERT_TRUE(anew) << anew.error().line();
    const auto expected = rows_of(**anew);
    packed_ = std::make_unique<PackedCache>(options);
    for (const char* round : {"packs", "maps"}) {
      auto encoder = load(SmallBert());
      ASSERT_TRUE(encoder) << encoder.error().line();
      EXPECT_EQ(rows_of(**encoder), expected) << round;
      EXPECT_EQ((*encoder)->info().weights_digest, (*anew)->info().weights_digest);
      EXPECT_EQ((*encoder)->info().weight_bytes, (*anew)->info().weight_bytes);
      std::size_t files = 0;
      for (const OwnerStats& owner : pool_->stats().owners) files += owner.file_bytes;
      EXPECT_EQ(files > 0, std::string_view(round) == "maps");
    }
  }
}

}  // namespace
}  // namespace consort
