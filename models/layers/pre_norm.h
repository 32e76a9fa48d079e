// Transformer layers with the norm before each half, as vision transformers and CLIP's text encoder have
// them: x += attention(norm(x)); x += mlp(norm(x)). Sources: Dosovitskiy et al. 2021, "An Image is Worth
// 16x16 Words", equations 2 and 3; Radford et al. 2021, "Learning Transferable Visual Models", section 2.4.
#pragma once

#include <span>
#include <string>

#include "models/layers/ops.h"
#include "models/layers/weight_loader.h"

namespace consort {

struct PreNormConfig {
  int width = 0, heads = 0, feed_forward = 0, layers = 0;
  float eps = 1e-5f;
  Activation activation = Activation::kGelu;
};

struct PreNormAffine {
  PackedMatrix weight;
  TensorView bias;  // or empty
};
struct PreNormNorm {
  TensorView weight, bias;
};
struct PreNormLayer {
  PreNormNorm before_attention, before_mlp;
  PreNormAffine query, key, value, output, up, down;
};

// How a family of files calls the parts of a layer, behind the layer's prefix.
struct PreNormNames {
  const char *norm1, *norm2, *query, *key, *value, *output, *up, *down;
};
inline constexpr PreNormNames kClipNames = {"layer_norm1",      "layer_norm2",      "self_attn.q_proj",
                                            "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
                                            "mlp.fc1",          "mlp.fc2"};
inline constexpr PreNormNames kVitNames = {"layernorm_before",          "layernorm_after",
                                           "attention.attention.query", "attention.attention.key",
                                           "attention.attention.value", "attention.output.dense",
                                           "intermediate.dense",        "output.dense"};

// Reads hidden_size, num_attention_heads, intermediate_size, num_hidden_layers, layer_norm_eps and hidden_act
// behind `prefix` ("vision_config."); `defaults` fill what config.json leaves out. Errors: kUnsupported for
// an activation that is not known or heads whose size is no multiple of 16; kInvalid.
Result<PreNormConfig> read_pre_norm(const WeightSource& source, const std::string& prefix,
                                    PreNormConfig defaults);

// Errors: as WeightLoader. A bias that the file lacks is empty.
Result<PreNormAffine> load_affine(WeightLoader& loader, const std::string& name, std::int64_t rows,
                                  std::int64_t cols);
Result<PreNormNorm> load_norm(WeightLoader& loader, const std::string& name, std::int64_t n);
Result<PreNormLayer> load_pre_norm(WeightLoader& loader, const PreNormConfig& config,
                                   const std::string& prefix, const PreNormNames& names);

// One layer over items that stand one after another. x: f32 [tokens, width], lengths sum to tokens. An item's
// rows do not depend on the other items.
void run_pre_norm(Ops& ops, const PreNormConfig& config, const PreNormLayer& layer,
                  std::span<const int> lengths, bool causal, TensorView x);

}  // namespace consort
