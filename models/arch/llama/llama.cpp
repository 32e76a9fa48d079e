// Llama and models of its shape in GGUF files with general.architecture "llama" (SmolLM2, TinyLlama, ...):
// RMS norms, interleaved rotary pairs, grouped-query attention, SiLU-gated feed-forward.
#include <fmt/format.h>

#include <cmath>

#include "models/arch/registry.h"
#include "models/formats/dequantize.h"
#include "models/layers/decoder_tensors.h"

namespace consort {
namespace {

// Position scaling: none and linear (Chen et al. 2023), and per-frequency factors stored as a tensor (Llama
// 3).
Result<std::vector<double>> rotary_frequencies(const WeightSource& source, const DecoderConfig& c) {
  CONSORT_TRY(dims, hyper_parameter_or(source, "llama.rope.dimension_count", c.head_dim, 2, c.head_dim));
  const double base = source.number_or("llama.rope.freq_base", 10000.0);
  double scale = 1.0;
  if (source.meta("llama.rope.scaling.type") != nullptr) {
    CONSORT_TRY(type, source.text("llama.rope.scaling.type"));
    const double factor = source.number_or("llama.rope.scaling.factor", 1.0);
    if (type == "linear" && factor > 0)
      scale = 1.0 / factor;
    else if (type != "none")
      return fail(ErrorKind::kUnsupported, fmt::format("rope scaling '{}'", type),
                  fmt::format("{}, key llama.rope.scaling.type", source.location()),
                  "use a file with scaling 'none' or 'linear'");
  }
  if (!(base > 1.0) || dims % 2 != 0)
    return fail(ErrorKind::kInvalid, fmt::format("rope base {} over {} dimensions", base, dims),
                source.location());
  std::vector<double> frequencies = rope_frequencies(dims, base, scale);
  if (source.find("rope_freqs.weight") == nullptr) return frequencies;
  CONSORT_TRY(factors, source.tensor("rope_freqs.weight", {static_cast<std::int64_t>(frequencies.size())}));
  std::vector<float> values(frequencies.size());
  dequantize_row(factors.dtype, factors.data, values.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] > 0))
      return fail(ErrorKind::kInvalid, "a rope factor that is not positive", source.location());
    frequencies[i] /= values[i];
  }
  return frequencies;
}

Result<DecoderConfig> read_config(const WeightSource& source) {
  DecoderConfig c;
  CONSORT_TRY(width, hyper_parameter(source, "llama.embedding_length", 16, 1 << 16));
  CONSORT_TRY(heads, hyper_parameter(source, "llama.attention.head_count", 1, 1024));
  CONSORT_TRY(kv_heads, hyper_parameter_or(source, "llama.attention.head_count_kv", heads, 1, heads));
  CONSORT_TRY(head_dim, hyper_parameter_or(source, "llama.attention.key_length", width / heads, 1, 1024));
  CONSORT_TRY(value_dim, hyper_parameter_or(source, "llama.attention.value_length", head_dim, 1, 1024));
  CONSORT_TRY(feed_forward, hyper_parameter(source, "llama.feed_forward_length", 1, 1 << 18));
  CONSORT_TRY(eps, source.number("llama.attention.layer_norm_rms_epsilon"));
  if (value_dim != head_dim)
    return fail(ErrorKind::kUnsupported, "keys and values of different size", source.location());
  if (source.integer_or("llama.expert_count", 0) > 0)
    return fail(ErrorKind::kUnsupported, "a mixture of experts", source.location(), "use a dense model");
  if (source.integer_or("llama.attention.sliding_window", 0) > 0)
    return fail(ErrorKind::kUnsupported, "a sliding window in a llama file", source.location());
  c.width = width;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = head_dim;
  c.feed_forward = feed_forward;
  c.norm_eps = static_cast<float>(eps);
  c.score_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
  CONSORT_TRY(frequencies, rotary_frequencies(source, c));
  c.rope_frequencies = {frequencies};
  CONSORT_CHECK_OK(check_decoder(c, source));
  return c;
}

Result<std::unique_ptr<Model>> load_llama(std::shared_ptr<const WeightSource> source, LoadContext& context) {
  CONSORT_TRY(config, read_config(*source));
  CONSORT_TRY(layers, hyper_parameter(*source, "llama.block_count", 1, 1024));
  CONSORT_TRY(context_length, hyper_parameter(*source, "llama.context_length", 1, 1 << 24));
  CONSORT_TRY(loader, WeightLoader::create(*source, context));
  CONSORT_TRY(weights, load_decoder_tensors(loader, config, {.attention_biases = true}, layers));
  ModelInfo info = decoder_info(context, loader, config, weights, context_length);
  weights.arena = loader.take_arena();
  return make_decoder(std::move(info), std::move(config), std::move(weights));
}

}  // namespace

Architecture llama_architecture() {
  return {"llama", load_llama, nullptr};
}

}  // namespace consort
