// Text encoders against float32 references (README.md), and their independence of neighbours.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/golden/rig.h"

namespace consort::golden {
namespace {

using nlohmann::json;
constexpr std::size_t kWidth = 384;
using Samples = std::vector<std::unique_ptr<Sample>>;

std::vector<json> records(const std::string& file) {
  std::vector<json> all;
  std::istringstream lines(read_text(data_path(file)));
  for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line));
  return all;
}

std::string id_of(const json& record) {
  return record["id"].is_string() ? record["id"].get<std::string>() : record["id"].dump();
}

// The recorded texts as samples.
struct Texts {
  std::vector<std::string> ids;
  Samples samples;
};
Texts recorded_texts(Rig& rig) {
  Texts texts;
  std::vector<std::string> kept;
  for (const json& record : records("all-minilm-l6-v2.texts.jsonl")) {
    const auto text = record["text"].get<std::string>();
    const NetworkInput input{.kind = InputKind::kText, .text = text};
    texts.ids.push_back(id_of(record));
    texts.samples.push_back(std::move(rig.prepare({&input, 1}).front()));
    const int tokens = record["tokens"].get<int>(), limit = rig.network().info().max_tokens;
    EXPECT_EQ(texts.samples.back()->tokens, std::min(tokens, limit)) << texts.ids.back();
    EXPECT_EQ(texts.samples.back()->truncated, tokens > limit) << texts.ids.back();
  }
  return texts;
}

struct Closeness {
  double worst = 0, lowest_cosine = 1, mean_cosine = 0;
};
Closeness compare(const std::vector<float>& ours, const std::vector<float>& expected) {
  Closeness c;
  EXPECT_EQ(ours.size(), expected.size());
  const std::size_t rows = std::min(ours.size(), expected.size()) / kWidth;
  for (std::size_t t = 0; t < rows; ++t) {
    double dot = 0, length = 0, ref_length = 0;
    for (std::size_t i = t * kWidth; i < (t + 1) * kWidth; ++i) {
      c.worst = std::max(c.worst, static_cast<double>(std::abs(ours[i] - expected[i])));
      dot += static_cast<double>(ours[i]) * expected[i];
      length += static_cast<double>(ours[i]) * ours[i];
      ref_length += static_cast<double>(expected[i]) * expected[i];
    }
    const double cosine = dot / std::sqrt(length * ref_length);
    c.lowest_cosine = std::min(c.lowest_cosine, cosine);
    c.mean_cosine += cosine / static_cast<double>(rows);
  }
  return c;
}

std::vector<float> reference(const std::string& file, const std::string& tensor) {
  return floats_of(*open_weights(data_path(file)).value(), tensor);
}

struct SentenceModel {
  const char* id;
  const char* tensors;  // in ID.embeddings.safetensors
  const char* layers;
  int max_tokens, layer_count;
  const char* pooling;
  double embedding, hidden;  // largest difference allowed
};

class SentenceEncoder : public ::testing::TestWithParam<SentenceModel> {
 protected:
  Rig& rig(int threads = 2) { return shared_rig(GetParam().id, threads); }
  std::vector<float> expected(const std::string& tensor) {
    return reference(std::string(GetParam().id) + ".embeddings.safetensors", tensor);
  }
};

TEST_P(SentenceEncoder, EmbeddingsMatchTheFloat32Reference) {
  EXPECT_EQ(rig().network().info().max_tokens, GetParam().max_tokens);
  EXPECT_EQ(rig().network().info().pooling, GetParam().pooling);
  const Texts texts = recorded_texts(rig());
  const Closeness c = compare(rig().embed(texts.samples), expected(GetParam().tensors));
  std::printf("%s: %zu texts, largest difference %.3g, lowest cosine 1 - %.2g\n", GetParam().id,
              texts.ids.size(), c.worst, 1 - c.lowest_cosine);
  EXPECT_LE(c.worst, GetParam().embedding);
  EXPECT_GE(c.lowest_cosine, 0.99999);
}

// Products in 16-bit integers: near the float32 reference, one text alone as in company, 1 thread as 2.
TEST(Int16Precision, EmbeddingsStayNearTheFloat32Reference) {
  const char* const id = "all-minilm-l6-v2";
  Rig rig(id, 2, Precision::kInt16), alone(id, 1, Precision::kInt16);
  const Texts texts = recorded_texts(rig);
  const auto ours = rig.embed(texts.samples);
  const Closeness c = compare(ours, reference(std::string(id) + ".embeddings.safetensors", "minilm.max256"));
  std::printf("%s int16: %zu texts, largest difference %.3g, lowest cosine 1 - %.2g\n", id, texts.ids.size(),
              c.worst, 1 - c.lowest_cosine);
  EXPECT_LE(c.worst, 5e-4);
  EXPECT_GE(c.lowest_cosine, 0.99999);
  EXPECT_TRUE(rig.network().info().weights_digest.ends_with(":int16"));
  for (const std::size_t t : {std::size_t{0}, texts.samples.size() / 2}) {
    const auto one = alone.embed({&texts.samples[t], 1});
    EXPECT_EQ(0, std::memcmp(one.data(), ours.data() + t * kWidth, kWidth * sizeof(float))) << texts.ids[t];
  }
}

TEST_P(SentenceEncoder, HiddenStatesMatchLayerByLayer) {
  int seen = 0;
  Texts texts = recorded_texts(rig());
  for (std::size_t t = 0; t < texts.ids.size(); ++t) {
    if (texts.ids[t] != "emoji" && texts.ids[t] != "para-1a") continue;
    const auto want = expected(GetParam().layers + ("." + texts.ids[t]));
    const std::size_t values = static_cast<std::size_t>(texts.samples[t]->tokens) * kWidth;
    ASSERT_EQ(want.size(), static_cast<std::size_t>(GetParam().layer_count + 1) * values);
    rig().network().set_layer_probe([&](int layer, TensorView x) {
      double worst = 0;
      for (std::size_t i = 0; i < values; ++i)
        worst = std::max(worst, static_cast<double>(std::abs(
                                    x.as<float>()[i] - want[static_cast<std::size_t>(layer) * values + i])));
      EXPECT_LE(worst, GetParam().hidden) << texts.ids[t] << " layer " << layer;
      ++seen;
    });
    rig().embed({&texts.samples[t], 1});
    rig().network().set_layer_probe(nullptr);
  }
  EXPECT_EQ(seen, 2 * (GetParam().layer_count + 1));
}

TEST_P(SentenceEncoder, NeighboursAndThreadsDoNotMatter) {
  const Texts texts = recorded_texts(rig());
  const auto together = rig().embed(texts.samples), single = rig(1).embed(texts.samples);
  EXPECT_EQ(0, std::memcmp(together.data(), single.data(), together.size() * sizeof(float))) << "1 thread";
  for (std::size_t t = 0; t < texts.samples.size(); t += 5) {
    const auto alone = rig().embed({&texts.samples[t], 1});
    EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + t * kWidth, kWidth * sizeof(float)))
        << texts.ids[t];
  }
}

// The int8 file's reference is float32 arithmetic over the dequantised weights. ONNX Runtime's own int8 route
// is up to 0.026 (cosine 0.987) away from it.
INSTANTIATE_TEST_SUITE_P(Models, SentenceEncoder,
                         ::testing::Values(SentenceModel{"all-minilm-l6-v2", "minilm.max256", "minilm.layers",
                                                         256, 6, "mean", 2e-5, 5e-5},
                                           SentenceModel{"bge-small-en-v1.5", "bge.f32_dequant",
                                                         "bge.f32_dequant.layers", 512, 12, "cls", 1e-4,
                                                         2e-3}),
                         [](const auto& info) { return std::string(info.param.pooling); });

TEST(TokenStates, MatchTheFloat32Reference) {
  Rig& rig = shared_rig("answerai-colbert-small-v1");
  EXPECT_EQ(rig.network().info().level, EmbeddingLevel::kPart);
  double worst = 0, lowest = 1;
  int texts = 0;
  for (const json& record : records("answerai-colbert-small-v1.texts.jsonl")) {
    const auto text = record["text"].get<std::string>();
    const NetworkInput input{.kind = InputKind::kText, .text = text};
    const Samples samples = rig.prepare({&input, 1});
    ASSERT_EQ(static_cast<std::size_t>(samples[0]->tokens), record["ids"].size());
    const Closeness c =
        compare(rig.embed(samples, EmbeddingLevel::kPart),
                reference("answerai-colbert-small-v1.states.safetensors", id_of(record) + ".f32_dequant"));
    worst = std::max(worst, c.worst);
    lowest = std::min(lowest, c.lowest_cosine);
    ++texts;
  }
  std::printf("token states: %d texts, largest difference %.3g, lowest cosine 1 - %.2g\n", texts, worst,
              1 - lowest);
  EXPECT_EQ(texts, 10);
  EXPECT_LE(worst, 5e-3);  // ONNX Runtime's int8: 1.15
  EXPECT_GE(lowest, 0.9999);
  const NetworkInput word{.kind = InputKind::kText, .text = "cat"};
  const Samples one = rig.prepare({&word, 1});
  EXPECT_THROW(rig.embed(one), std::runtime_error) << "the model has no vector for a whole text";
}

TEST(Reranker, LogitsMatchTheFloat32Reference) {
  Rig& rig = shared_rig("ms-marco-minilm-l12-v2");
  EXPECT_EQ(rig.network().info().classes, 1);
  const auto pairs = records("ms-marco-minilm-l12-v2.pairs.jsonl");
  Samples samples;
  for (const json& p : pairs) {
    const auto query = p["query"].get<std::string>(), passage = p["passage"].get<std::string>();
    const NetworkInput input{.kind = InputKind::kPair, .text = query, .passage = passage};
    samples.push_back(std::move(rig.prepare({&input, 1}).front()));
    EXPECT_EQ(samples.back()->tokens, p["used"].get<int>()) << id_of(p);
    EXPECT_EQ(samples.back()->truncated, p["used"] != p["tokens"]) << id_of(p);
  }
  const auto logits = rig.classify(samples);
  double worst = 0, sum = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const double off = std::abs(logits[i] - pairs[i]["logit_f32_dequant"].get<double>());
    worst = std::max(worst, off);
    sum += off;
    const auto alone = rig.classify({&samples[i], 1});
    EXPECT_EQ(alone[0], logits[i]) << "neighbours matter for " << id_of(pairs[i]);
  }
  std::printf("reranker: %zu pairs, logits differ by %.3g at most, %.3g in the mean\n", pairs.size(), worst,
              sum / static_cast<double>(pairs.size()));
  EXPECT_LE(worst, 5e-3);  // ONNX Runtime's int8: 0.69
  const NetworkInput text{.kind = InputKind::kText, .text = "not a pair"};
  EXPECT_FALSE(rig.network().prepare(text));
}

// MaxSim over the normalised token states, [CLS] and [SEP] included, no markers.
TEST(TokenStates, MaxSimMatchesTheReference) {
  Rig& rig = shared_rig("answerai-colbert-small-v1");
  const auto states = [&](const std::string& text) {
    const NetworkInput input{.kind = InputKind::kText, .text = text};
    auto rows = rig.embed(rig.prepare({&input, 1}), EmbeddingLevel::kPart);
    for (std::size_t r = 0; r < rows.size(); r += kWidth) {
      double length = 0;
      for (std::size_t i = r; i < r + kWidth; ++i) length += static_cast<double>(rows[i]) * rows[i];
      for (std::size_t i = r; i < r + kWidth; ++i) rows[i] = static_cast<float>(rows[i] / std::sqrt(length));
    }
    return rows;
  };
  int compared = 0;
  for (const json& p : records("ms-marco-minilm-l12-v2.pairs.jsonl")) {
    if (!p.contains("maxsim_384")) continue;
    const auto query = states(p["query"].get<std::string>()),
               passage = states(p["passage"].get<std::string>());
    double score = 0;
    for (std::size_t q = 0; q < query.size(); q += kWidth) {
      double best = -2;
      for (std::size_t d = 0; d < passage.size(); d += kWidth) {
        double dot = 0;
        for (std::size_t i = 0; i < kWidth; ++i) dot += static_cast<double>(query[q + i]) * passage[d + i];
        best = std::max(best, dot);
      }
      score += best;
    }
    EXPECT_NEAR(score, p["maxsim_384"].get<double>(), 1e-3) << id_of(p);
    ++compared;
  }
  EXPECT_EQ(compared, 40);
}

}  // namespace
}  // namespace consort::golden
