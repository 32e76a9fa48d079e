// Gemma 3 text models in GGUF files. Source: Gemma Team 2025, "Gemma 3 Technical Report": embedding times
// sqrt(width), norms of queries and keys, pre- and post-norms, five layers with a sliding window and rotary
// base 1e4 for one that sees everything with base 1e6, GELU-tanh gates, tied head. Norm weights as stored
// (the converter has added the 1).
#include <fmt/format.h>

#include <cmath>

#include "models/arch/registry.h"
#include "models/layers/decoder_tensors.h"

namespace consort {
namespace {

constexpr int kLayersPerGlobal = 6;     // layers 5, 11, 17, ... see the whole context
constexpr double kLocalRopeBase = 1e4;  // of the layers with a window

Result<DecoderConfig> read_config(const WeightSource& source) {
  DecoderConfig c;
  CONSORT_TRY(width, hyper_parameter(source, "gemma3.embedding_length", 16, 1 << 16));
  CONSORT_TRY(heads, hyper_parameter(source, "gemma3.attention.head_count", 1, 1024));
  CONSORT_TRY(kv_heads, hyper_parameter_or(source, "gemma3.attention.head_count_kv", heads, 1, heads));
  CONSORT_TRY(head_dim, hyper_parameter_or(source, "gemma3.attention.key_length", 256, 1, 1024));
  CONSORT_TRY(value_dim, hyper_parameter_or(source, "gemma3.attention.value_length", head_dim, 1, 1024));
  CONSORT_TRY(feed_forward, hyper_parameter(source, "gemma3.feed_forward_length", 1, 1 << 18));
  CONSORT_TRY(eps, source.number("gemma3.attention.layer_norm_rms_epsilon"));
  if (value_dim != head_dim)
    return fail(ErrorKind::kUnsupported, "keys and values of different size", source.location());
  for (const char* key : {"gemma3.attn_logit_softcapping", "gemma3.final_logit_softcapping"})
    if (source.number_or(key, 0.0) != 0.0)
      return fail(ErrorKind::kUnsupported, "soft caps on scores or logits",
                  fmt::format("{}, key {}", source.location(), key));
  c.width = width;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = head_dim;
  c.feed_forward = feed_forward;
  c.norm_eps = static_cast<float>(eps);
  c.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(width)));
  // 1/sqrt(head_dim) for every size but the 27B model, which has its own; that one is refused by its width.
  if (width == 5376)
    return fail(ErrorKind::kUnsupported, "the score scale of Gemma 3 27B", source.location());
  c.score_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
  c.gate = GateKind::kGeluTanh;
  c.rope_style = RopeStyle::kHalves;
  return c;
}

// Kind 0: layers with a window; kind 1: layers that see everything.
Status add_rotary(const WeightSource& source, DecoderConfig& c) {
  const double base = source.number_or("gemma3.rope.freq_base", 1e6);
  double scale = 1.0;
  if (source.meta("gemma3.rope.scaling.type") != nullptr) {
    CONSORT_TRY(type, source.text("gemma3.rope.scaling.type"));
    const double factor = source.number_or("gemma3.rope.scaling.factor", 1.0);
    if (type == "linear" && factor > 0)
      scale = 1.0 / factor;  // of the global layers only
    else if (type != "none")
      return fail(ErrorKind::kUnsupported, fmt::format("rope scaling '{}'", type),
                  fmt::format("{}, key gemma3.rope.scaling.type", source.location()));
  }
  const double local = source.number_or("gemma3.rope.local.freq_base", kLocalRopeBase);
  if (!(base > 1.0) || !(local > 1.0))
    return fail(ErrorKind::kInvalid, "a rope base below 1", source.location());
  c.rope_frequencies = {rope_frequencies(c.head_dim, local), rope_frequencies(c.head_dim, base, scale)};
  return check_decoder(c, source);
}

Result<std::unique_ptr<Model>> load_gemma3(std::shared_ptr<const WeightSource> source, LoadContext& context) {
  CONSORT_TRY(config, read_config(*source));
  CONSORT_CHECK_OK(add_rotary(*source, config));
  CONSORT_TRY(layers, hyper_parameter(*source, "gemma3.block_count", 1, 1024));
  CONSORT_TRY(context_length, hyper_parameter(*source, "gemma3.context_length", 1, 1 << 24));
  CONSORT_TRY(window, hyper_parameter(*source, "gemma3.attention.sliding_window", 1, 1 << 24));
  CONSORT_TRY(loader, WeightLoader::create(*source, context));
  CONSORT_TRY(weights,
              load_decoder_tensors(loader, config, {.head_norms = true, .post_norms = true}, layers));
  for (int i = 0; i < layers; ++i) {
    const bool global = (i + 1) % kLayersPerGlobal == 0;
    weights.layers[static_cast<std::size_t>(i)].rope = global ? 1 : 0;
    weights.layers[static_cast<std::size_t>(i)].window = global ? 0 : window;
  }
  ModelInfo info = decoder_info(context, loader, config, weights, context_length);
  weights.arena = loader.take_arena();
  return make_decoder(std::move(info), std::move(config), std::move(weights));
}

}  // namespace

Architecture gemma3_architecture() {
  return {"gemma3", load_gemma3, nullptr};
}

}  // namespace consort
