#include "models/arch/gnn/gnn_tensors.h"

#include <fmt/format.h>

#include <cmath>

#include "models/formats/dequantize.h"

namespace consort {
namespace {

constexpr std::int64_t kLargestTensor = std::int64_t{1} << 28;  // elements

}  // namespace

Result<DenseTensor> GnnTensors::take(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const std::string where = source_.location() + ", tensor " + name;
  const TensorEntry* entry = source_.find(name);
  if (entry == nullptr) return fail(ErrorKind::kNotFound, "tensor is missing", where);
  const TensorView& view = entry->view;
  const DenseTensor shape{view.rows(), view.cols(), {}};
  if ((rows >= 0 && shape.rows != rows) || (cols >= 0 && shape.cols != cols) || view.elements() < 1 ||
      view.elements() > kLargestTensor)
    return fail(ErrorKind::kInvalid,
                fmt::format("tensor is {}, expected [{}, {}]", describe(view), rows, cols), where);
  if (view.dtype != DType::kF32 && view.dtype != DType::kF16 && view.dtype != DType::kBF16)
    return fail(ErrorKind::kUnsupported, fmt::format("a tensor of type {}", dtype_name(view.dtype)), where);
  std::vector<float> floats(static_cast<std::size_t>(view.elements()));
  dequantize_row(view.dtype, view.data, floats.data(), floats.size());
  for (const float value : floats)
    if (!std::isfinite(value)) return fail(ErrorKind::kInvalid, "a weight is not a finite number", where);
  read_.insert(name);
  return DenseTensor{shape.rows, shape.cols, {floats.begin(), floats.end()}};
}

Result<DenseTensor> GnnTensors::take_optional(const std::string& name, std::int64_t rows, std::int64_t cols) {
  if (!has(name)) return DenseTensor{};
  return take(name, rows, cols);
}

Result<PackedMatrix> GnnTensors::pack(const DenseTensor& matrix) {
  std::vector<float> floats(matrix.values.begin(), matrix.values.end());
  multiply_adds_ += static_cast<double>(floats.size());
  return PackedMatrix::pack(arena_, context_.exec,
                            make_view(floats.data(), DType::kF32, {matrix.rows, matrix.cols}));
}

Result<TensorView> GnnTensors::keep(const DenseTensor& tensor) {
  if (tensor.empty()) return TensorView{};
  const std::vector<float> floats(tensor.values.begin(), tensor.values.end());
  CONSORT_TRY(kept, arena_.copy(floats));
  if (tensor.rows == 1) return make_view(kept.data(), DType::kF32, {tensor.cols});
  return make_view(kept.data(), DType::kF32, {tensor.rows, tensor.cols});
}

Result<GnnLinear> GnnTensors::linear(const DenseTensor& weight, const DenseTensor& bias) {
  CONSORT_TRY(packed, pack(weight));
  CONSORT_TRY(kept, keep(bias));
  return GnnLinear{packed, kept};
}

Status GnnTensors::all_read() const {
  for (const TensorEntry& entry : source_.tensors())
    if (!read_.contains(entry.name) && !entry.name.ends_with("num_batches_tracked"))
      return fail(ErrorKind::kUnsupported, "a tensor that this network would not use",
                  source_.location() + ", tensor " + entry.name, "check gnn.kind and gnn.layout");
  return {};
}

Result<ChannelFactors> channel_factors(GnnTensors& tensors, const std::string& prefix,
                                       const DenseTensor& bias, std::int64_t width) {
  ChannelFactors factors;
  if (!tensors.has(prefix + "running_mean")) {
    CONSORT_TRY(shift, tensors.keep(bias));
    factors.shift = shift;
    return factors;
  }
  constexpr double kEps = 1e-5;  // torch.nn.BatchNorm1d
  CONSORT_TRY(centre, tensors.take(prefix + "running_mean", 1, width));
  CONSORT_TRY(scale, tensors.take(prefix + "running_var", 1, width));
  CONSORT_TRY(gamma, tensors.take_optional(prefix + "weight", 1, width));
  CONSORT_TRY(beta, tensors.take_optional(prefix + "bias", 1, width));
  for (std::size_t c = 0; c < static_cast<std::size_t>(width); ++c) {
    if (scale.values[c] < 0)
      return fail(ErrorKind::kInvalid, "a negative variance",
                  tensors.source().location() + ", tensor " + prefix + "running_var");
    scale.values[c] = (gamma.empty() ? 1.0 : gamma.values[c]) / std::sqrt(scale.values[c] + kEps);
    if (!bias.empty()) centre.values[c] -= bias.values[c];
  }
  CONSORT_TRY(kept_centre, tensors.keep(centre));
  CONSORT_TRY(kept_scale, tensors.keep(scale));
  CONSORT_TRY(kept_shift, tensors.keep(beta));
  return ChannelFactors{kept_centre, kept_scale, kept_shift};
}

}  // namespace consort
