#include "models/layers/weight_loader.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "models/formats/dequantize.h"

namespace consort {

Result<WeightLoader> WeightLoader::create(const WeightSource& source, LoadContext& context,
                                          std::string variant) {
  CONSORT_TRY(packed, PackedLoad::begin(source, context, std::move(variant)));
  CONSORT_TRY(arena, WeightArena::create(context.pool, Owner{"weights", context.id}));
  return WeightLoader(source, context, std::move(arena), std::move(packed));
}

namespace {

// The matrix from bytes packed earlier; nullopt when they are not those of such a matrix.
std::optional<PackedMatrix> unpacked(PackedMatrix*, std::span<const std::byte> bytes, const PackedKey& key) {
  if (bytes.empty()) return std::nullopt;
  auto matrix = PackedMatrix::from_packed(bytes, key.dtype, key.rows, key.cols);
  return matrix ? std::optional(*matrix) : std::nullopt;
}
std::optional<Int16Matrix> unpacked(Int16Matrix*, std::span<const std::byte> bytes, const PackedKey& key) {
  if (bytes.empty()) return std::nullopt;
  auto matrix = Int16Matrix::from_packed(bytes, key.rows, key.cols);
  return matrix ? std::optional(*matrix) : std::nullopt;
}

}  // namespace

template <typename Matrix>
Result<Matrix> WeightLoader::packed(PackedKind kind, const std::string& name, std::int64_t rows,
                                    std::int64_t cols) {
  CONSORT_TRY(view, source_->tensor(name, {rows, cols}));
  PackedKey key{kind, view.dtype, rows, cols, name};
  std::optional<Matrix> found = unpacked(static_cast<Matrix*>(nullptr), packed_.find(key), key);
  if (!found) {
    auto made = Matrix::pack(arena_, context_->exec, view);
    if (!made) {
      made.error().where = fmt::format("{}, tensor {}", source_->location(), name);
      return forward_error(made);
    }
    packed_.keep(std::move(key), {made->data(), made->bytes()});
    found = *made;
  }
  multiply_adds_ += static_cast<double>(rows) * static_cast<double>(cols);
  bytes_ += found->bytes();
  return *found;
}

Result<PackedMatrix> WeightLoader::matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
  CONSORT_TRY(matrix, packed<PackedMatrix>(PackedKind::kMatrix, name, rows, cols));
  matrix.set_activation(context_->activations);
  return matrix;
}

Result<Int16Matrix> WeightLoader::int16_matrix(const std::string& name, std::int64_t rows,
                                               std::int64_t cols) {
  return packed<Int16Matrix>(PackedKind::kInt16, name, rows, cols);
}

RowSketch WeightLoader::sketch(const std::string& name, const PackedMatrix& matrix) {
  PackedKey key{PackedKind::kSketch, matrix.dtype(), matrix.rows(), matrix.cols(), name};
  if (const auto bytes = packed_.find(key); !bytes.empty())
    if (auto found = RowSketch::from_packed(bytes, key.rows, key.cols)) return *found;
  auto made = RowSketch::make(arena_, context_->exec, matrix);
  if (!made || made->empty()) return {};
  packed_.keep(std::move(key), {made->tiles(), made->bytes()});
  return *made;
}

Result<TensorView> WeightLoader::vector(const std::string& name, std::int64_t n) {
  CONSORT_TRY(view, source_->tensor(name, {n}));
  const DType type = view.dtype;
  if (type != DType::kF32 && type != DType::kF16 && type != DType::kBF16)
    return fail(ErrorKind::kUnsupported, fmt::format("a vector of type {}", dtype_name(type)),
                fmt::format("{}, tensor {}", source_->location(), name));
  PackedKey key{PackedKind::kVector, type, 1, n, name};
  std::span<const std::byte> stored = packed_.find(key);
  if (stored.size() != static_cast<std::size_t>(n) * sizeof(float)) {
    std::vector<float> values(static_cast<std::size_t>(n));
    dequantize_row(type, view.data, values.data(), values.size());
    CONSORT_TRY(copied, arena_.copy(values));
    stored = std::as_bytes(copied);
    packed_.keep(std::move(key), stored);
  }
  bytes_ += stored.size();
  return make_view(const_cast<std::byte*>(stored.data()), DType::kF32, {n});
}

WeightArena WeightLoader::take_arena() {
  arena_.hold(packed_.finish());
  return std::move(arena_);
}

Result<TensorView> WeightLoader::optional_vector(const std::string& name, std::int64_t n) {
  if (source_->find(name) == nullptr) return TensorView{};
  return vector(name, n);
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
