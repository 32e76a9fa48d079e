// The weights of a BERT encoder: floats from safetensors, or int8 with scales from an ONNX file of dynamic
// quantisation. A Linear hides which of the two it is, and in which arithmetic it is multiplied.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/int16_matmul/int16_matmul.h"
#include "kernels/matmul/matmul.h"
#include "models/arch/bert/config.h"
#include "models/layers/ops.h"
#include "models/layers/weight_loader.h"

namespace consort::bert {

struct Linear {
  PackedMatrix plain;
  Int16Matrix integer;  // instead of `plain`: quantised files, Precision::kInt16
  TensorView bias;
};
// One product of x: y = x W^T + bias.
struct LinearJob {
  const Linear* linear;
  TensorView out;
};
// All jobs over the same x. REQUIRES: at most 3 jobs, of the same kind.
void apply(Ops& ops, TensorView x, std::initializer_list<LinearJob> jobs);

struct Norm {
  TensorView weight, bias;
};
struct Layer {
  Linear query, key, value, output, up, down;
  Norm attention_norm, output_norm;
};

// An embedding table that stays in the mapped file: only the rows of a text are ever read.
struct Table {
  TensorView view;  // f32, f16, bf16, or u8: scale (code - zero_point)
  float scale = 1;
  int zero_point = 0;
  // out = row, or out += row. buffer: as long as a row.
  void add_row(std::int64_t row, std::span<float> buffer, float* out, bool first) const;
};

struct Weights {
  std::shared_ptr<const WeightSource> source;  // keeps the tables mapped
  WeightArena arena, integer_arena;
  Table words, positions, types;
  Norm embedding_norm;
  std::vector<Layer> layers;
  Linear pooler, classifier;  // Head::kScore
  double multiply_adds = 0;   // of one token through the layers
  std::size_t bytes = 0;      // read for one token
  std::string digest;         // of the source
};

// Errors: kNotFound, kInvalid (shapes), kUnsupported (types), kMemory; the tensor is named.
Result<Weights> load_weights(std::shared_ptr<const WeightSource> source, LoadContext& context,
                             const Config& config);

}  // namespace consort::bert
