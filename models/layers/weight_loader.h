// WeightLoader: turns the tensors of a WeightSource into the packed matrices and float vectors of a model,
// with every dimension checked; what an earlier load has packed comes from the cache. Used by one
// architecture while it loads, on the loading thread.
#pragma once

#include <span>
#include <string>

#include "kernels/exec/weight_arena.h"
#include "kernels/int16_matmul/int16_matmul.h"
#include "kernels/matmul/largest.h"
#include "kernels/matmul/matmul.h"
#include "models/formats/weight_source.h"
#include "models/model.h"
#include "models/packed/packed_load.h"
#include "models/packed/weights_digest.h"

namespace consort {

class WeightLoader {
 public:
  // `variant`: see PackedCache::open.
  static Result<WeightLoader> create(const WeightSource& source, LoadContext& context,
                                     std::string variant = "");

  // [rows, cols] weights, packed. Errors: kNotFound, kInvalid (dims), kUnsupported (type), kMemory.
  Result<PackedMatrix> matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  // The same for products in 16-bit integers; float types only.
  Result<Int16Matrix> int16_matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  // Of a matrix that it made from the tensor `name`; empty where it has none or no memory is left for it.
  // Counts as no weight.
  RowSketch sketch(const std::string& name, const PackedMatrix& matrix);
  // A vector of n floats, whatever plain type the file has.
  Result<TensorView> vector(const std::string& name, std::int64_t n);
  // The same, or an empty view when the file has no such tensor.
  Result<TensorView> optional_vector(const std::string& name, std::int64_t n);

  const WeightSource& source() const { return *source_; }
  // Sums over what was loaded so far: multiply-adds of one token, bytes read for one token.
  double multiply_adds() const { return multiply_adds_; }
  std::size_t bytes() const { return bytes_; }
  // For what an architecture packs itself (convolutions, tables).
  WeightArena& arena() { return arena_; }
  // For what an architecture packs itself and has given names.
  PackedLoad& packed_load() { return packed_; }
  // Of the source; see models/packed.
  const std::string& digest() { return packed_.digest(); }
  // The arena with all weights; call it last: it also stores what was packed for the next load.
  WeightArena take_arena();

 private:
  template <typename Matrix>
  Result<Matrix> packed(PackedKind kind, const std::string& name, std::int64_t rows, std::int64_t cols);
  WeightLoader(const WeightSource& source, LoadContext& context, WeightArena arena, PackedLoad packed)
      : source_(&source), context_(&context), arena_(std::move(arena)), packed_(std::move(packed)) {}
  const WeightSource* source_;
  LoadContext* context_;
  WeightArena arena_;
  PackedLoad packed_;
  double multiply_adds_ = 0;
  std::size_t bytes_ = 0;
};

// A whole hyper-parameter within [low, high]. Errors: kNotFound, kInvalid with key and file.
Result<int> hyper_parameter(const WeightSource& source, const std::string& key, std::int64_t low,
                            std::int64_t high);
Result<int> hyper_parameter_or(const WeightSource& source, const std::string& key, std::int64_t fallback,
                               std::int64_t low, std::int64_t high);

}  // namespace consort
