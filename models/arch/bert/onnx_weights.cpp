#include "models/arch/bert/onnx_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "models/arch/bert/weights.h"

namespace consort::bert {
namespace {

constexpr std::string_view kNumbered = "onnx::MatMul_", kQuantised = "_quantized";
// The Linears of a layer in the order of the graph.
constexpr std::string_view kModules[] = {"attention.self.query", "attention.self.key",
                                         "attention.self.value", "attention.output.dense",
                                         "intermediate.dense",   "output.dense"};

std::string place(const WeightSource& source, const std::string& tensor) {
  return fmt::format("{}, tensor {}", source.location(), tensor);
}

// The number of a name onnx::MatMul_N_quantized.
std::optional<int> number_of(std::string_view name) {
  if (!name.starts_with(kNumbered) || !name.ends_with(kQuantised)) return std::nullopt;
  name.remove_prefix(kNumbered.size());
  name.remove_suffix(kQuantised.size());
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

// A scale: one value, or one for each of n outputs; finite and positive.
Result<std::vector<float>> read_scale(const WeightSource& source, const std::string& name, std::int64_t n) {
  const TensorEntry* entry = source.find(name);
  if (entry == nullptr) return fail(ErrorKind::kNotFound, "tensor is missing", place(source, name));
  const TensorView& view = entry->view;
  if (view.dtype != DType::kF32 || view.rank > 1 || (view.elements() != 1 && view.elements() != n))
    return fail(ErrorKind::kInvalid, "a scale " + describe(view) + " that does not fit", place(source, name));
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  std::memcpy(values.data(), view.data, values.size() * sizeof(float));
  for (const float v : values)
    if (!std::isfinite(v) || v <= 0)
      return fail(ErrorKind::kCorrupt, "a scale that is not a positive number", place(source, name));
  return values;
}

}  // namespace

bool is_quantised(const WeightSource& source, const Config& config) {
  return source.find(config.prefix + "embeddings.word_embeddings.weight_quantized") != nullptr;
}

Result<OnnxWeights> OnnxWeights::create(const WeightSource& source, LoadContext& context,
                                        const Config& config, PackedLoad& packed) {
  CONSORT_TRY(arena, WeightArena::create(context.pool, Owner{"weights", context.id}));
  OnnxWeights w(source, context, packed, std::move(arena));
  w.prefix_ = config.prefix;
  std::vector<std::pair<int, std::string>> found;
  for (const TensorEntry& tensor : source.tensors())
    if (const auto number = number_of(tensor.name))
      found.emplace_back(*number, tensor.name.substr(0, tensor.name.size() - kQuantised.size()));
  std::sort(found.begin(), found.end());
  if (found.size() != std::size(kModules) * static_cast<std::size_t>(config.layers))
    return fail(ErrorKind::kCorrupt,
                fmt::format("{} quantised matrices for {} layers", found.size(), config.layers),
                source.location());
  for (auto& [number, name] : found) w.numbered_.push_back(std::move(name));
  return w;
}

std::string OnnxWeights::base_name(const std::string& name) const {
  const std::string start = prefix_ + "encoder.layer.";
  if (!name.starts_with(start)) return name + ".weight";
  const std::size_t dot = name.find('.', start.size());
  const auto layer = static_cast<std::size_t>(std::stoi(name.substr(start.size(), dot - start.size())));
  const auto module = std::find(std::begin(kModules), std::end(kModules), name.substr(dot + 1));
  return numbered_[layer * std::size(kModules) + static_cast<std::size_t>(module - std::begin(kModules))];
}

Result<Int16Matrix> OnnxWeights::linear(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const std::string base = base_name(name);
  CONSORT_TRY(codes, source_->tensor(base + "_quantized", {cols, rows}));  // ONNX: [in, out]
  CONSORT_TRY(scales, read_scale(*source_, base + "_scale", rows));
  const TensorEntry* zero = source_->find(base + "_zero_point");
  if (zero != nullptr && zero->view.dtype != DType::kI8)
    return fail(ErrorKind::kUnsupported, "a zero point of another type than int8",
                place(*source_, base + "_zero_point"));
  if (zero != nullptr)
    for (std::size_t i = 0; i < zero->view.bytes(); ++i)
      if (zero->view.data[i] != std::byte{0})
        return fail(ErrorKind::kUnsupported, "a zero point that is not 0",
                    place(*source_, base + "_zero_point"), "symmetric int8 weights are known");
  PackedKey key{PackedKind::kInt16, codes.dtype, rows, cols, base + "_quantized"};
  if (const auto bytes = packed_->find(key); !bytes.empty())
    if (auto found = Int16Matrix::from_packed(bytes, rows, cols)) {
      bytes_ += found->bytes();
      return found;
    }
  auto packed = Int16Matrix::pack_codes(arena_, context_->exec, codes, scales);
  if (!packed) {
    packed.error().where = place(*source_, base + "_quantized");
    return forward_error(packed);
  }
  packed_->keep(std::move(key), {packed->data(), packed->bytes()});
  bytes_ += packed->bytes();
  return packed;
}

Result<Table> OnnxWeights::table(const std::string& name, std::int64_t rows, std::int64_t cols) const {
  CONSORT_TRY(view, source_->tensor(name + "_quantized", {rows, cols}));
  CONSORT_TRY(zero, source_->tensor(name + "_zero_point", {}));
  CONSORT_TRY(scale, read_scale(*source_, name + "_scale", 1));
  if (view.dtype != DType::kU8 || zero.dtype != DType::kU8)
    return fail(ErrorKind::kUnsupported, "a quantised embedding " + describe(view) + " that is not uint8",
                place(*source_, name + "_quantized"));
  return Table{view, scale[0], std::to_integer<int>(zero.data[0])};
}

}  // namespace consort::bert
