// The tensors of a graph network while it loads: small enough to be folded in double. Remembers what was
// read, so that a tensor nobody reads is noticed. Thread: the loading thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "models/arch/gnn/gnn_config.h"

namespace consort {

struct DenseTensor {
  std::int64_t rows = 0, cols = 0;  // a vector has one row
  std::vector<double> values;
  bool empty() const { return values.empty(); }
  double at(std::int64_t r, std::int64_t c) const { return values[static_cast<std::size_t>(r * cols + c)]; }
};

class GnnTensors {
 public:
  GnnTensors(const WeightSource& source, LoadContext& context, WeightArena arena)
      : source_(source), context_(context), arena_(std::move(arena)) {}

  const WeightSource& source() const { return source_; }
  bool has(const std::string& name) const { return source_.find(name) != nullptr; }
  // The tensor as [rows, cols]; -1 takes any number. Leading dimensions of 1 are passed over for vectors
  // (rows = 1). Errors: kNotFound, kInvalid (shape, a value that is not finite), kUnsupported (type).
  Result<DenseTensor> take(const std::string& name, std::int64_t rows, std::int64_t cols);
  // The same, or an empty tensor.
  Result<DenseTensor> take_optional(const std::string& name, std::int64_t rows, std::int64_t cols);

  // Into the model's memory.
  Result<PackedMatrix> pack(const DenseTensor& matrix);
  Result<TensorView> keep(const DenseTensor& tensor);  // an empty one gives a view without data
  Result<GnnLinear> linear(const DenseTensor& weight, const DenseTensor& bias);

  Status all_read() const;
  WeightArena take_arena() { return std::move(arena_); }
  double multiply_adds() const { return multiply_adds_; }

 private:
  const WeightSource& source_;
  LoadContext& context_;
  WeightArena arena_;
  std::set<std::string, std::less<>> read_;
  double multiply_adds_ = 0;
};

// Batch normalisation under `prefix` (weight, bias, running_mean, running_var) of what `bias`, which may be
// empty, is added to first; in the model's memory.
Result<ChannelFactors> channel_factors(GnnTensors& tensors, const std::string& prefix,
                                       const DenseTensor& bias, std::int64_t width);

Result<LoadedGnn> load_pretrain_gnns(GnnTensors& tensors, GnnKind kind);
Result<LoadedGnn> load_geometric(GnnTensors& tensors, GnnKind kind);

}  // namespace consort
