#include "models/layers/decoder_tensors.h"

#include <fmt/format.h>

namespace consort {
namespace {

constexpr std::int64_t kSketchedVocabulary = 16384;  // below, an output layer is a small part of a step

Status load_attention(WeightLoader& loader, const DecoderConfig& c, const DecoderParts& parts,
                      const std::string& prefix, DecoderLayer& layer) {
  const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  CONSORT_TRY(norm, loader.vector(prefix + "attn_norm.weight", c.width));
  CONSORT_TRY(query, loader.matrix(prefix + "attn_q.weight", q, c.width));
  CONSORT_TRY(key, loader.matrix(prefix + "attn_k.weight", kv, c.width));
  CONSORT_TRY(value, loader.matrix(prefix + "attn_v.weight", kv, c.width));
  CONSORT_TRY(output, loader.matrix(prefix + "attn_output.weight", c.width, q));
  layer.attention_norm = norm;
  layer.query = query;
  layer.key = key;
  layer.value = value;
  layer.output = output;
  if (parts.attention_biases) {
    CONSORT_TRY(query_bias, loader.optional_vector(prefix + "attn_q.bias", q));
    CONSORT_TRY(key_bias, loader.optional_vector(prefix + "attn_k.bias", kv));
    CONSORT_TRY(value_bias, loader.optional_vector(prefix + "attn_v.bias", kv));
    layer.query_bias = query_bias;
    layer.key_bias = key_bias;
    layer.value_bias = value_bias;
  }
  if (parts.head_norms) {
    CONSORT_TRY(query_norm, loader.vector(prefix + "attn_q_norm.weight", c.head_dim));
    CONSORT_TRY(key_norm, loader.vector(prefix + "attn_k_norm.weight", c.head_dim));
    layer.query_norm = query_norm;
    layer.key_norm = key_norm;
  }
  return {};
}

Status load_feed_forward(WeightLoader& loader, const DecoderConfig& c, const DecoderParts& parts,
                         const std::string& prefix, DecoderLayer& layer) {
  CONSORT_TRY(norm, loader.vector(prefix + "ffn_norm.weight", c.width));
  CONSORT_TRY(gate, loader.matrix(prefix + "ffn_gate.weight", c.feed_forward, c.width));
  CONSORT_TRY(up, loader.matrix(prefix + "ffn_up.weight", c.feed_forward, c.width));
  CONSORT_TRY(down, loader.matrix(prefix + "ffn_down.weight", c.width, c.feed_forward));
  layer.feed_forward_norm = norm;
  layer.gate = gate;
  layer.up = up;
  layer.down = down;
  if (parts.post_norms) {
    CONSORT_TRY(post_attention, loader.vector(prefix + "post_attention_norm.weight", c.width));
    CONSORT_TRY(post_feed_forward, loader.vector(prefix + "post_ffw_norm.weight", c.width));
    layer.post_attention_norm = post_attention;
    layer.post_feed_forward_norm = post_feed_forward;
  }
  return {};
}

}  // namespace

Result<DecoderWeights> load_decoder_tensors(WeightLoader& loader, const DecoderConfig& config,
                                            const DecoderParts& parts, int layers) {
  const TensorEntry* embedding = loader.source().find("token_embd.weight");
  if (embedding == nullptr)
    return fail(ErrorKind::kNotFound, "no tensor token_embd.weight", loader.source().location());
  const std::int64_t vocab = embedding->view.rank == 2 ? embedding->view.dims[0] : 0;
  if (vocab < 1 || vocab > (1 << 24))
    return fail(ErrorKind::kInvalid, fmt::format("a vocabulary of {} tokens", vocab),
                loader.source().location());
  DecoderWeights weights;
  CONSORT_TRY(table, loader.matrix("token_embd.weight", vocab, config.width));
  weights.embedding = weights.head = table;
  const bool tied = loader.source().find("output.weight") == nullptr;
  const std::string head_name = tied ? "token_embd.weight" : "output.weight";
  if (!tied) {
    CONSORT_TRY(head, loader.matrix(head_name, vocab, config.width));
    weights.head = head;
  }
  CONSORT_TRY(final_norm, loader.vector("output_norm.weight", config.width));
  weights.final_norm = final_norm;
  for (int i = 0; i < layers; ++i) {
    const std::string prefix = fmt::format("blk.{}.", i);
    DecoderLayer& layer = weights.layers.emplace_back();
    CONSORT_CHECK_OK(load_attention(loader, config, parts, prefix, layer));
    CONSORT_CHECK_OK(load_feed_forward(loader, config, parts, prefix, layer));
  }
  // Last: what memory is left for it. It bounds products of 16-bit integers.
  if (vocab >= kSketchedVocabulary && weights.head.activation() == ActivationFormat::kInt16) weights.sketch = loader.sketch(head_name, weights.head);
  return weights;
}

}  // namespace consort
