// Magika's content-type network (standard_v3_3): 2,048 bytes of a file to one of 214 labels. A table of byte
// embeddings, a layer norm over positions, one convolution (a matrix product over overlapping rows), the
// largest response of each channel, a linear layer. Weights: the initialisers of its ONNX file. Source:
// Fratantonio et al. 2024, "Magika: AI-powered content-type detection".
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "models/arch/magika/features.h"
#include "models/arch/magika/rules.h"
#include "models/arch/registry.h"
#include "models/formats/dequantize.h"
#include "models/layers/ops.h"
#include "models/layers/weight_loader.h"

namespace consort {
namespace magika {
namespace {

constexpr int kEmbedding = 64, kBytes = 257, kRows = 512, kWidth = 256, kFilter = 5;
constexpr int kPositions = kRows - kFilter + 1, kChannels = 512;
constexpr float kEps = 1e-6f;

const std::string kOuter = "jax2tf_get_logits_/";
const std::string kInner = kOuter + "pjit_get_logits_/MagikaV2/";

float gelu(float x) {
  return 0.5f * x * (1.0f + std::tanh(0.7978846f * (x + 0.044715f * x * x * x)));
}

// The reference's one-pass variance in float32. It cancels for inputs that are mostly padding, and a more
// exact one gives other labels there.
float variance(float sum, float squares, float count_inverse) {
  const float mean = sum * count_inverse;
  return std::max(0.0f, squares * count_inverse - mean * mean);
}

class FileSample final : public Sample {
 public:
  Features features;
};

struct Weights {
  WeightArena arena;
  std::vector<float> table;           // [257][64], bias and gelu applied
  TensorView norm0_gain, norm0_bias;  // [512]: one for each row
  PackedMatrix convolution;           // [512, 5 x 256]
  TensorView convolution_bias;
  TensorView norm1_gain, norm1_bias;
  PackedMatrix dense;  // [classes, 512]
  TensorView dense_bias;
};

class Magika final : public Network {
 public:
  Magika(NetworkInfo info, Rules rules, Weights weights)
      : info_(std::move(info)), rules_(std::move(rules)), weights_(std::move(weights)) {}
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override;
  Status forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) override;
  Decision decide(const Sample& sample, std::span<const float> logits, int top) const override;
  std::optional<Decision> decided(const Sample& sample) const override;
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }

 private:
  void embed(const Features& features, TensorView x) const;
  void normalise_channels(TensorView x) const;
  void largest_responses(TensorView z, float* pooled) const;

  NetworkInfo info_;
  Rules rules_;
  Weights weights_;
  OpRecorder* recorder_ = nullptr;
};

Result<std::unique_ptr<Sample>> Magika::prepare(const NetworkInput& input) const {
  if (input.kind != InputKind::kFile)
    return fail(ErrorKind::kUnsupported,
                fmt::format("the model takes a file, not a {}", input_kind_name(input.kind)), info_.id);
  auto sample = std::make_unique<FileSample>();
  sample->features = read_features(input.bytes);
  sample->tokens = kTokens;
  sample->flop = info_.flop_per_token * kTokens;
  return sample;
}

void Magika::embed(const Features& features, TensorView x) const {
  for (int t = 0; t < kTokens; ++t)
    std::copy_n(weights_.table.data() + features.tokens[static_cast<std::size_t>(t)] * kEmbedding, kEmbedding,
                x.as<float>() + t * kEmbedding);
}

// For each of the 256 channels over the 512 rows; gain and bias belong to the row.
void Magika::normalise_channels(TensorView x) const {
  float sum[kWidth] = {}, squares[kWidth] = {}, inverse[kWidth];
  float* values = x.as<float>();
  for (int r = 0; r < kRows; ++r)
    for (int c = 0; c < kWidth; ++c) {
      const float v = values[r * kWidth + c];
      sum[c] += v;
      squares[c] += v * v;
    }
  for (int c = 0; c < kWidth; ++c) {
    inverse[c] = 1.0f / std::sqrt(variance(sum[c], squares[c], 1.0f / kRows) + kEps);
    sum[c] *= 1.0f / kRows;
  }
  for (int r = 0; r < kRows; ++r) {
    const float gain = weights_.norm0_gain.as<float>()[r], bias = weights_.norm0_bias.as<float>()[r];
    for (int c = 0; c < kWidth; ++c) {
      float& v = values[r * kWidth + c];
      v = (v - sum[c]) * (gain * inverse[c]) + bias;
    }
  }
}

// The maximum over positions of gelu. Gelu falls, then rises: over any set it is largest at the smallest or
// the largest argument, so two evaluations a channel do.
void Magika::largest_responses(TensorView z, float* pooled) const {
  float low[kChannels], high[kChannels];
  const float* row = z.as<float>();
  std::copy_n(row, kChannels, low);
  std::copy_n(row, kChannels, high);
  for (int p = 1; p < kPositions; ++p) {
    row += kChannels;
    for (int c = 0; c < kChannels; ++c) {
      low[c] = std::min(low[c], row[c]);
      high[c] = std::max(high[c], row[c]);
    }
  }
  float sum = 0, squares = 0;
  for (int c = 0; c < kChannels; ++c) {
    pooled[c] = std::max(gelu(low[c]), gelu(high[c]));
    sum += pooled[c];
    squares += pooled[c] * pooled[c];
  }
  const float mean = sum * (1.0f / kChannels);
  const float inverse = 1.0f / std::sqrt(variance(sum, squares, 1.0f / kChannels) + kEps);
  for (int c = 0; c < kChannels; ++c)
    pooled[c] = (pooled[c] - mean) * (weights_.norm1_gain.as<float>()[c] * inverse) +
                weights_.norm1_bias.as<float>()[c];
}

Status Magika::forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) {
  if (output.embeddings.data != nullptr)
    return fail(ErrorKind::kUnsupported, "the model classifies files, it has no embedding", info_.id);
  const auto n = static_cast<std::int64_t>(samples.size());
  const TensorView& logits = output.logits;
  if (logits.data == nullptr || n == 0) return {};
  if (logits.rows() != n || logits.cols() != info_.classes || logits.dtype != DType::kF32 ||
      !logits.contiguous())
    return fail(ErrorKind::kInvalid, fmt::format("{} rows of logits do not fit {}", n, describe(logits)),
                info_.id);
  try {
    const ScratchArena::Mark mark(exec.scratch);
    Ops ops(exec, recorder_);
    const TensorView x = exec.scratch.tensor(DType::kF32, {kRows, kWidth});
    const TensorView z = exec.scratch.tensor(DType::kF32, {kPositions, kChannels});
    const TensorView pooled = exec.scratch.tensor(DType::kF32, {n, kChannels});
    TensorView windows = make_view(x.data, DType::kF32, {kPositions, kFilter * kWidth});
    windows.strides[0] = kWidth;  // rows r .. r + 4 lie one after another: the windows overlap
    for (std::int64_t i = 0; i < n; ++i) {
      embed(static_cast<const FileSample&>(*samples[static_cast<std::size_t>(i)]).features, x);
      normalise_channels(x);
      ops.matmul(windows, weights_.convolution, z, weights_.convolution_bias.as<float>());
      largest_responses(z, pooled.as<float>() + i * kChannels);
    }
    ops.matmul(pooled, weights_.dense, logits, weights_.dense_bias.as<float>());
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of a classifier", info_.id);
  }
}

Decision Magika::decide(const Sample& sample, std::span<const float> logits, int top) const {
  if (auto without = decided(sample)) return *without;
  std::vector<double> probabilities(logits.begin(), logits.end());
  if (probabilities.empty()) return {};
  const double best = *std::max_element(probabilities.begin(), probabilities.end());
  double sum = 0;
  for (double& p : probabilities) sum += p = std::exp(p - best);
  for (double& p : probabilities) p /= sum;
  return rules_.decide(probabilities, Mode::kHighConfidence, top);
}

std::optional<Decision> Magika::decided(const Sample& sample) const {
  const std::string& label = static_cast<const FileSample&>(sample).features.label;
  if (label.empty()) return std::nullopt;
  Decision decision;
  decision.labels.push_back({label, 1.0});
  return decision;
}

// ---- loading

// A plain tensor as floats, whatever its dims; `n` elements.
Result<std::vector<float>> floats(const WeightSource& source, const std::string& name, std::int64_t n) {
  const std::string where = fmt::format("{}, tensor {}", source.location(), name);
  const TensorEntry* entry = source.find(name);
  if (entry == nullptr) return fail(ErrorKind::kNotFound, "tensor is missing", where);
  if (entry->view.dtype != DType::kF32 || entry->view.elements() != n)
    return fail(ErrorKind::kInvalid, fmt::format("{} where {} floats belong", describe(entry->view), n),
                where);
  std::vector<float> values(static_cast<std::size_t>(n));
  dequantize_row(DType::kF32, entry->view.data, values.data(), values.size());
  return values;
}

class Loader {
 public:
  Loader(const WeightSource& source, LoadContext& context, WeightArena& arena)
      : source_(source), context_(context), arena_(arena) {}
  Result<TensorView> vector(const std::string& name, std::int64_t n) {
    CONSORT_TRY(values, floats(source_, name, n));
    CONSORT_TRY(stored, arena_.copy(values));
    bytes += stored.size_bytes();
    return make_view(stored.data(), DType::kF32, {n});
  }
  Result<PackedMatrix> matrix(std::vector<float>& values, std::int64_t rows, std::int64_t cols) {
    CONSORT_TRY(packed, PackedMatrix::pack(arena_, context_.exec,
                                           make_view(values.data(), DType::kF32, {rows, cols})));
    bytes += packed.bytes();
    return packed;
  }
  // [257][64] after bias and gelu.
  Result<std::vector<float>> table() {
    CONSORT_TRY(values, floats(source_, kOuter + "Const:0", kBytes * kEmbedding));
    CONSORT_TRY(bias, floats(source_, kInner + "Dense_0/Reshape:0", kEmbedding));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = gelu(values[i] + bias[i % kEmbedding]);
    return values;
  }
  // [out][channel][k] becomes [out][k][channel], the order of neighbouring rows in memory.
  Result<PackedMatrix> convolution() {
    CONSORT_TRY(from, floats(source_, kInner + "Conv_0/transpose_3:0", kChannels * kWidth * kFilter));
    std::vector<float> to(from.size());
    for (int o = 0; o < kChannels; ++o)
      for (int c = 0; c < kWidth; ++c)
        for (int k = 0; k < kFilter; ++k)
          to[static_cast<std::size_t>((o * kFilter + k) * kWidth + c)] =
              from[static_cast<std::size_t>((o * kWidth + c) * kFilter + k)];
    return matrix(to, kChannels, kFilter * kWidth);
  }
  Result<PackedMatrix> dense(int classes) {
    CONSORT_TRY(from, floats(source_, kOuter + "Const_24:0", kChannels * classes));
    std::vector<float> to(from.size());
    for (int i = 0; i < kChannels; ++i)
      for (int o = 0; o < classes; ++o)
        to[static_cast<std::size_t>(o * kChannels + i)] = from[static_cast<std::size_t>(i * classes + o)];
    return matrix(to, classes, kChannels);
  }
  std::size_t bytes = 0;

 private:
  const WeightSource& source_;
  LoadContext& context_;
  WeightArena& arena_;
};

Result<Weights> load_weights(const WeightSource& source, LoadContext& context, int classes,
                             std::size_t& bytes) {
  Weights w;
  CONSORT_TRY(arena, WeightArena::create(context.pool, Owner{"weights", context.id}));
  w.arena = std::move(arena);
  Loader loader(source, context, w.arena);
  CONSORT_TRY(table, loader.table());
  CONSORT_TRY(norm0_gain, loader.vector(kInner + "LayerNorm_0/Reshape_2:0", kRows));
  CONSORT_TRY(norm0_bias, loader.vector(kInner + "LayerNorm_0/Reshape_3:0", kRows));
  CONSORT_TRY(convolution, loader.convolution());
  CONSORT_TRY(convolution_bias, loader.vector("const_fold_opt__209", kChannels));
  CONSORT_TRY(norm1_gain, loader.vector(kInner + "LayerNorm_1/Reshape_2:0", kChannels));
  CONSORT_TRY(norm1_bias, loader.vector(kInner + "LayerNorm_1/Reshape_3:0", kChannels));
  CONSORT_TRY(dense, loader.dense(classes));
  CONSORT_TRY(dense_bias, loader.vector(kInner + "Dense_1/Reshape:0", classes));
  w.table = std::move(table);
  w.norm0_gain = norm0_gain;
  w.norm0_bias = norm0_bias;
  w.convolution = convolution;
  w.convolution_bias = convolution_bias;
  w.norm1_gain = norm1_gain;
  w.norm1_bias = norm1_bias;
  w.dense = dense;
  w.dense_bias = dense_bias;
  bytes = loader.bytes + w.table.size() * sizeof(float);
  return w;
}

Result<std::unique_ptr<Network>> load(std::shared_ptr<const WeightSource> source,
                                      std::shared_ptr<const Tokenizer>, LoadContext& context) {
  CONSORT_TRY(rules, Rules::load(source->location()));
  NetworkInfo info;
  info.id = context.id;
  info.architecture = "magika";
  info.inputs = {InputKind::kFile};
  info.classes = static_cast<int>(rules.labels().size());
  info.labels = rules.labels();
  info.flop_per_token = 2.0 * kPositions * kChannels * kFilter * kWidth / kTokens;
  info.weights_digest = weights_digest(*source, context.exec);
  CONSORT_TRY(weights, load_weights(*source, context, info.classes, info.weight_bytes));
  return std::make_unique<Magika>(std::move(info), std::move(rules), std::move(weights));
}

}  // namespace
}  // namespace magika

Architecture magika_architecture() {
  Architecture a;
  a.name = "magika";
  a.load_network = magika::load;
  return a;
}

}  // namespace consort
