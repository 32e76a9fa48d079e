// EfficientNet-Lite0 from the encoded file on, against torch (README.md).
#include <cmath>
#include <cstdio>

#include "tests/golden/vision/network_rig.h"

namespace consort::golden {
namespace {

constexpr std::size_t kClasses = 1000, kFeatures = 1280;

std::string weights_path() {
  return model_path("efficientnet-lite0") + "/efficientnet-lite0-57934424.pth";
}

NetworkRig& shared() {
  static NetworkRig rig(weights_path());
  return rig;
}

struct Picture {
  std::string name;
  std::unique_ptr<Sample> sample;
  std::size_t row = 0;
  nlohmann::json record;
};

std::vector<Picture> edge_cases(NetworkRig& rig) {
  std::vector<Picture> pictures;
  for (auto& record : json_lines("edge-cases.jsonl"))
    if (record["expect"] == "ok")
      pictures.push_back(
          {record["file"], rig.picture(file_text(vision_path(record["file"]))), record["row"], record});
  return pictures;
}

std::vector<Picture> photos(NetworkRig& rig) {
  std::vector<Picture> pictures;
  for (auto& record : json_lines("photos.jsonl"))
    pictures.push_back({record["id"], rig.picture(file_text(vision_path(record["source"]["stored"]))),
                        record["row"], record});
  return pictures;
}

double worst(std::span<const float> ours, std::span<const float> theirs) {
  EXPECT_EQ(ours.size(), theirs.size());
  double most = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (std::isnan(ours[i])) return INFINITY;
    most = std::max(most, std::abs(static_cast<double>(ours[i]) - theirs[i]));
  }
  return most;
}

void compare(NetworkRig& rig, const std::vector<Picture>& pictures, const std::string& prefix) {
  const auto recorded = open_weights(vision_path("efficientnet-lite0.safetensors")).value();
  const auto logits = floats_of(*recorded, prefix + "logits"),
             features = floats_of(*recorded, prefix + "features");
  std::vector<const Sample*> samples;
  for (const Picture& p : pictures) samples.push_back(p.sample.get());
  const Answers answers = rig.run(samples);
  double worst_logit = 0, worst_feature = 0;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Picture& p = pictures[i];
    const std::span<const float> ours = std::span(answers.logits).subspan(i * kClasses, kClasses);
    const double l = worst(ours, std::span(logits).subspan(p.row * kClasses, kClasses));
    const double f = worst(std::span(answers.embeddings).subspan(i * kFeatures, kFeatures),
                           std::span(features).subspan(p.row * kFeatures, kFeatures));
    EXPECT_LE(l, 1e-3) << p.name;
    EXPECT_LE(f, 5e-4) << p.name;
    worst_logit = std::max(worst_logit, l);
    worst_feature = std::max(worst_feature, f);
    const Decision decision = rig.network().decide(*p.sample, ours, 5);
    ASSERT_EQ(decision.raw.size(), 5u);
    for (std::size_t k = 0; k < 5; ++k) {
      const auto& top = p.record["top5"][k];
      EXPECT_EQ(decision.raw[k].label, rig.network().info().labels[top["index"].get<std::size_t>()])
          << p.name;
      EXPECT_NEAR(decision.raw[k].score, top["probability"].get<double>(), 1e-3) << p.name;
    }
  }
  std::printf("EfficientNet-Lite0: %zu pictures, largest difference: logits %.2g, features %.2g\n",
              pictures.size(), worst_logit, worst_feature);
}

TEST(EfficientNetLite, PhotosMatchTheReference) {
  compare(shared(), photos(shared()), "");
  const NetworkInfo& info = shared().network().info();
  EXPECT_EQ(info.labels.size(), kClasses);
  EXPECT_EQ(info.labels[0], "tench");
  EXPECT_EQ(info.labels[999], "toilet tissue");
}

TEST(EfficientNetLite, EdgeCasesMatchTheReference) {
  compare(shared(), edge_cases(shared()), "edge.");
}

// All channels of three pixels of every layer's output.
TEST(EfficientNetLite, EveryLayerMatchesTheTrace) {
  NetworkRig& rig = shared();
  const auto recorded = open_weights(vision_path("efficientnet-lite0.safetensors")).value();
  std::vector<std::vector<float>> seen;
  rig.network().set_layer_probe([&](int layer, TensorView x) {
    EXPECT_EQ(layer, static_cast<int>(seen.size()));
    const std::int64_t side = std::llround(std::sqrt(static_cast<double>(x.rows())));
    std::vector<float> pixels;
    for (const std::int64_t row : {std::int64_t{0}, side / 2 * side + side / 2, side * side - 1})
      for (std::int64_t c = 0; c < x.cols(); ++c) pixels.push_back(x.as<float>()[row * x.cols() + c]);
    seen.push_back(std::move(pixels));
  });
  std::vector<std::unique_ptr<Sample>> one;
  one.push_back(rig.picture(file_text(vision_path("photos/chelsea.png"))));
  rig.run(one);
  rig.network().set_layer_probe(nullptr);
  ASSERT_EQ(seen.size(), 18u);
  for (std::size_t layer = 0; layer < seen.size(); ++layer) {
    char block[24];
    std::snprintf(block, sizeof block, "block%02d", static_cast<int>(layer) - 1);
    const std::string name = layer == 0 ? "stem" : layer == 17 ? "head" : block;
    EXPECT_LE(worst(seen[layer], floats_of(*recorded, "trace.chelsea." + name)), 1e-3) << name;
  }
}

TEST(EfficientNetLite, ResultsDoNotDependOnNeighboursThreadsOrInstructions) {
  const auto all = edge_cases(shared());
  std::vector<const Sample*> samples;
  for (std::size_t i = 0; i < 7; ++i) samples.push_back(all[i * 4].sample.get());
  const Answers together = shared().run(samples);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Answers alone = shared().run(std::span(samples).subspan(i, 1));
    EXPECT_EQ(alone.logits,
              std::vector<float>(together.logits.begin() + static_cast<std::ptrdiff_t>(i * kClasses),
                                 together.logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * kClasses)));
  }
  for (const Isa isa : {Isa::kAvx2, Isa::kScalar}) {
    if (!isa_supported(isa)) continue;
    NetworkRig other(weights_path(), 1, isa);
    const Answers answers = other.run(std::span(samples).subspan(0, 2));
    EXPECT_EQ(answers.logits,
              std::vector<float>(together.logits.begin(),
                                 together.logits.begin() + 2 * static_cast<std::ptrdiff_t>(kClasses)));
  }
}

}  // namespace
}  // namespace consort::golden
