// One pass of a graph network over a few graphs that stand one after another: their nodes share the matrix
// products, their edges never meet. Every op works node by node, so neighbours in the batch do not matter.
#pragma once

#include <span>

#include "models/arch/gnn/gnn_sample.h"
#include "models/layers/ops.h"

namespace consort {

// The graphs of a pass as one, in scratch memory.
struct GnnBatch {
  std::int64_t nodes = 0;
  std::span<std::int32_t> offsets, senders, kinds;
  std::span<float> coefficients;  // GCN, else empty
  TensorView edge_features;       // [entries, columns], or without data
  Segments segments() const { return {offsets, senders}; }
};

GnnBatch make_gnn_batch(const GnnConfig& config, std::span<const GnnSample* const> samples,
                        ScratchArena& scratch);

// h of all nodes after the last layer, f32 [nodes, width] in scratch. `probe` as in model.h.
TensorView run_gnn_layers(Ops& ops, const GnnConfig& config, const GnnWeights& weights, const GnnBatch& batch,
                          std::span<const GnnSample* const> samples, const LayerProbe& probe);

}  // namespace consort
