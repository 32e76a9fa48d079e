// MiniLM against float32 references (README.md), and its independence of neighbours.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/golden/rig.h"

namespace consort::golden {
namespace {

const char* const kModel = "all-minilm-l6-v2";
constexpr std::size_t kWidth = 384;

struct Text {
  std::string id;
  std::vector<std::int32_t> ids;
};

// The recorded texts as token ids, cut as the reference cuts: the first limit - 1 tokens, then [SEP].
std::vector<Text> recorded_texts(Rig& rig, std::size_t limit) {
  std::vector<Text> texts;
  std::istringstream lines(read_text(data_path(std::string(kModel) + ".texts.jsonl")));
  std::string line;
  while (std::getline(lines, line)) {
    const auto record = nlohmann::json::parse(line);
    Text text{record["id"].is_string() ? record["id"].get<std::string>() : record["id"].dump(),
              rig.tokenizer().encode(record["text"].get<std::string>(),
                                     {.add_special = true, .parse_special = true})};
    EXPECT_EQ(text.ids.size(), record["tokens"].get<std::size_t>()) << text.id;
    if (text.ids.size() > limit) {
      const std::int32_t end = text.ids.back();
      text.ids.resize(limit - 1);
      text.ids.push_back(end);
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

std::vector<float> embed(Rig& rig, const std::vector<Text>& texts) {
  std::vector<std::span<const std::int32_t>> spans;
  for (const Text& t : texts) spans.emplace_back(t.ids);
  std::vector<float> out(texts.size() * kWidth);
  const Status done = rig.encoder().embed(
      rig.exec(), spans,
      make_view(out.data(), DType::kF32, {std::ssize(texts), static_cast<std::int64_t>(kWidth)}));
  EXPECT_TRUE(done) << done.error().line();
  return out;
}

TEST(MiniLm, EmbeddingsMatchTheReference) {
  Rig& rig = shared_rig(kModel);
  EXPECT_EQ(rig.encoder().info().max_tokens, 256);
  const auto ref = open_weights(data_path(std::string(kModel) + ".embeddings.safetensors")).value();
  const auto expected = floats_of(*ref, "minilm.max256");
  const auto texts = recorded_texts(rig, 256);
  ASSERT_EQ(texts.size() * kWidth, expected.size());
  const auto ours = embed(rig, texts);
  double worst = 0, lowest_cosine = 1;
  for (std::size_t t = 0; t < texts.size(); ++t) {
    double dot = 0, length = 0, ref_length = 0;
    for (std::size_t i = t * kWidth; i < (t + 1) * kWidth; ++i) {
      worst = std::max(worst, static_cast<double>(std::abs(ours[i] - expected[i])));
      dot += static_cast<double>(ours[i]) * expected[i];
      length += static_cast<double>(ours[i]) * ours[i];
      ref_length += static_cast<double>(expected[i]) * expected[i];
    }
    lowest_cosine = std::min(lowest_cosine, dot / std::sqrt(length * ref_length));
  }
  std::printf("MiniLM: %zu texts, largest difference %.3g, lowest cosine 1 - %.2g\n", texts.size(), worst,
              1 - lowest_cosine);
  EXPECT_LE(worst, 2e-5);
  EXPECT_GE(lowest_cosine, 0.99999);
}

TEST(MiniLm, HiddenStatesMatchLayerByLayer) {
  Rig& rig = shared_rig(kModel);
  const auto ref = open_weights(data_path(std::string(kModel) + ".embeddings.safetensors")).value();
  int seen = 0;
  for (const Text& text : recorded_texts(rig, 256)) {
    if (text.id != "emoji" && text.id != "para-1a") continue;
    const auto expected = floats_of(*ref, "minilm.layers." + text.id);
    ASSERT_EQ(expected.size(), 7 * text.ids.size() * kWidth);
    rig.encoder().set_layer_probe([&](int layer, TensorView x) {
      const float* want = expected.data() + static_cast<std::size_t>(layer) * text.ids.size() * kWidth;
      double worst = 0;
      for (std::size_t i = 0; i < text.ids.size() * kWidth; ++i)
        worst = std::max(worst, static_cast<double>(std::abs(x.as<float>()[i] - want[i])));
      EXPECT_LE(worst, 5e-5) << text.id << " layer " << layer;
      ++seen;
    });
    embed(rig, {text});
    rig.encoder().set_layer_probe(nullptr);
  }
  EXPECT_EQ(seen, 14);
}

TEST(MiniLm, NeighboursAndThreadsDoNotMatter) {
  Rig &two = shared_rig(kModel), &one = shared_rig(kModel, 1);
  const auto texts = recorded_texts(two, 256);
  const auto together = embed(two, texts), single = embed(one, texts);
  EXPECT_EQ(0, std::memcmp(together.data(), single.data(), together.size() * sizeof(float))) << "1 thread";
  for (std::size_t t = 0; t < texts.size(); t += 5) {
    const auto alone = embed(two, {texts[t]});
    EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + t * kWidth, kWidth * sizeof(float)))
        << texts[t].id;
  }
}

TEST(MiniLm, WrongInputIsAnError) {
  Rig& rig = shared_rig(kModel);
  std::vector<float> out(kWidth);
  const auto view = make_view(out.data(), DType::kF32, {1, static_cast<std::int64_t>(kWidth)});
  const auto refused = [&](std::vector<std::int32_t> ids) {
    const std::span<const std::int32_t> text(ids);
    const Status s = rig.encoder().embed(rig.exec(), {&text, 1}, view);
    return !s && s.error().kind == ErrorKind::kInvalid;
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({101, -1, 102}));
  EXPECT_TRUE(refused({101, 30522, 102}));
  EXPECT_TRUE(refused(std::vector<std::int32_t>(513, 101)));
  EXPECT_TRUE(rig.encoder().embed(rig.exec(), {},
                                  make_view(nullptr, DType::kF32, {0, static_cast<std::int64_t>(kWidth)})));
}

}  // namespace
}  // namespace consort::golden
