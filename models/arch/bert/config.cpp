#include "models/arch/bert/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/arch/bert/sentence_settings.h"
#include "models/layers/weight_loader.h"

namespace consort::bert {
namespace {

Status check_kind(const WeightSource& source) {
  CONSORT_TRY(activation, source.text("hidden_act"));
  if (activation != "gelu")
    return fail(ErrorKind::kUnsupported, fmt::format("activation '{}'", activation),
                fmt::format("{}, key hidden_act", source.location()), "only the exact 'gelu' is known");
  if (source.meta("position_embedding_type") == nullptr) return {};
  CONSORT_TRY(kind, source.text("position_embedding_type"));
  if (kind != "absolute")
    return fail(ErrorKind::kUnsupported, fmt::format("position embedding '{}'", kind), source.location());
  return {};
}

bool has(const WeightSource& source, const std::string& name) {
  return source.find(name) != nullptr || source.find(name + "_quantized") != nullptr;
}

// Whether config.json names a late-interaction model, as the published ColBERT folders do.
bool late_interaction(const WeightSource& source) {
  const MetaValue* value = source.meta("architectures");
  const auto* array = value == nullptr ? nullptr : std::get_if<MetaValue::Array>(&value->value);
  const auto* names = array == nullptr ? nullptr : std::get_if<std::vector<std::string>>(array);
  return names != nullptr && std::any_of(names->begin(), names->end(), [](const std::string& name) {
           return name.find("ColBERT") != std::string::npos;
         });
}

}  // namespace

Result<Config> read_config(const WeightSource& source) {
  Config c;
  CONSORT_TRY(width, hyper_parameter(source, "hidden_size", 16, 1 << 14));
  CONSORT_TRY(heads, hyper_parameter(source, "num_attention_heads", 1, 256));
  CONSORT_TRY(layers, hyper_parameter(source, "num_hidden_layers", 1, 256));
  CONSORT_TRY(feed_forward, hyper_parameter(source, "intermediate_size", 1, 1 << 16));
  CONSORT_TRY(vocab, hyper_parameter(source, "vocab_size", 1, 1 << 24));
  CONSORT_TRY(positions, hyper_parameter(source, "max_position_embeddings", 1, 1 << 20));
  CONSORT_CHECK_OK(check_kind(source));
  if (width % heads != 0 || (width / heads) % 16 != 0)
    return fail(ErrorKind::kUnsupported, fmt::format("{} heads over a width of {}", heads, width),
                source.location());
  c.width = width;
  c.heads = heads;
  c.layers = layers;
  c.feed_forward = feed_forward;
  c.vocab = vocab;
  c.positions = positions;
  c.eps = static_cast<float>(source.number_or("layer_norm_eps", 1e-12));
  c.prefix = has(source, "bert.embeddings.word_embeddings.weight") ? "bert." : "";
  CONSORT_TRY(sentences, read_sentence_settings(source.location()));
  c.max_tokens = sentences.max_tokens > 0 ? std::min(sentences.max_tokens, positions) : positions;
  c.cls_pooling = sentences.pooling == "cls";
  if (has(source, "classifier.weight")) {
    c.head = Head::kScore;
    CONSORT_TRY(bias, source.tensor("classifier.bias", {-1}));
    c.classes = static_cast<int>(bias.dims[0]);
    if (c.classes != 1)
      return fail(ErrorKind::kUnsupported, fmt::format("a classifier of {} classes over a pair", c.classes),
                  source.location(), "cross-encoders with one score are known");
  } else if (late_interaction(source)) {
    c.head = Head::kTokens;
  }
  return c;
}

}  // namespace consort::bert
