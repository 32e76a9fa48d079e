// Decoder: a causal transformer with pre-norms, rotary attention over a paged cache and a gated feed-forward
// block. Architectures (models/arch/llama, gemma3) read their hyper-parameters and tensors into these plain
// structs; the forward pass is one for all. Sources: Vaswani et al. 2017; Touvron et al. 2023 (LLaMA);
// Gemma Team 2025 (Gemma 3: norms of queries and keys, post-norms, sliding windows).
#pragma once

#include <memory>
#include <vector>

#include "kernels/exec/weight_arena.h"
#include "models/layers/ops.h"
#include "models/layers/weight_loader.h"
#include "models/model.h"

namespace consort {

struct DecoderConfig {
  int width = 0, heads = 0, kv_heads = 0, head_dim = 0, feed_forward = 0;
  float norm_eps = 1e-5f;
  float embedding_scale = 1.0f;
  float score_scale = 1.0f;
  GateKind gate = GateKind::kSilu;
  RopeStyle rope_style = RopeStyle::kInterleaved;
  std::vector<std::vector<double>> rope_frequencies;  // one list for each kind of layer
};

struct DecoderLayer {
  int rope = 0;                                            // index into rope_frequencies
  int window = 0;                                          // 0: sees everything before it
  TensorView attention_norm, feed_forward_norm;            // f32 [width]
  TensorView query_norm, key_norm;                         // f32 [head_dim], or empty
  TensorView post_attention_norm, post_feed_forward_norm;  // f32 [width], or empty
  PackedMatrix query, key, value, output, gate, up, down;
  TensorView query_bias, key_bias, value_bias;  // or empty
};

struct DecoderWeights {
  WeightArena arena;  // before what points into it
  PackedMatrix embedding;
  PackedMatrix head;  // the embedding again when tied
  RowSketch sketch;   // of the head, or empty
  TensorView final_norm;
  std::vector<DecoderLayer> layers;
};

// Builds ModelInfo's cost figures from what the loader has seen. `tied`: the head is the embedding, so its
// bytes and multiply-adds count once; untied, the embedding's rows are looked up, not read through.
ModelInfo decoder_info(const LoadContext& context, WeightLoader& loader, const DecoderConfig& config,
                       const DecoderWeights& weights, int context_length);

// Errors: kInvalid / kUnsupported when the numbers do not fit together (heads, head size, rotary dimensions).
Status check_decoder(const DecoderConfig& config, const WeightSource& source);

std::unique_ptr<Model> make_decoder(ModelInfo info, DecoderConfig config, DecoderWeights weights);

}  // namespace consort
