// Magika against its package: features, probabilities and labels of every recorded file.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/arch/magika/features.h"
#include "models/arch/magika/rules.h"
#include "tests/golden/rig.h"

namespace consort::golden {
namespace {

using nlohmann::json;
const char* const kModel = "magika";

struct File {
  json record;
  std::string bytes;
  NetworkInput input() const {
    return {.kind = InputKind::kFile, .bytes = std::as_bytes(std::span(bytes)), .name = ""};
  }
};

std::vector<File> files() {
  std::vector<File> all;
  std::istringstream lines(read_text(data_path("magika.predictions.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    File file{json::parse(line), {}};
    file.bytes = read_text(data_path(file.record["file"].get<std::string>()));
    EXPECT_EQ(file.bytes.size(), file.record["bytes"].get<std::size_t>()) << file.record["id"];
    all.push_back(std::move(file));
  }
  return all;
}

std::vector<double> softmax(std::span<const float> logits) {
  double best = -1e30, sum = 0;
  for (const float l : logits) best = std::max(best, static_cast<double>(l));
  std::vector<double> p;
  for (const float l : logits) sum += p.emplace_back(std::exp(l - best));
  for (double& v : p) v /= sum;
  return p;
}

TEST(Magika, FeaturesAreExact) {
  const auto source = open_weights(data_path("magika.network.safetensors")).value();
  const TensorEntry* features = source->find("features");
  ASSERT_TRUE(features != nullptr && features->view.dtype == DType::kI16);
  int compared = 0;
  for (const File& file : files()) {
    const auto ours = magika::read_features(std::as_bytes(std::span(file.bytes)));
    EXPECT_EQ(ours.label.empty(), file.record["network"].get<bool>()) << file.record["id"];
    if (!ours.label.empty()) continue;
    const auto* row =
        features->view.as<const std::byte>() + file.record["row"].get<std::size_t>() * sizeof ours.tokens;
    EXPECT_EQ(0, std::memcmp(row, ours.tokens.data(), sizeof ours.tokens)) << file.record["id"];
    ++compared;
  }
  EXPECT_EQ(compared, 72);
}

TEST(Magika, ProbabilitiesMatchTheReference) {
  Rig& rig = shared_rig(kModel);
  const auto source = open_weights(data_path("magika.network.safetensors")).value();
  const auto expected = floats_of(*source, "softmax");
  const auto classes = static_cast<std::size_t>(rig.network().info().classes);
  ASSERT_EQ(classes, 214u);
  double worst = 0, worst_written = 0;
  for (const File& file : files()) {
    if (!file.record["network"].get<bool>()) continue;
    const NetworkInput input = file.input();
    const auto p = softmax(rig.classify(rig.prepare({&input, 1})));
    const std::size_t row = file.record["row"].get<std::size_t>() * classes;
    for (std::size_t c = 0; c < classes; ++c) {
      const double off = std::abs(p[c] - expected[row + c]);
      worst = std::max(worst, off);
      if (file.record.contains("written_as")) worst_written = std::max(worst_written, off);
    }
  }
  std::printf("magika: probabilities differ by %.3g at most, %.3g on written files\n", worst, worst_written);
  EXPECT_LE(worst, 1e-3);
  EXPECT_LE(worst_written, 1e-4);
}

TEST(Magika, EveryLabelInEveryMode) {
  Rig& rig = shared_rig(kModel);
  const auto rules = magika::Rules::load(model_path(kModel)).value();
  for (const File& file : files()) {
    const json& want = file.record;
    const NetworkInput input = file.input();
    const auto samples = rig.prepare({&input, 1});
    const auto without = rig.network().decided(*samples[0]);
    ASSERT_EQ(!without, want["network"].get<bool>()) << want["id"];
    if (without) {
      EXPECT_EQ(without->labels.at(0).label, want["output_label"]) << want["id"];
      continue;
    }
    const auto logits = rig.classify(samples);
    const Decision decision = rig.network().decide(*samples[0], logits, 5);
    EXPECT_EQ(decision.labels.at(0).label, want["output_label"]) << want["id"];
    EXPECT_EQ(decision.reason.empty() ? "none" : decision.reason, want["overwrite_reason"]) << want["id"];
    EXPECT_NEAR(decision.labels.at(0).score, want["score"].get<double>(), 1e-3) << want["id"];
    ASSERT_EQ(decision.raw.size(), 5u);
    EXPECT_EQ(decision.raw[0].label, want["dl_label"]) << want["id"];
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_NEAR(decision.raw[i].score, want["top5"][i]["p"].get<double>(), 1e-3) << want["id"];
    const auto p = softmax(logits);
    EXPECT_EQ(rules.decide(p, magika::Mode::kMediumConfidence, 1).labels.at(0).label,
              want["output_medium_confidence"])
        << want["id"];
    EXPECT_EQ(rules.decide(p, magika::Mode::kBestGuess, 1).labels.at(0).label, want["output_best_guess"])
        << want["id"];
  }
}

TEST(Magika, NeighboursAndThreadsDoNotMatter) {
  Rig &two = shared_rig(kModel), &one = shared_rig(kModel, 1);
  const auto all = files();
  std::vector<NetworkInput> inputs;
  for (std::size_t i = 0; i < 6; ++i) inputs.push_back(all[i].input());
  const auto samples = two.prepare(inputs);
  const auto together = two.classify(samples);
  EXPECT_EQ(together, one.classify(one.prepare(inputs)));
  const auto alone = two.classify({&samples[3], 1});
  EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + 3 * alone.size(), alone.size() * sizeof(float)));
}

}  // namespace
}  // namespace consort::golden
