// What a file says about a graph network, and what its layers are made of. One set of layers serves the
// checkpoints of Hu et al. 2020 ("Strategies for Pre-training Graph Neural Networks", chem/model.py) and nets
// trained with PyTorch Geometric: they differ in self loops, direction, edge terms and where the bias stands.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/channel_affine/channel_affine.h"
#include "kernels/exec/weight_arena.h"
#include "kernels/matmul/matmul.h"
#include "kernels/segment_reduce/segment_reduce.h"
#include "models/formats/weight_source.h"
#include "models/graph/message_graph.h"
#include "models/model.h"

namespace consort {

enum class GnnKind : std::uint8_t { kGcn, kSage, kGat, kGin };

struct GnnConfig {
  GnnKind kind = GnnKind::kGcn;
  bool molecules = false;        // pretrain-gnns: features are rows of tables, SMILES can be read
  bool receive_at_from = false;  // an edge (a, b) brings b's message to a; otherwise a's to b
  SelfLoops loops = SelfLoops::kAdd;
  SegmentReduce pooling = SegmentReduce::kMean;  // of nodes to a graph
  ChannelActivation activation = ChannelActivation::kRelu;
  bool normalise = false;                 // GraphSAGE: a node's output has length 1
  bool edge_weights = false;              // GCN: one number an edge
  float slope = 0.2f;                     // GAT: leaky ReLU
  int node_columns = 0;                   // features of a node: numbers, or row numbers of node_tables
  int edge_columns = 0;                   // features of an edge that the net reads; 0: none
  std::vector<int> node_rows, edge_rows;  // molecules: sizes of the tables
  std::vector<std::string> labels;
};

// z = W h + b where there is a weight.
struct GnnLinear {
  PackedMatrix weight;
  TensorView bias;  // f32 [rows], or without data
};

struct GnnLayer {
  GnnLinear linear;          // GCN, GAT, and GraphSAGE before (molecules) or after (geometric) the mean
  GnnLinear own;             // GraphSAGE, geometric: of the node itself
  TensorView edge_table;     // [kinds, heads * width]: added to a message
  GnnLinear scores;          // GAT: [2 heads, in]: shares of the receiver, then of the sender
  TensorView edge_scores;    // GAT, molecules: [kinds, heads]
  PackedMatrix edge_weight;  // GAT, geometric: [heads, edge columns]
  int heads = 1;
  bool mean_of_heads = false;
  std::vector<GnnLinear> mlp;  // GIN, ReLU between
  float own_factor = 1;        // GIN, geometric: 1 + eps
  ChannelFactors factors;      // batch normalisation and the bias after aggregation
  ChannelActivation activation = ChannelActivation::kNone;
  int in_width = 0, out_width = 0;
};

struct GnnWeights {
  WeightArena arena;
  std::vector<TensorView> node_tables;  // molecules: f32 [rows, width]
  std::vector<GnnLayer> layers;
  GnnLinear head;            // graph-level logits, or empty
  double multiply_adds = 0;  // of one node
};

struct LoadedGnn {
  GnnConfig config;
  GnnWeights weights;
};

// Reads "gnn.layout" (pretrain-gnns | pytorch-geometric) and everything it implies. Errors: kNotFound and
// kInvalid with key or tensor; kUnsupported for a tensor that the forward pass would not use.
Result<LoadedGnn> load_gnn_weights(std::shared_ptr<const WeightSource> source, LoadContext& context);

}  // namespace consort
