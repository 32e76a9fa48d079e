#include "models/layers/weight_loader.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <vector>

#include "models/formats/dequantize.h"

namespace consort {

Result<WeightLoader> WeightLoader::create(const WeightSource& source, LoadContext& context) {
  CONSORT_TRY(arena, WeightArena::create(context.pool, Owner{"weights", context.id}));
  return WeightLoader(source, context, std::move(arena));
}

template <typename Matrix>
Result<Matrix> WeightLoader::packed(const std::string& name, std::int64_t rows, std::int64_t cols) {
  CONSORT_TRY(view, source_->tensor(name, {rows, cols}));
  auto packed = Matrix::pack(arena_, context_->exec, view);
  if (!packed) {
    packed.error().where = fmt::format("{}, tensor {}", source_->location(), name);
    return forward_error(packed);
  }
  multiply_adds_ += static_cast<double>(rows) * static_cast<double>(cols);
  bytes_ += packed->bytes();
  return packed;
}

Result<PackedMatrix> WeightLoader::matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
  return packed<PackedMatrix>(name, rows, cols);
}

Result<Int16Matrix> WeightLoader::int16_matrix(const std::string& name, std::int64_t rows,
                                               std::int64_t cols) {
  return packed<Int16Matrix>(name, rows, cols);
}

RowSketch WeightLoader::sketch(const PackedMatrix& matrix) {
  auto made = RowSketch::make(arena_, context_->exec, matrix);
  return made ? *made : RowSketch{};
}

Result<TensorView> WeightLoader::vector(const std::string& name, std::int64_t n) {
  CONSORT_TRY(view, source_->tensor(name, {n}));
  const DType type = view.dtype;
  if (type != DType::kF32 && type != DType::kF16 && type != DType::kBF16)
    return fail(ErrorKind::kUnsupported, fmt::format("a vector of type {}", dtype_name(type)),
                fmt::format("{}, tensor {}", source_->location(), name));
  std::vector<float> values(static_cast<std::size_t>(n));
  dequantize_row(type, view.data, values.data(), values.size());
  CONSORT_TRY(stored, arena_.copy(values));
  bytes_ += stored.size_bytes();
  return make_view(stored.data(), DType::kF32, {n});
}

Result<TensorView> WeightLoader::optional_vector(const std::string& name, std::int64_t n) {
  if (source_->find(name) == nullptr) return TensorView{};
  return vector(name, n);
}

std::string weights_digest(const WeightSource& source, Exec& exec) {
  const std::vector<TensorEntry>& tensors = source.tensors();
  std::vector<XXH128_hash_t> hashes(tensors.size());
  exec.threads.parallel_for(tensors.size(), 1, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t i = begin; i < end; ++i)
      hashes[i] = XXH3_128bits(tensors[i].view.data, tensors[i].view.bytes());
  });
  std::string record;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorView& view = tensors[i].view;
    record += fmt::format("{} {}", tensors[i].name, dtype_name(view.dtype));
    for (int d = 0; d < view.rank; ++d) record += fmt::format(" {}", view.dims[static_cast<std::size_t>(d)]);
    record += fmt::format(" {:016x}{:016x}\n", hashes[i].high64, hashes[i].low64);
  }
  const XXH128_hash_t all = XXH3_128bits(record.data(), record.size());
  return fmt::format("{:016x}{:016x}", all.high64, all.low64);
}

namespace {

Result<int> in_range(const WeightSource& source, const std::string& key, std::int64_t value, std::int64_t low,
                     std::int64_t high) {
  if (value < low || value > high)
    return fail(ErrorKind::kInvalid, fmt::format("{} is outside [{}, {}]", value, low, high),
                fmt::format("{}, key {}", source.location(), key));
  return static_cast<int>(value);
}

}  // namespace

Result<int> hyper_parameter(const WeightSource& source, const std::string& key, std::int64_t low,
                            std::int64_t high) {
  CONSORT_TRY(value, source.integer(key));
  return in_range(source, key, value, low, high);
}

Result<int> hyper_parameter_or(const WeightSource& source, const std::string& key, std::int64_t fallback,
                               std::int64_t low, std::int64_t high) {
  if (source.meta(key) == nullptr) return in_range(source, key, fallback, low, high);
  return hyper_parameter(source, key, low, high);
}

}  // namespace consort
