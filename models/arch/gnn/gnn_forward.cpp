#include "models/arch/gnn/gnn_forward.h"

#include <algorithm>
#include <cstring>

#include "kernels/edge_softmax/edge_softmax.h"
#include "kernels/gather/gather.h"
#include "kernels/pooling/pooling.h"

namespace consort {
namespace {

TensorView columns_of(TensorView v, std::int64_t first, std::int64_t count) {
  v.data += static_cast<std::size_t>(first) * sizeof(float);
  v.dims[1] = count;
  return v;
}

TensorView product(Ops& ops, TensorView x, const GnnLinear& linear) {
  const TensorView z = ops.exec().scratch.tensor(DType::kF32, {x.rows(), linear.weight.rows()});
  ops.matmul(x, linear.weight, z, linear.bias.data != nullptr ? linear.bias.as<float>() : nullptr);
  return z;
}

// Node features: rows of the tables added up, or the numbers themselves.
TensorView embed_nodes(Exec& exec, const GnnConfig& config, const GnnWeights& weights, const GnnBatch& batch,
                       std::span<const GnnSample* const> samples) {
  const std::int64_t width = weights.layers.front().in_width;
  const TensorView h = exec.scratch.tensor(DType::kF32, {batch.nodes, width});
  std::size_t first = 0;
  for (const GnnSample* sample : samples) {
    const auto nodes = static_cast<std::size_t>(sample->tokens);
    TensorView rows = h;
    rows.data += first * static_cast<std::size_t>(width) * sizeof(float);
    rows.dims[0] = sample->tokens;
    if (config.molecules)
      for (std::size_t t = 0; t < weights.node_tables.size(); ++t) {
        const std::span<const std::int32_t> ids(sample->node_ids.data() + t * nodes, nodes);
        if (t == 0)
          gather(exec, weights.node_tables[t], ids, rows);
        else
          gather_add(exec, weights.node_tables[t], ids, rows);
      }
    else
      std::memcpy(rows.data, sample->features.data(), sample->features.size() * sizeof(float));
    first += nodes;
  }
  return h;
}

TensorView run_gcn(Ops& ops, const GnnLayer& layer, const GnnBatch& batch, TensorView h) {
  const TensorView z = product(ops, h, layer.linear);
  const TensorView out = ops.exec().scratch.tensor(DType::kF32, {batch.nodes, layer.out_width});
  ops.segment_reduce(SegmentReduce::kSum,
                     {z, batch.segments(), layer.edge_table, batch.kinds, batch.coefficients}, out);
  return out;
}

// Molecules: the mean of W h + b + e. Geometric: W (mean of h) + b + V h.
TensorView run_sage(Ops& ops, const GnnConfig& config, const GnnLayer& layer, const GnnBatch& batch,
                    TensorView h) {
  TensorView out;
  if (config.molecules) {
    const TensorView z = product(ops, h, layer.linear);
    out = ops.exec().scratch.tensor(DType::kF32, {batch.nodes, layer.out_width});
    ops.segment_reduce(SegmentReduce::kMean, {z, batch.segments(), layer.edge_table, batch.kinds}, out);
  } else {
    const TensorView mean = ops.exec().scratch.tensor(DType::kF32, {batch.nodes, layer.in_width});
    ops.segment_reduce(SegmentReduce::kMean, {h, batch.segments()}, mean);
    out = product(ops, mean, layer.linear);
    if (!layer.own.weight.empty()) ops.add(out, product(ops, h, layer.own));
  }
  if (config.normalise) l2_normalise(ops.exec(), out);
  return out;
}

TensorView run_gat(Ops& ops, const GnnConfig& config, const GnnLayer& layer, const GnnBatch& batch,
                   TensorView h) {
  ScratchArena& scratch = ops.exec().scratch;
  const TensorView z = product(ops, h, layer.linear);
  const TensorView shares = product(ops, h, layer.scores);
  EdgeScores scores{columns_of(shares, 0, layer.heads),
                    columns_of(shares, layer.heads, layer.heads),
                    batch.segments(),
                    layer.edge_scores,
                    batch.kinds,
                    config.slope};
  const std::size_t entries = batch.senders.size();
  if (!layer.edge_weight.empty() && entries > 0) {
    scores.table = scratch.tensor(DType::kF32, {static_cast<std::int64_t>(entries), layer.heads});
    ops.matmul(batch.edge_features, layer.edge_weight, scores.table);
    const std::span<std::int32_t> own_rows = scratch.take_array<std::int32_t>(entries);
    for (std::size_t e = 0; e < entries; ++e) own_rows[e] = static_cast<std::int32_t>(e);
    scores.kinds = own_rows;
  }
  const std::span<float> weights = scratch.take_array<float>(entries * static_cast<std::size_t>(layer.heads));
  ops.edge_softmax(scores, weights);
  const TensorView out = scratch.tensor(DType::kF32, {batch.nodes, layer.out_width});
  ops.segment_reduce(
      SegmentReduce::kSum,
      {z, batch.segments(), layer.edge_table, batch.kinds, weights, layer.heads, layer.mean_of_heads}, out);
  return out;
}

// MLP((1 + eps) h_i + sum of h_j (+ e)); the node itself is the added loop.
TensorView run_gin(Ops& ops, const GnnConfig& config, const GnnLayer& layer, const GnnBatch& batch,
                   TensorView h) {
  ScratchArena& scratch = ops.exec().scratch;
  std::span<float> weights;
  if (!config.molecules && layer.own_factor != 1.0f) {
    weights = scratch.take_array<float>(batch.senders.size());
    for (std::size_t e = 0; e < weights.size(); ++e)
      weights[e] = batch.kinds[e] == 1 ? layer.own_factor : 1.0f;
  }
  TensorView x = scratch.tensor(DType::kF32, {batch.nodes, layer.in_width});
  ops.segment_reduce(SegmentReduce::kSum, {h, batch.segments(), layer.edge_table, batch.kinds, weights}, x);
  for (std::size_t i = 0; i < layer.mlp.size(); ++i) {
    x = product(ops, x, layer.mlp[i]);
    if (i + 1 < layer.mlp.size()) ops.channel_affine(x, {}, ChannelActivation::kRelu);
  }
  return x;
}

TensorView run_layer(Ops& ops, const GnnConfig& config, const GnnLayer& layer, const GnnBatch& batch,
                     TensorView h) {
  switch (config.kind) {
    case GnnKind::kGcn:
      return run_gcn(ops, layer, batch, h);
    case GnnKind::kSage:
      return run_sage(ops, config, layer, batch, h);
    case GnnKind::kGat:
      return run_gat(ops, config, layer, batch, h);
    case GnnKind::kGin:
      return run_gin(ops, config, layer, batch, h);
  }
  return h;
}

std::int64_t widest(const GnnWeights& weights) {
  std::int64_t width = 0;
  for (const GnnLayer& layer : weights.layers)
    width = std::max<std::int64_t>({width, layer.in_width, layer.out_width});
  return width;
}

}  // namespace

GnnBatch make_gnn_batch(const GnnConfig& config, std::span<const GnnSample* const> samples,
                        ScratchArena& scratch) {
  GnnBatch batch;
  std::size_t nodes = 0, entries = 0;
  for (const GnnSample* sample : samples) {
    nodes += static_cast<std::size_t>(sample->tokens);
    entries += sample->graph.senders.size();
  }
  batch.nodes = static_cast<std::int64_t>(nodes);
  batch.offsets = scratch.take_array<std::int32_t>(nodes + 1);
  batch.senders = scratch.take_array<std::int32_t>(entries);
  batch.kinds = scratch.take_array<std::int32_t>(entries);
  if (config.kind == GnnKind::kGcn) batch.coefficients = scratch.take_array<float>(entries);
  const bool edge_numbers = !config.molecules && config.edge_columns > 0 && !config.edge_weights;
  if (edge_numbers && entries > 0)
    batch.edge_features =
        scratch.tensor(DType::kF32, {static_cast<std::int64_t>(entries), config.edge_columns});
  std::size_t node = 0, entry = 0;
  for (const GnnSample* sample : samples) {
    const MessageGraph& graph = sample->graph;
    for (std::size_t n = 0; n < static_cast<std::size_t>(graph.nodes); ++n)
      batch.offsets[node + n] = graph.offsets[n] + static_cast<std::int32_t>(entry);
    for (std::size_t e = 0; e < graph.senders.size(); ++e)
      batch.senders[entry + e] = graph.senders[e] + static_cast<std::int32_t>(node);
    std::copy(sample->kinds.begin(), sample->kinds.end(),
              batch.kinds.begin() + static_cast<std::ptrdiff_t>(entry));
    if (!batch.coefficients.empty())
      std::copy(sample->coefficients.begin(), sample->coefficients.end(),
                batch.coefficients.begin() + static_cast<std::ptrdiff_t>(entry));
    if (batch.edge_features.data != nullptr)
      std::copy(sample->edge_features.begin(), sample->edge_features.end(),
                batch.edge_features.as<float>() + entry * static_cast<std::size_t>(config.edge_columns));
    node += static_cast<std::size_t>(graph.nodes);
    entry += graph.senders.size();
  }
  batch.offsets[nodes] = static_cast<std::int32_t>(entries);
  return batch;
}

TensorView run_gnn_layers(Ops& ops, const GnnConfig& config, const GnnWeights& weights, const GnnBatch& batch,
                          std::span<const GnnSample* const> samples, const LayerProbe& probe) {
  ScratchArena& scratch = ops.exec().scratch;
  // A layer's output is kept here while its scratch memory goes back.
  const std::span<float> kept =
      scratch.take_array<float>(static_cast<std::size_t>(batch.nodes * widest(weights)));
  const auto keep = [&](TensorView v) {
    std::memcpy(kept.data(), v.data, v.bytes());
    return make_view(kept.data(), DType::kF32, {v.rows(), v.cols()});
  };
  TensorView h;
  {
    const ScratchArena::Mark mark(scratch);
    h = keep(embed_nodes(ops.exec(), config, weights, batch, samples));
  }
  if (probe) probe(0, h);
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const ScratchArena::Mark mark(scratch);
    const GnnLayer& layer = weights.layers[i];
    const TensorView out = run_layer(ops, config, layer, batch, h);
    ops.channel_affine(out, layer.factors, layer.activation);
    h = keep(out);
    if (probe) probe(static_cast<int>(i) + 1, h);
  }
  return h;
}

}  // namespace consort
