// The weights of a BERT encoder inside an ONNX file that onnxruntime's dynamic quantisation wrote: three
// tensors (NAME_quantized, _scale, _zero_point) a matrix, the Linears of the layers under numbered names
// (onnx::MatMul_N) in the order of the graph.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/exec/weight_arena.h"
#include "kernels/int16_matmul/int16_matmul.h"
#include "models/arch/bert/config.h"
#include "models/model.h"
#include "models/packed/packed_load.h"

namespace consort::bert {

struct Table;

bool is_quantised(const WeightSource& source, const Config& config);

// Used while loading, on the loading thread. `source` and `packed` must outlive it.
class OnnxWeights {
 public:
  // Errors: kCorrupt when the file has not six numbered matrices a layer; kMemory.
  static Result<OnnxWeights> create(const WeightSource& source, LoadContext& context, const Config& config,
                                    PackedLoad& packed);

  // `name`: as in PyTorch, "encoder.layer.0.attention.self.query". Errors: kNotFound, kInvalid, kUnsupported
  // (a zero point that is not 0), kMemory; the tensor is named.
  Result<Int16Matrix> linear(const std::string& name, std::int64_t rows, std::int64_t cols);
  Result<Table> table(const std::string& name, std::int64_t rows, std::int64_t cols) const;
  std::size_t bytes() const { return bytes_; }
  WeightArena take_arena() { return std::move(arena_); }

 private:
  OnnxWeights(const WeightSource& source, LoadContext& context, PackedLoad& packed, WeightArena arena)
      : source_(&source), context_(&context), packed_(&packed), arena_(std::move(arena)) {}
  std::string base_name(const std::string& name) const;

  const WeightSource* source_;
  LoadContext* context_;
  PackedLoad* packed_;
  WeightArena arena_;
  std::vector<std::string> numbered_;  // base names, six a layer
  std::string prefix_;
  std::size_t bytes_ = 0;
};

}  // namespace consort::bert
