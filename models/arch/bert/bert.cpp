// BERT encoders: sentence embeddings (all-MiniLM-L6-v2, bge-small), token embeddings for late interaction
// (answerai-colbert-small's trunk) and cross-encoders (ms-marco-MiniLM). Source: Devlin et al. 2019, "BERT";
// Reimers and Gurevych 2019, "Sentence-BERT"; Nogueira and Cho 2019, "Passage Re-ranking with BERT".
// Post-norms, learnt positions, exact GELU. Texts stand one after another without padding; attention stays
// inside a text and every other op works row by row, so neighbours do not matter.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "kernels/exec/breath.h"
#include "kernels/pooling/pooling.h"
#include "models/arch/bert/config.h"
#include "models/arch/bert/text_sample.h"
#include "models/arch/bert/weights.h"
#include "models/arch/registry.h"

namespace consort {
namespace bert {
namespace {

// Samples are taken in passes of about this many tokens: the widest activation of a pass (1,536 floats a
// token) then stays in the second cache of two cores.
constexpr std::int64_t kTokensPerPass = 512;

using Samples = std::span<const Sample* const>;

const TextSample& text_of(const Sample* sample) {
  return static_cast<const TextSample&>(*sample);
}

class Bert final : public Network {
 public:
  Bert(NetworkInfo info, Config config, Weights weights, std::shared_ptr<const Tokenizer> tokenizer)
      : info_(std::move(info)),
        config_(std::move(config)),
        weights_(std::move(weights)),
        tokenizer_(std::move(tokenizer)) {}
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override;
  Status forward(Exec& exec, Samples samples, NetworkOutput& output) override;
  void set_layer_probe(LayerProbe probe) override { probe_ = std::move(probe); }
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }

 private:
  Status check(Samples samples, const NetworkOutput& output) const;
  void run_pass(Exec& exec, Samples samples, std::int64_t first_sample, std::int64_t first_token,
                const NetworkOutput& output) const;
  TensorView run_layers(Ops& ops, Samples samples, std::span<const int> lengths, std::int64_t tokens) const;
  void look_up(Exec& exec, Samples samples, TensorView x) const;
  void run_layer(Ops& ops, const Layer& layer, std::span<const int> lengths, TensorView x) const;
  void first_rows(TensorView x, std::span<const int> lengths, TensorView out) const;
  void score(Ops& ops, TensorView x, std::span<const int> lengths, TensorView out) const;

  NetworkInfo info_;
  Config config_;
  Weights weights_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  LayerProbe probe_;
  OpRecorder* recorder_ = nullptr;
};

Result<std::unique_ptr<Sample>> Bert::prepare(const NetworkInput& input) const {
  if (input.kind != info_.inputs.front())
    return fail(ErrorKind::kUnsupported,
                fmt::format("the model takes a {}, not a {}", input_kind_name(info_.inputs.front()),
                            input_kind_name(input.kind)),
                info_.id);
  if (tokenizer_ == nullptr) return fail(ErrorKind::kInvalid, "the model has no tokenizer", info_.id);
  auto sample = std::make_unique<TextSample>();
  if (input.kind == InputKind::kPair) {
    CONSORT_TRY(pair, text_pair(*tokenizer_, input.text, input.passage, config_.max_tokens));
    *sample = std::move(pair);
  } else {
    *sample = single_text(*tokenizer_, input.text, config_.max_tokens);
  }
  const double tokens = sample->tokens;
  sample->flop = tokens * (info_.flop_per_token + 4.0 * tokens * config_.width * config_.layers);
  return sample;
}

Status Bert::check(Samples samples, const NetworkOutput& output) const {
  std::int64_t tokens = 0;
  for (const Sample* sample : samples) {
    const TextSample& text = text_of(sample);
    if (text.ids.empty() || text.ids.size() > static_cast<std::size_t>(config_.max_tokens))
      return fail(
          ErrorKind::kInvalid,
          fmt::format("a text of {} tokens; the model takes 1 to {}", text.ids.size(), config_.max_tokens),
          info_.id);
    for (const std::int32_t id : text.ids)
      if (id < 0 || id >= config_.vocab)
        return fail(ErrorKind::kInvalid,
                    fmt::format("token id {} is outside the vocabulary of {}", id, config_.vocab), info_.id);
    tokens += std::ssize(text.ids);
  }
  const TensorView &e = output.embeddings, &l = output.logits;
  const bool parts = output.level == EmbeddingLevel::kPart;
  if (e.data != nullptr && config_.head == Head::kScore)
    return fail(ErrorKind::kUnsupported, "the model scores pairs, it has no embedding", info_.id);
  if (e.data != nullptr && config_.head == Head::kTokens && !parts)
    return fail(ErrorKind::kUnsupported, "the model gives a vector for each token, none for a text",
                info_.id);
  if (l.data != nullptr && config_.head != Head::kScore)
    return fail(ErrorKind::kUnsupported, "the model has no classifier", info_.id);
  const std::int64_t rows = parts ? tokens : std::ssize(samples);
  if (e.data != nullptr &&
      (e.rows() != rows || e.cols() != config_.width || e.dtype != DType::kF32 || !e.contiguous()))
    return fail(ErrorKind::kInvalid, fmt::format("{} embeddings do not fit {}", rows, describe(e)), info_.id);
  if (l.data != nullptr && (l.rows() != std::ssize(samples) || l.cols() != config_.classes ||
                            l.dtype != DType::kF32 || !l.contiguous()))
    return fail(ErrorKind::kInvalid, fmt::format("{} scores do not fit {}", samples.size(), describe(l)),
                info_.id);
  return {};
}

Status Bert::forward(Exec& exec, Samples samples, NetworkOutput& output) {
  CONSORT_CHECK_OK(check(samples, output));
  try {
    std::size_t done = 0;
    std::int64_t tokens_done = 0;
    while (done < samples.size()) {
      std::size_t end = done;
      std::int64_t tokens = 0;
      while (end < samples.size() && (end == done || tokens + samples[end]->tokens <= kTokensPerPass))
        tokens += samples[end++]->tokens;
      run_pass(exec, samples.subspan(done, end - done), static_cast<std::int64_t>(done), tokens_done, output);
      done = end;
      tokens_done += tokens;
    }
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of an encoder", info_.id);
  }
}

void Bert::look_up(Exec& exec, Samples samples, TensorView x) const {
  const auto width = static_cast<std::size_t>(config_.width);
  const std::span<float> buffer = exec.scratch.take_array<float>(width);
  float* row = x.as<float>();
  for (const Sample* sample : samples) {
    const TextSample& text = text_of(sample);
    for (std::size_t t = 0; t < text.ids.size(); ++t, row += width) {
      weights_.words.add_row(text.ids[t], buffer, row, true);
      weights_.types.add_row(static_cast<int>(t) >= text.second ? 1 : 0, buffer, row, false);
      weights_.positions.add_row(static_cast<std::int64_t>(t), buffer, row, false);
    }
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
  apply(ops, x, {{&layer.query, q}, {&layer.key, k}, {&layer.value, v}});
  breathe();
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head)));
  ops.text_attention(lengths, scale, heads(q), heads(k), heads(v), attended);
  breathe();
  apply(ops, attended, {{&layer.output, delta}});
  ops.add_layer_norm(x, delta, layer.attention_norm.weight, layer.attention_norm.bias, config_.eps, x);
  breathe();
  const TensorView hidden = rows(config_.feed_forward);
  apply(ops, x, {{&layer.up, hidden}});
  breathe();
  ops.gelu_erf(hidden, TensorView{});
  apply(ops, hidden, {{&layer.down, delta}});
  ops.add_layer_norm(x, delta, layer.output_norm.weight, layer.output_norm.bias, config_.eps, x);
  breathe();
}

TensorView Bert::run_layers(Ops& ops, Samples samples, std::span<const int> lengths,
                            std::int64_t tokens) const {
  Exec& exec = ops.exec();
  const TensorView x = exec.scratch.tensor(DType::kF32, {tokens, config_.width});
  look_up(exec, samples, x);
  ops.add_layer_norm(x, TensorView{}, weights_.embedding_norm.weight, weights_.embedding_norm.bias,
                     config_.eps, x);
  if (probe_) probe_(0, x);
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    run_layer(ops, weights_.layers[i], lengths, x);
    if (probe_) probe_(static_cast<int>(i) + 1, x);
  }
  return x;
}

// The rows of [CLS].
void Bert::first_rows(TensorView x, std::span<const int> lengths, TensorView out) const {
  const std::size_t width = static_cast<std::size_t>(config_.width);
  const float* from = x.as<float>();
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    std::memcpy(out.as<float>() + i * width, from, width * sizeof(float));
    from += static_cast<std::size_t>(lengths[i]) * width;
  }
}

void Bert::score(Ops& ops, TensorView x, std::span<const int> lengths, TensorView out) const {
  ScratchArena& scratch = ops.exec().scratch;
  const auto n = static_cast<std::int64_t>(lengths.size());
  const TensorView first = scratch.tensor(DType::kF32, {n, config_.width}),
                   pooled = scratch.tensor(DType::kF32, {n, config_.width});
  first_rows(x, lengths, first);
  apply(ops, first, {{&weights_.pooler, pooled}});
  float* values = pooled.as<float>();
  for (std::int64_t i = 0; i < n * config_.width; ++i) values[i] = std::tanh(values[i]);
  apply(ops, pooled, {{&weights_.classifier, out}});
}

void Bert::run_pass(Exec& exec, Samples samples, std::int64_t first_sample, std::int64_t first_token,
                    const NetworkOutput& output) const {
  const ScratchArena::Mark mark(exec.scratch);
  const std::span<int> lengths = exec.scratch.take_array<int>(samples.size());
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) tokens += lengths[i] = samples[i]->tokens;
  Ops ops(exec, recorder_);
  const TensorView x = run_layers(ops, samples, lengths, tokens);
  const auto rows_of = [](const TensorView& all, std::int64_t first, std::int64_t n) {
    return make_view(all.as<float>() + first * all.cols(), DType::kF32, {n, all.cols()});
  };
  const auto n = static_cast<std::int64_t>(samples.size());
  if (output.logits.data != nullptr) score(ops, x, lengths, rows_of(output.logits, first_sample, n));
  if (output.embeddings.data == nullptr) return;
  if (output.level == EmbeddingLevel::kPart) {
    const TensorView out = rows_of(output.embeddings, first_token, tokens);
    std::memcpy(out.data, x.data, x.bytes());
    return;
  }
  const TensorView out = rows_of(output.embeddings, first_sample, n);
  if (config_.cls_pooling)
    first_rows(x, lengths, out);
  else
    mean_pool(exec, x, lengths, out);
  l2_normalise(exec, out);
}

NetworkInfo describe_network(const Config& config, const Weights& weights, LoadContext& context) {
  NetworkInfo info;
  info.id = context.id;
  info.architecture = "bert";
  info.inputs = {config.head == Head::kScore ? InputKind::kPair : InputKind::kText};
  info.max_tokens = config.max_tokens;
  info.flop_per_token = 2.0 * weights.multiply_adds;
  info.weight_bytes = weights.bytes;
  info.weights_digest = weights.digest;
  if (context.precision == Precision::kInt16) info.weights_digest += ":int16";  // other numbers from one file
  if (config.head == Head::kScore) {
    info.classes = config.classes;
    return info;
  }
  info.dimension = config.width;
  info.parts = true;
  if (config.head == Head::kTokens) {
    info.level = EmbeddingLevel::kPart;
  } else {
    info.normalised = true;
    info.pooling = config.cls_pooling ? "cls" : "mean";
  }
  return info;
}

Result<std::unique_ptr<Network>> load(std::shared_ptr<const WeightSource> source,
                                      std::shared_ptr<const Tokenizer> tokenizer, LoadContext& context) {
  CONSORT_TRY(config, read_config(*source));
  CONSORT_TRY(weights, load_weights(std::move(source), context, config));
  if (tokenizer != nullptr && tokenizer->vocab_size() > config.vocab)
    return fail(
        ErrorKind::kInvalid,
        fmt::format("the tokenizer has {} entries, the model {}", tokenizer->vocab_size(), config.vocab),
        weights.source->location());
  NetworkInfo info = describe_network(config, weights, context);
  return std::make_unique<Bert>(std::move(info), std::move(config), std::move(weights), std::move(tokenizer));
}

}  // namespace

}  // namespace bert

Architecture bert_architecture() {
  return {"bert", nullptr, bert::load};
}

}  // namespace consort
