// BERT encoders for sentence embeddings, from Hugging Face folders (all-MiniLM-L6-v2). Source: Devlin et al.
// 2019, "BERT"; Reimers and Gurevych 2019, "Sentence-BERT". Post-norms, learnt positions, exact GELU, mean
// over all tokens with [CLS] and [SEP], length 1. Texts stand one after another without padding; attention
// stays inside a text and every other op works row by row, so neighbours do not matter.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "kernels/pooling/pooling.h"
#include "models/arch/bert/sentence_settings.h"
#include "models/arch/registry.h"
#include "models/formats/dequantize.h"
#include "models/layers/ops.h"
#include "models/layers/weight_loader.h"

namespace consort {
namespace {

constexpr std::int64_t kTokensPerPass = 4096;  // texts are taken in passes of about this many tokens

struct Config {
  int width = 0, heads = 0, layers = 0, feed_forward = 0, vocab = 0, positions = 0, max_tokens = 0;
  float eps = 1e-12f;
};

struct Affine {
  PackedMatrix weight;
  TensorView bias;
};
struct Norm {
  TensorView weight, bias;
};
struct Layer {
  Affine query, key, value, output, up, down;
  Norm attention_norm, output_norm;
};

// Rows of an embedding table that stays in the mapped file: only the rows of a text are ever read.
struct Table {
  TensorView view;
  void add_row(std::int64_t row, std::span<float> buffer, float* out, bool first) const {
    const std::size_t bytes = row_bytes(view.dtype, buffer.size());
    dequantize_row(view.dtype, view.data + static_cast<std::size_t>(row) * bytes, buffer.data(),
                   buffer.size());
    for (std::size_t i = 0; i < buffer.size(); ++i) out[i] = first ? buffer[i] : out[i] + buffer[i];
  }
};

struct Weights {
  std::shared_ptr<const WeightSource> source;  // keeps the tables mapped
  WeightArena arena;
  Table words, positions, types;
  Norm embedding_norm;
  std::vector<Layer> layers;
};

using Texts = std::span<const std::span<const std::int32_t>>;

class Bert final : public Encoder {
 public:
  Bert(EncoderInfo info, Config config, Weights weights)
      : info_(std::move(info)), config_(config), weights_(std::move(weights)) {}
  const EncoderInfo& info() const override { return info_; }
  Status embed(Exec& exec, Texts texts, TensorView out) override;
  void set_layer_probe(LayerProbe probe) override { probe_ = std::move(probe); }
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }

 private:
  Status check(Texts texts, const TensorView& out) const;
  void embed_pass(Exec& exec, Texts texts, TensorView out) const;
  void look_up(Exec& exec, Texts texts, TensorView x) const;
  void run_layer(Ops& ops, const Layer& layer, std::span<const int> lengths, TensorView x) const;

  EncoderInfo info_;
  Config config_;
  Weights weights_;
  LayerProbe probe_;
  OpRecorder* recorder_ = nullptr;
};

Status Bert::check(Texts texts, const TensorView& out) const {
  if (out.rows() != static_cast<std::int64_t>(texts.size()) || out.cols() != config_.width ||
      out.dtype != DType::kF32)
    return fail(ErrorKind::kInvalid, fmt::format("{} embeddings do not fit {}", texts.size(), describe(out)),
                info_.id);
  for (const auto& text : texts) {
    if (text.empty() || text.size() > static_cast<std::size_t>(config_.max_tokens))
      return fail(
          ErrorKind::kInvalid,
          fmt::format("a text of {} tokens; the model takes 1 to {}", text.size(), config_.max_tokens),
          info_.id);
    for (const std::int32_t id : text)
      if (id < 0 || id >= config_.vocab)
        return fail(ErrorKind::kInvalid,
                    fmt::format("token id {} is outside the vocabulary of {}", id, config_.vocab), info_.id);
  }
  return {};
}

Status Bert::embed(Exec& exec, Texts texts, TensorView out) {
  CONSORT_CHECK_OK(check(texts, out));
  try {
    std::size_t done = 0;
    while (done < texts.size()) {
      std::size_t end = done;
      std::int64_t tokens = 0;
      while (end < texts.size() && (end == done || tokens + std::ssize(texts[end]) <= kTokensPerPass))
        tokens += std::ssize(texts[end++]);
      TensorView rows = out;
      rows.data += done * static_cast<std::size_t>(out.strides[0]) * sizeof(float);
      rows.dims[0] = static_cast<std::int64_t>(end - done);
      embed_pass(exec, texts.subspan(done, end - done), rows);
      done = end;
    }
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of an encoder", info_.id);
  }
}

void Bert::look_up(Exec& exec, Texts texts, TensorView x) const {
  const std::size_t width = static_cast<std::size_t>(config_.width);
  const std::span<float> buffer = exec.scratch.take_array<float>(width);
  float* row = x.as<float>();
  for (const auto& text : texts)
    for (std::size_t t = 0; t < text.size(); ++t, row += width) {
      weights_.words.add_row(text[t], buffer, row, true);
      weights_.types.add_row(0, buffer, row, false);
      weights_.positions.add_row(static_cast<std::int64_t>(t), buffer, row, false);
    }
}

void Bert::run_layer(Ops& ops, const Layer& layer, std::span<const int> lengths, TensorView x) const {
  ScratchArena& scratch = ops.exec().scratch;
  const ScratchArena::Mark mark(scratch);
  const std::int64_t tokens = x.rows(), width = config_.width, head = width / config_.heads;
  const auto rows = [&](std::int64_t n) { return scratch.tensor(DType::kF32, {tokens, n}); };
  const auto heads = [&](const TensorView& v) {
    return make_view(v.data, DType::kF32, {tokens, config_.heads, head});
  };
  const TensorView q = rows(width), k = rows(width), v = rows(width), attended = rows(width),
                   delta = rows(width);
  const MatmulJob jobs[] = {{&layer.query.weight, q, layer.query.bias.as<float>()},
                            {&layer.key.weight, k, layer.key.bias.as<float>()},
                            {&layer.value.weight, v, layer.value.bias.as<float>()}};
  ops.matmul(x, jobs);
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head)));
  ops.text_attention(lengths, scale, heads(q), heads(k), heads(v), attended);
  ops.matmul(attended, layer.output.weight, delta, layer.output.bias.as<float>());
  ops.add_layer_norm(x, delta, layer.attention_norm.weight, layer.attention_norm.bias, config_.eps, x);
  const TensorView hidden = rows(config_.feed_forward);
  ops.matmul(x, layer.up.weight, hidden, layer.up.bias.as<float>());
  ops.gelu_erf(hidden, TensorView{});
  ops.matmul(hidden, layer.down.weight, delta, layer.down.bias.as<float>());
  ops.add_layer_norm(x, delta, layer.output_norm.weight, layer.output_norm.bias, config_.eps, x);
}

void Bert::embed_pass(Exec& exec, Texts texts, TensorView out) const {
  const ScratchArena::Mark mark(exec.scratch);
  const std::span<int> lengths = exec.scratch.take_array<int>(texts.size());
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    lengths[i] = static_cast<int>(texts[i].size());
    tokens += lengths[i];
  }
  const TensorView x = exec.scratch.tensor(DType::kF32, {tokens, config_.width});
  Ops ops(exec, recorder_);
  look_up(exec, texts, x);
  ops.add_layer_norm(x, TensorView{}, weights_.embedding_norm.weight, weights_.embedding_norm.bias,
                     config_.eps, x);
  if (probe_) probe_(0, x);
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    run_layer(ops, weights_.layers[i], lengths, x);
    if (probe_) probe_(static_cast<int>(i) + 1, x);
  }
  mean_pool(exec, x, lengths, out);
  l2_normalise(exec, out);
}

Result<Config> read_config(const WeightSource& source) {
  Config c;
  CONSORT_TRY(width, hyper_parameter(source, "hidden_size", 16, 1 << 14));
  CONSORT_TRY(heads, hyper_parameter(source, "num_attention_heads", 1, 256));
  CONSORT_TRY(layers, hyper_parameter(source, "num_hidden_layers", 1, 256));
  CONSORT_TRY(feed_forward, hyper_parameter(source, "intermediate_size", 1, 1 << 18));
  CONSORT_TRY(vocab, hyper_parameter(source, "vocab_size", 1, 1 << 24));
  CONSORT_TRY(positions, hyper_parameter(source, "max_position_embeddings", 1, 1 << 20));
  CONSORT_TRY(activation, source.text("hidden_act"));
  if (activation != "gelu")
    return fail(ErrorKind::kUnsupported, fmt::format("activation '{}'", activation),
                fmt::format("{}, key hidden_act", source.location()), "only the exact 'gelu' is known");
  if (source.meta("position_embedding_type") != nullptr) {
    CONSORT_TRY(kind, source.text("position_embedding_type"));
    if (kind != "absolute")
      return fail(ErrorKind::kUnsupported, fmt::format("position embedding '{}'", kind), source.location());
  }
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
  CONSORT_TRY(sentences, read_sentence_settings(source.location()));
  c.max_tokens = sentences.max_tokens > 0 ? std::min(sentences.max_tokens, positions) : positions;
  return c;
}

// Some files carry a "bert." in front of every name.
Result<Affine> affine(WeightLoader& loader, const std::string& name, std::int64_t rows, std::int64_t cols) {
  CONSORT_TRY(weight, loader.matrix(name + ".weight", rows, cols));
  CONSORT_TRY(bias, loader.vector(name + ".bias", rows));
  return Affine{weight, bias};
}
Result<Norm> norm(WeightLoader& loader, const std::string& name, std::int64_t n) {
  CONSORT_TRY(weight, loader.vector(name + ".weight", n));
  CONSORT_TRY(bias, loader.vector(name + ".bias", n));
  return Norm{weight, bias};
}

Result<Layer> load_layer(WeightLoader& loader, const Config& c, const std::string& prefix) {
  CONSORT_TRY(query, affine(loader, prefix + "attention.self.query", c.width, c.width));
  CONSORT_TRY(key, affine(loader, prefix + "attention.self.key", c.width, c.width));
  CONSORT_TRY(value, affine(loader, prefix + "attention.self.value", c.width, c.width));
  CONSORT_TRY(output, affine(loader, prefix + "attention.output.dense", c.width, c.width));
  CONSORT_TRY(attention_norm, norm(loader, prefix + "attention.output.LayerNorm", c.width));
  CONSORT_TRY(up, affine(loader, prefix + "intermediate.dense", c.feed_forward, c.width));
  CONSORT_TRY(down, affine(loader, prefix + "output.dense", c.width, c.feed_forward));
  CONSORT_TRY(output_norm, norm(loader, prefix + "output.LayerNorm", c.width));
  return Layer{query, key, value, output, up, down, attention_norm, output_norm};
}

Result<Table> table(const WeightSource& source, const std::string& name, std::int64_t rows,
                    std::int64_t cols) {
  CONSORT_TRY(view, source.tensor(name, {rows, cols}));
  if (view.dtype != DType::kF32 && view.dtype != DType::kF16 && view.dtype != DType::kBF16)
    return fail(ErrorKind::kUnsupported, fmt::format("an embedding of type {}", dtype_name(view.dtype)),
                fmt::format("{}, tensor {}", source.location(), name));
  return Table{view};
}

Result<Weights> load_weights(WeightLoader& loader, const Config& c) {
  const WeightSource& source = loader.source();
  const std::string prefix = source.find("bert.embeddings.word_embeddings.weight") != nullptr ? "bert." : "";
  const std::string embeddings = prefix + "embeddings.";
  Weights w;
  CONSORT_TRY(words, table(source, embeddings + "word_embeddings.weight", c.vocab, c.width));
  CONSORT_TRY(positions, table(source, embeddings + "position_embeddings.weight", c.positions, c.width));
  CONSORT_TRY(types, table(source, embeddings + "token_type_embeddings.weight", -1, c.width));
  CONSORT_TRY(embedding_norm, norm(loader, embeddings + "LayerNorm", c.width));
  if (types.view.rows() < 1) return fail(ErrorKind::kInvalid, "no token type embedding", source.location());
  w.words = words;
  w.positions = positions;
  w.types = types;
  w.embedding_norm = embedding_norm;
  for (int i = 0; i < c.layers; ++i) {
    CONSORT_TRY(layer, load_layer(loader, c, fmt::format("{}encoder.layer.{}.", prefix, i)));
    w.layers.push_back(layer);
  }
  return w;
}

Result<std::unique_ptr<Encoder>> load_bert(std::shared_ptr<const WeightSource> source, LoadContext& context) {
  CONSORT_TRY(config, read_config(*source));
  CONSORT_TRY(loader, WeightLoader::create(*source, context));
  CONSORT_TRY(weights, load_weights(loader, config));
  EncoderInfo info;
  info.id = context.id;
  info.architecture = "bert";
  info.dimension = config.width;
  info.max_tokens = config.max_tokens;
  info.pooling = "mean";
  info.flop_per_token = 2.0 * loader.multiply_adds();
  info.weight_bytes = loader.bytes();
  info.weights_digest = weights_digest(*source, context.exec);
  weights.source = std::move(source);
  weights.arena = loader.take_arena();
  return std::make_unique<Bert>(std::move(info), config, std::move(weights));
}

}  // namespace

Architecture bert_architecture() {
  return {"bert", nullptr, load_bert};
}

}  // namespace consort
