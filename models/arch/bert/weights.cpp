#include "models/arch/bert/weights.h"

#include <fmt/format.h>

#include <array>
#include <cassert>

#include "models/arch/bert/onnx_weights.h"
#include "models/formats/dequantize.h"

namespace consort::bert {
namespace {

struct Loader {
  WeightLoader& tensors;
  OnnxWeights* quantised;  // null for float files
  const Config& config;
  Precision precision;

  Result<Linear> linear(const std::string& name, std::int64_t rows, std::int64_t cols) {
    Linear l;
    CONSORT_TRY(bias, tensors.vector(name + ".bias", rows));
    l.bias = bias;
    if (quantised != nullptr) {
      CONSORT_TRY(weight, quantised->linear(name, rows, cols));
      l.integer = weight;
    } else if (precision == Precision::kInt16) {
      CONSORT_TRY(weight, tensors.int16_matrix(name + ".weight", rows, cols));
      l.integer = weight;
    } else {
      CONSORT_TRY(weight, tensors.matrix(name + ".weight", rows, cols));
      l.plain = weight;
    }
    return l;
  }
  Result<Norm> norm(const std::string& name) {
    CONSORT_TRY(weight, tensors.vector(name + ".weight", config.width));
    CONSORT_TRY(bias, tensors.vector(name + ".bias", config.width));
    return Norm{weight, bias};
  }
  Result<Table> table(const std::string& name, std::int64_t rows) {
    if (quantised != nullptr) return quantised->table(name, rows, config.width);
    CONSORT_TRY(view, tensors.source().tensor(name, {rows, config.width}));
    if (view.dtype != DType::kF32 && view.dtype != DType::kF16 && view.dtype != DType::kBF16)
      return fail(ErrorKind::kUnsupported, fmt::format("an embedding of type {}", dtype_name(view.dtype)),
                  fmt::format("{}, tensor {}", tensors.source().location(), name));
    return Table{view};
  }
  Result<Layer> layer(const std::string& prefix) {
    const int w = config.width;
    CONSORT_TRY(query, linear(prefix + "attention.self.query", w, w));
    CONSORT_TRY(key, linear(prefix + "attention.self.key", w, w));
    CONSORT_TRY(value, linear(prefix + "attention.self.value", w, w));
    CONSORT_TRY(output, linear(prefix + "attention.output.dense", w, w));
    CONSORT_TRY(attention_norm, norm(prefix + "attention.output.LayerNorm"));
    CONSORT_TRY(up, linear(prefix + "intermediate.dense", config.feed_forward, w));
    CONSORT_TRY(down, linear(prefix + "output.dense", w, config.feed_forward));
    CONSORT_TRY(output_norm, norm(prefix + "output.LayerNorm"));
    return Layer{query, key, value, output, up, down, attention_norm, output_norm};
  }
};

Status load_into(Weights& w, Loader& loader) {
  const Config& c = loader.config;
  const std::string embeddings = c.prefix + "embeddings.";
  CONSORT_TRY(words, loader.table(embeddings + "word_embeddings.weight", c.vocab));
  CONSORT_TRY(positions, loader.table(embeddings + "position_embeddings.weight", c.positions));
  CONSORT_TRY(types, loader.table(embeddings + "token_type_embeddings.weight", -1));
  CONSORT_TRY(embedding_norm, loader.norm(embeddings + "LayerNorm"));
  const std::int64_t needed = c.head == Head::kScore ? 2 : 1;
  if (types.view.rows() < needed)
    return fail(ErrorKind::kInvalid, "too few token type embeddings", w.source->location());
  w.words = words;
  w.positions = positions;
  w.types = types;
  w.embedding_norm = embedding_norm;
  for (int i = 0; i < c.layers; ++i) {
    CONSORT_TRY(layer, loader.layer(fmt::format("{}encoder.layer.{}.", c.prefix, i)));
    w.layers.push_back(layer);
  }
  const double width = c.width;
  w.multiply_adds = c.layers * width * (4 * width + 2.0 * c.feed_forward);
  if (c.head != Head::kScore) return {};
  CONSORT_TRY(pooler, loader.linear(c.prefix + "pooler.dense", c.width, c.width));
  CONSORT_TRY(classifier, loader.linear("classifier", c.classes, c.width));
  w.pooler = pooler;
  w.classifier = classifier;
  return {};
}

}  // namespace

void apply(Ops& ops, TensorView x, std::initializer_list<LinearJob> jobs) {
  assert(jobs.size() <= 3);
  std::array<MatmulJob, 3> plain;
  std::array<Int16Job, 3> integer;
  std::size_t plains = 0, integers = 0;
  for (const LinearJob& job : jobs) {
    const auto* bias = job.linear->bias.as<const float>();
    if (job.linear->integer.empty())
      plain[plains++] = MatmulJob{&job.linear->plain, job.out, bias};
    else
      integer[integers++] = Int16Job{&job.linear->integer, job.out, bias};
  }
  if (plains > 0) ops.matmul(x, std::span<const MatmulJob>(plain.data(), plains));
  if (integers > 0) ops.int16_matmul(x, std::span<const Int16Job>(integer.data(), integers));
}

void Table::add_row(std::int64_t row, std::span<float> buffer, float* out, bool first) const {
  const std::size_t n = buffer.size();
  const std::byte* from = view.data + static_cast<std::size_t>(row) * row_bytes(view.dtype, n);
  if (view.dtype == DType::kU8)
    for (std::size_t i = 0; i < n; ++i)
      buffer[i] = scale * static_cast<float>(std::to_integer<int>(from[i]) - zero_point);
  else
    dequantize_row(view.dtype, from, buffer.data(), n);
  for (std::size_t i = 0; i < n; ++i) out[i] = first ? buffer[i] : out[i] + buffer[i];
}

Result<Weights> load_weights(std::shared_ptr<const WeightSource> source, LoadContext& context,
                             const Config& config) {
  Weights w;
  w.source = std::move(source);
  const bool codes = is_quantised(*w.source, config);
  const bool rounded = !codes && context.precision == Precision::kInt16;
  CONSORT_TRY(tensors, WeightLoader::create(*w.source, context, rounded ? "int16" : ""));
  std::optional<OnnxWeights> quantised;
  if (codes) {
    CONSORT_TRY(found, OnnxWeights::create(*w.source, context, config, tensors.packed_load()));
    quantised.emplace(std::move(found));
  }
  Loader loader{tensors, quantised ? &*quantised : nullptr, config, context.precision};
  CONSORT_CHECK_OK(load_into(w, loader));
  w.bytes = tensors.bytes() + (quantised ? quantised->bytes() : 0);
  w.digest = tensors.digest();
  w.arena = tensors.take_arena();
  if (quantised) w.integer_arena = quantised->take_arena();
  return w;
}

}  // namespace consort::bert
