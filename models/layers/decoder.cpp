#include "models/layers/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>

#include "models/layers/step_plan.h"

namespace consort {
namespace {

constexpr std::size_t kMaxRopeKinds = 4;

// Activations of a step, in scratch memory. Rows are tokens; the last block keeps only the wanted rows.
struct Activations {
  TensorView residual, normed, delta;  // [tokens, width]
  TensorView query, key, value;        // [tokens, heads or kv_heads, head_dim], columns of one buffer
  TensorView attended;                 // [tokens, heads * head_dim]
  TensorView gate, up;                 // [tokens, feed_forward]
};

TensorView first_rows(TensorView v, std::size_t rows) {
  v.dims[0] = static_cast<std::int64_t>(rows);
  return v;
}

TensorView columns(TensorView v, std::int64_t first, std::int64_t heads, std::int64_t head_dim) {
  v.data += static_cast<std::size_t>(first) * sizeof(float);
  v.rank = 3;
  v.dims = {v.dims[0], heads, head_dim};
  v.strides = {v.strides[0], head_dim, 1};
  return v;
}

// [tokens, heads, head_dim] seen as [tokens, heads * head_dim].
TensorView flat(TensorView v) {
  v.rank = 2;
  v.dims = {v.dims[0], v.dims[1] * v.dims[2]};
  v.strides = {v.strides[0], 1};
  return v;
}

Activations take_activations(ScratchArena& scratch, const DecoderConfig& c, std::int64_t tokens) {
  const auto rows = [&](std::int64_t n) { return scratch.tensor(DType::kF32, {tokens, n}); };
  Activations a;
  a.residual = rows(c.width);
  a.normed = rows(c.width);
  a.delta = rows(c.width);
  const TensorView qkv = rows((c.heads + 2 * c.kv_heads) * c.head_dim);
  a.query = columns(qkv, 0, c.heads, c.head_dim);
  a.key = columns(qkv, c.heads * c.head_dim, c.kv_heads, c.head_dim);
  a.value = columns(qkv, (c.heads + c.kv_heads) * c.head_dim, c.kv_heads, c.head_dim);
  a.attended = rows(c.heads * c.head_dim);
  a.gate = rows(c.feed_forward);
  a.up = rows(c.feed_forward);
  return a;
}

// Moves the wanted rows to the front; they ascend, so a row never lands on one that is still needed.
void keep_rows(TensorView v, std::span<const std::int32_t> rows) {
  const std::size_t bytes = static_cast<std::size_t>(v.cols()) * sizeof(float);
  const std::size_t stride = static_cast<std::size_t>(v.strides[0]) * sizeof(float);
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (static_cast<std::size_t>(rows[i]) != i)
      std::copy_n(v.data + static_cast<std::size_t>(rows[i]) * stride, bytes, v.data + i * stride);
}

const float* bias_of(const TensorView& v) {
  return v.data == nullptr ? nullptr : v.as<float>();
}

// Whether the sketch of the output layer pays: where texts leave too many rows open, whole rows are cheaper,
// and the sketch is tried again after a while. Results are the same either way.
class SketchTrial {
 public:
  static constexpr std::size_t kMostRows = 16;
  bool worth_it() { return rest_ == 0 || --rest_ == 0; }
  void took(double share) {
    mean_ = 0.9 * mean_ + 0.1 * share;
    if (mean_ <= kMostShare) return;
    rest_ = kRest;
    mean_ = kMostShare / 2;
  }

 private:
  static constexpr double kMostShare = 0.2;
  static constexpr int kRest = 256;  // steps
  double mean_ = 0;
  int rest_ = 0;
};

class Decoder final : public Model {
 public:
  Decoder(ModelInfo info, DecoderConfig config, DecoderWeights weights)
      : info_(std::move(info)), config_(std::move(config)), weights_(std::move(weights)) {
    layout_ = {info_.layers, config_.kv_heads, config_.head_dim, DType::kF16};
  }
  const ModelInfo& info() const override { return info_; }
  KvLayout kv_layout() const override { return layout_; }
  void set_layer_probe(LayerProbe probe) override { probe_ = std::move(probe); }
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }
  Status forward(Exec& exec, const StepBatch& batch, StepOutput& output) override;

 private:
  struct Step {
    StepPlan plan;
    Activations act;
    std::array<std::pair<TensorView, TensorView>, kMaxRopeKinds> angles;  // cos, sin of each kind of layer
    std::size_t rows = 0;  // live rows: all tokens, behind the last attention the wanted ones
  };
  void embed(Exec& exec, Step& step) const;
  void take_angles(Exec& exec, Step& step) const;
  void attend(Ops& ops, const DecoderLayer& layer, int index, Step& step) const;
  void feed_forward(Ops& ops, const DecoderLayer& layer, Step& step) const;
  void close_attention(Ops& ops, const DecoderLayer& layer, Step& step) const;
  void run_layers(Ops& ops, Step& step) const;
  void write_logits(Ops& ops, const StepBatch& batch, const Step& step, StepOutput& output);

  ModelInfo info_;
  DecoderConfig config_;
  DecoderWeights weights_;
  KvLayout layout_;
  LayerProbe probe_;
  OpRecorder* recorder_ = nullptr;
  SketchTrial trial_;
};

void Decoder::embed(Exec& exec, Step& step) const {
  float* rows = step.act.residual.as<float>();
  const std::size_t width = static_cast<std::size_t>(config_.width);
  const float scale = config_.embedding_scale;
  exec.threads.parallel_for(step.rows, 64, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t t = begin; t < end; ++t) {
      weights_.embedding.dequantize_row(step.plan.ids[t], {rows + t * width, width});
      if (scale != 1.0f)
        for (std::size_t i = 0; i < width; ++i) rows[t * width + i] *= scale;
    }
  });
}

void Decoder::take_angles(Exec& exec, Step& step) const {
  for (std::size_t kind = 0; kind < config_.rope_frequencies.size(); ++kind) {
    const std::vector<double>& frequencies = config_.rope_frequencies[kind];
    const std::int64_t tokens = static_cast<std::int64_t>(step.rows);
    const std::int64_t dims = static_cast<std::int64_t>(2 * frequencies.size());
    const TensorView cos = exec.scratch.tensor(DType::kF32, {tokens, dims});
    const TensorView sin = exec.scratch.tensor(DType::kF32, {tokens, dims});
    rope_angles(exec, step.plan.positions, frequencies, config_.rope_style, cos, sin);
    step.angles[kind] = {cos, sin};
  }
}

// From the normed residual to the attended values of every token; writes the layer's keys and values.
void Decoder::attend(Ops& ops, const DecoderLayer& layer, int index, Step& step) const {
  const Activations& a = step.act;
  const MatmulJob jobs[] = {{&layer.query, flat(a.query), bias_of(layer.query_bias)},
                            {&layer.key, flat(a.key), bias_of(layer.key_bias)},
                            {&layer.value, flat(a.value), bias_of(layer.value_bias)}};
  ops.matmul(a.normed, jobs);
  if (layer.query_norm.data != nullptr) {
    ops.rms_norm(a.query, layer.query_norm, config_.norm_eps, a.query);
    ops.rms_norm(a.key, layer.key_norm, config_.norm_eps, a.key);
  }
  const auto& [cos, sin] = step.angles[static_cast<std::size_t>(layer.rope)];
  ops.rope(a.query, cos, sin, config_.rope_style);
  ops.rope(a.key, cos, sin, config_.rope_style);
  ops.write_kv(step.plan.slices, index, a.key, a.value);
  ops.paged_attention(step.plan.slices, {index, config_.score_scale, layer.window}, a.query, a.attended);
}

// Output projection, residual sum, norm before the feed-forward block; on the live rows.
void Decoder::close_attention(Ops& ops, const DecoderLayer& layer, Step& step) const {
  const Activations& a = step.act;
  const TensorView delta = first_rows(a.delta, step.rows);
  ops.matmul(first_rows(a.attended, step.rows), layer.output, delta);
  if (layer.post_attention_norm.data != nullptr)
    ops.rms_norm(delta, layer.post_attention_norm, config_.norm_eps, delta);
  ops.add_rms_norm(first_rows(a.residual, step.rows), delta, layer.feed_forward_norm, config_.norm_eps,
                   first_rows(a.normed, step.rows));
}

// Leaves the block's contribution in delta.
void Decoder::feed_forward(Ops& ops, const DecoderLayer& layer, Step& step) const {
  const Activations& a = step.act;
  const TensorView gate = first_rows(a.gate, step.rows), up = first_rows(a.up, step.rows);
  const MatmulJob jobs[] = {{&layer.gate, gate, nullptr}, {&layer.up, up, nullptr}};
  ops.matmul(first_rows(a.normed, step.rows), jobs);
  ops.gated_activation(config_.gate, gate, up, gate);
  const TensorView delta = first_rows(a.delta, step.rows);
  ops.matmul(gate, layer.down, delta);
  if (layer.post_feed_forward_norm.data != nullptr)
    ops.rms_norm(delta, layer.post_feed_forward_norm, config_.norm_eps, delta);
}

void Decoder::run_layers(Ops& ops, Step& step) const {
  const Activations& a = step.act;
  if (probe_) probe_(0, a.residual);
  ops.rms_norm(a.residual, weights_.layers.front().attention_norm, config_.norm_eps, a.normed);
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    const DecoderLayer& layer = weights_.layers[i];
    const bool last = i + 1 == weights_.layers.size();
    attend(ops, layer, static_cast<int>(i), step);
    if (last && !probe_ && step.plan.wanted < step.rows) {  // nobody reads the other rows from here on
      keep_rows(a.attended, step.plan.wanted_rows);
      keep_rows(a.residual, step.plan.wanted_rows);
      step.rows = step.plan.wanted;
      if (step.rows == 0) return;
    }
    close_attention(ops, layer, step);
    feed_forward(ops, layer, step);
    const TensorView next = last ? weights_.final_norm : weights_.layers[i + 1].attention_norm;
    ops.add_rms_norm(first_rows(a.residual, step.rows), first_rows(a.delta, step.rows), next,
                     config_.norm_eps, first_rows(a.normed, step.rows));
    if (probe_) probe_(static_cast<int>(i) + 1, a.residual);
  }
}

// Whole rows as soon as one is wanted: the weights are read in full then.
void Decoder::write_logits(Ops& ops, const StepBatch& batch, const Step& step, StepOutput& output) {
  const TensorView x = first_rows(step.act.normed, step.plan.wanted);
  const TensorView logits = first_rows(output.logits, step.plan.wanted);
  int count = 0;
  bool whole = weights_.sketch.empty() || step.plan.wanted > SketchTrial::kMostRows;
  for (const SequenceSlice& s : batch.slices) {
    if (s.wanted == LogitsWanted::kNone) continue;
    whole = whole || s.largest == 0;
    count = std::max(count, s.largest);
  }
  if (whole || !trial_.worth_it()) return ops.matmul(x, weights_.head, logits);
  const LargestWork work = ops.largest_products(x, weights_.head, weights_.sketch, count, logits);
  const double share = static_cast<double>(work.computed) / static_cast<double>(work.tiles);
  trial_.took(share);
  const double read = static_cast<double>(weights_.sketch.bytes()) +
                      std::min(1.0, share * static_cast<double>(step.plan.wanted)) *
                          static_cast<double>(weights_.head.bytes());
  output.unread_bytes =
      static_cast<std::size_t>(std::max(0.0, static_cast<double>(weights_.head.bytes()) - read));
}

Status Decoder::forward(Exec& exec, const StepBatch& batch, StepOutput& output) {
  if (batch.slices.empty()) return {};
  try {
    const ScratchArena::Mark mark(exec.scratch);
    CONSORT_TRY(plan, plan_step(exec, batch, output, info_, layout_));
    Step step;
    step.plan = plan;
    step.act = take_activations(exec.scratch, config_, static_cast<std::int64_t>(plan.tokens));
    step.rows = plan.tokens;
    embed(exec, step);
    take_angles(exec, step);
    Ops ops(exec, recorder_);
    run_layers(ops, step);
    if (plan.wanted == 0) return {};
    if (step.rows != plan.wanted) keep_rows(step.act.normed, plan.wanted_rows);
    write_logits(ops, batch, step, output);
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of a step", info_.id,
                "lower the tokens in a step or raise the memory limit");
  }
}

}  // namespace

Status check_decoder(const DecoderConfig& c, const WeightSource& source) {
  if (c.heads % c.kv_heads != 0)
    return fail(ErrorKind::kInvalid,
                fmt::format("{} heads do not share {} kv heads evenly", c.heads, c.kv_heads),
                source.location());
  if (c.head_dim % 16 != 0)
    return fail(ErrorKind::kUnsupported, fmt::format("a head size of {} (not a multiple of 16)", c.head_dim),
                source.location());
  if (c.rope_frequencies.size() > kMaxRopeKinds)
    return fail(ErrorKind::kUnsupported, "too many kinds of rotary embedding", source.location());
  for (const auto& frequencies : c.rope_frequencies)
    if (frequencies.empty() || 2 * frequencies.size() > static_cast<std::size_t>(c.head_dim))
      return fail(ErrorKind::kInvalid,
                  fmt::format("{} rotary dimensions in heads of {}", 2 * frequencies.size(), c.head_dim),
                  source.location());
  return {};
}

ModelInfo decoder_info(const LoadContext& context, WeightLoader& loader, const DecoderConfig& config,
                       const DecoderWeights& weights, int context_length) {
  ModelInfo info;
  info.id = context.id;
  info.architecture = loader.source().architecture();
  info.vocab_size = static_cast<int>(weights.embedding.rows());
  info.width = config.width;
  info.layers = static_cast<int>(weights.layers.size());
  info.context_length = context_length;
  const bool tied = weights.head.data() == weights.embedding.data();
  const double lookup = tied ? 0.0 : static_cast<double>(weights.embedding.rows()) * config.width;
  info.flop_per_token = 2.0 * (loader.multiply_adds() - lookup);
  info.flop_per_logits_row = 2.0 * static_cast<double>(weights.head.rows()) * config.width;
  info.flop_per_token_context = 4.0 * config.heads * config.head_dim * info.layers;
  info.weight_bytes = loader.bytes() - (tied ? 0 : weights.embedding.bytes());
  info.kv_bytes_per_token = static_cast<std::size_t>(info.layers) * 2 *
                            static_cast<std::size_t>(config.kv_heads * config.head_dim) * 2;
  info.weights_digest = loader.digest();
  if (const ActivationFormat a = weights.head.activation(); a != ActivationFormat::kInt16)
    info.weights_digest.append(":").append(activation_name(a));  // other numbers from one file
  return info;
}

std::unique_ptr<Model> make_decoder(ModelInfo info, DecoderConfig config, DecoderWeights weights) {
  return std::make_unique<Decoder>(std::move(info), std::move(config), std::move(weights));
}

}  // namespace consort
