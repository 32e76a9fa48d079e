// The weights of EfficientNet-Lite0, ready for the forward pass: batch norms folded into the convolutions.
#pragma once

#include <memory>
#include <vector>

#include "kernels/conv2d/conv2d.h"
#include "models/arch/efficientnet_lite/blocks.h"
#include "models/layers/weight_loader.h"

namespace consort::efficientnet {

struct BlockWeights {
  ConvWeights expand;                    // empty in block 0
  TensorView depthwise, depthwise_bias;  // f32 [kernel, kernel, hidden], [hidden]
  ConvWeights project;
};

struct Weights {
  WeightArena arena;  // before what points into it
  ConvWeights stem, head;
  std::vector<BlockWeights> blocks;
  PackedMatrix classifier;
  TensorView classifier_bias;
  std::size_t bytes = 0;
};

// Errors: kNotFound and kInvalid for missing tensors and other shapes, kUnsupported for types other than f32,
// f16 and bf16, kMemory.
Result<Weights> load_weights(const WeightSource& source, LoadContext& context);

// Multiply-adds of one picture.
double multiply_adds();

}  // namespace consort::efficientnet
