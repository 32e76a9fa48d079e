// A small decoder made in memory by tests, whose pieces a test can change before it is written.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "models/formats/testing/synthetic_files.h"

namespace consort::testing {

inline constexpr int kWidth = 32, kHeads = 2, kKvHeads = 1, kHeadDim = 16, kFeedForward = 48, kVocab = 40,
              kLayers = 2;

struct SmallModel {
  std::string architecture = "llama";
  std::vector<std::pair<std::string, std::uint32_t>> numbers;
  std::vector<std::pair<std::string, float>> reals;
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors;  // ne order

  explicit SmallModel(std::string name) : architecture(std::move(name)) {
    const bool gemma = architecture == "gemma3";
    numbers = {{"block_count", kLayers},          {"context_length", 64},
               {"embedding_length", kWidth},      {"feed_forward_length", kFeedForward},
               {"attention.head_count", kHeads},  {"attention.head_count_kv", kKvHeads},
               {"attention.key_length", kHeadDim}};
    if (gemma) numbers.emplace_back("attention.sliding_window", 8);
    reals = {{"attention.layer_norm_rms_epsilon", 1e-5f}, {"rope.freq_base", 1e4f}};
    tensors = {{"token_embd.weight", {kWidth, kVocab}}, {"output_norm.weight", {kWidth}}};
    for (int i = 0; i < kLayers; ++i) add_layer("blk." + std::to_string(i) + ".", gemma);
  }
  void add_layer(const std::string& p, bool gemma) {
    constexpr int q = kHeads * kHeadDim, kv = kKvHeads * kHeadDim;
    const std::vector<std::pair<std::string, std::vector<std::uint64_t>>> parts = {
        {"attn_norm", {kWidth}},
        {"attn_q", {kWidth, q}},
        {"attn_k", {kWidth, kv}},
        {"attn_v", {kWidth, kv}},
        {"attn_output", {q, kWidth}},
        {"ffn_norm", {kWidth}},
        {"ffn_gate", {kWidth, kFeedForward}},
        {"ffn_up", {kWidth, kFeedForward}},
        {"ffn_down", {kFeedForward, kWidth}}};
    for (const auto& [name, ne] : parts) tensors.emplace_back(p + name + ".weight", ne);
    if (!gemma) return;
    for (const char* name : {"attn_q_norm", "attn_k_norm"})
      tensors.emplace_back(p + name + ".weight", std::vector<std::uint64_t>{kHeadDim});
    for (const char* name : {"post_attention_norm", "post_ffw_norm"})
      tensors.emplace_back(p + name + ".weight", std::vector<std::uint64_t>{kWidth});
  }
  void set(const std::string& key, std::uint32_t value) {
    for (auto& [name, number] : numbers)
      if (name == key) {
        number = value;
        return;
      }
    numbers.emplace_back(key, value);
  }
  std::string bytes() const {
    GgufBuilder b;
    b.text("general.architecture", architecture);
    for (const auto& [key, value] : numbers) b.u32(architecture + "." + key, value);
    for (const auto& [key, value] : reals) b.f32(architecture + "." + key, value);
    for (const auto& [key, value] : texts) b.text(architecture + "." + key, value);
    std::mt19937 random(7);
    std::normal_distribution<float> normal(0.0f, 0.2f);
    for (const auto& [name, ne] : tensors) {
      std::size_t n = 1;
      for (const auto d : ne) n *= d;
      std::string data;
      for (std::size_t i = 0; i < n; ++i)
        append(data, (ne.size() == 1 ? 1.0f : 0.0f) + normal(random));
      b.tensor(name, 0, ne, data);
    }
    return b.bytes();
  }
};

}  // namespace consort::testing
