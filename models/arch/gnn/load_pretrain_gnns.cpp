// The checkpoints of snap-stanford/pretrain-gnns (chem/model.py): atoms and bonds are rows of small tables,
// an edge's embedding is added to its message, every node has one more loop with its own bond type.
#include <fmt/format.h>

#include "models/arch/gnn/gnn_tensors.h"

namespace consort {
namespace {

constexpr std::int64_t kBondTypes = 6, kDirections = 3;
constexpr int kElements = 118, kChiralities = 3;

// Row type * 3 + direction: the sum of the two embeddings.
DenseTensor combined_edges(const DenseTensor& types, const DenseTensor& directions) {
  DenseTensor table{types.rows * directions.rows, types.cols, {}};
  for (std::int64_t t = 0; t < types.rows; ++t)
    for (std::int64_t d = 0; d < directions.rows; ++d)
      for (std::int64_t c = 0; c < types.cols; ++c)
        table.values.push_back(types.at(t, c) + directions.at(d, c));
  return table;
}

// GAT: the score of an edge is a sum of shares, att_k[:D] . z_i + att_k[D:] . (z_j + e), and z = W h + b, so
// the shares of nodes are a matrix over h and those of edges a table.
Status load_attention(GnnTensors& tensors, const std::string& prefix, const DenseTensor& weight,
                      const DenseTensor& bias, const DenseTensor& edges, std::int64_t width,
                      GnnLayer& layer) {
  CONSORT_TRY(att, tensors.take(prefix + "att", -1, 2 * width));
  const std::int64_t heads = att.rows;
  if (heads * width != weight.rows)
    return fail(ErrorKind::kInvalid,
                fmt::format("{} heads do not fit a weight of {} rows", heads, weight.rows),
                tensors.source().location() + ", tensor " + prefix + "att");
  DenseTensor scores{2 * heads, weight.cols, {}}, constants{1, 2 * heads, {}},
      edge_scores{edges.rows, heads, {}};
  for (std::int64_t part = 0; part < 2; ++part)
    for (std::int64_t k = 0; k < heads; ++k) {
      double constant = 0;
      std::vector<double> row(static_cast<std::size_t>(weight.cols), 0.0);
      for (std::int64_t c = 0; c < width; ++c) {
        const double a = att.at(k, part * width + c);
        constant += a * bias.at(0, k * width + c);
        for (std::int64_t i = 0; i < weight.cols; ++i)
          row[static_cast<std::size_t>(i)] += a * weight.at(k * width + c, i);
      }
      scores.values.insert(scores.values.end(), row.begin(), row.end());
      constants.values.push_back(constant);
    }
  for (std::int64_t e = 0; e < edges.rows; ++e)
    for (std::int64_t k = 0; k < heads; ++k) {
      double share = 0;
      for (std::int64_t c = 0; c < width; ++c) share += att.at(k, width + c) * edges.at(e, k * width + c);
      edge_scores.values.push_back(share);
    }
  CONSORT_TRY(packed, tensors.linear(scores, constants));
  CONSORT_TRY(kept, tensors.keep(edge_scores));
  layer.scores = packed;
  layer.edge_scores = kept;
  layer.heads = static_cast<int>(heads);
  layer.mean_of_heads = true;
  return {};
}

Result<GnnLinear> load_linear(GnnTensors& tensors, const std::string& name, std::int64_t rows,
                              std::int64_t cols) {
  CONSORT_TRY(weight, tensors.take(name + ".weight", rows, cols));
  CONSORT_TRY(bias, tensors.take(name + ".bias", 1, weight.rows));
  return tensors.linear(weight, bias);
}

Result<GnnLayer> load_layer(GnnTensors& tensors, GnnKind kind, int index, std::int64_t width) {
  const std::string prefix = fmt::format("gnns.{}.", index);
  GnnLayer layer;
  layer.in_width = layer.out_width = static_cast<int>(width);
  std::int64_t messages = width;
  DenseTensor weight, bias;
  if (kind != GnnKind::kGin) {
    const std::string name = prefix + (kind == GnnKind::kGat ? "weight_linear" : "linear");
    CONSORT_TRY(w, tensors.take(name + ".weight", kind == GnnKind::kGat ? -1 : width, width));
    CONSORT_TRY(b, tensors.take(name + ".bias", 1, w.rows));
    CONSORT_TRY(linear, tensors.linear(w, b));
    layer.linear = linear;
    messages = w.rows;
    weight = std::move(w);
    bias = std::move(b);
  } else {
    CONSORT_TRY(up, load_linear(tensors, prefix + "mlp.0", -1, width));
    CONSORT_TRY(down, load_linear(tensors, prefix + "mlp.2", width, up.weight.rows()));
    layer.mlp = {up, down};
  }
  CONSORT_TRY(types, tensors.take(prefix + "edge_embedding1.weight", kBondTypes, messages));
  CONSORT_TRY(directions, tensors.take(prefix + "edge_embedding2.weight", kDirections, messages));
  const DenseTensor edges = combined_edges(types, directions);
  DenseTensor after;
  if (kind == GnnKind::kGat) {
    CONSORT_CHECK_OK(load_attention(tensors, prefix, weight, bias, edges, width, layer));
    CONSORT_TRY(out_bias, tensors.take(prefix + "bias", 1, width));
    after = std::move(out_bias);
  }
  CONSORT_TRY(table, tensors.keep(edges));
  CONSORT_TRY(factors, channel_factors(tensors, fmt::format("batch_norms.{}.", index), after, width));
  layer.edge_table = table;
  layer.factors = factors;
  return layer;
}

}  // namespace

Result<LoadedGnn> load_pretrain_gnns(GnnTensors& tensors, GnnKind kind) {
  LoadedGnn net;
  GnnConfig& config = net.config;
  config.kind = kind;
  config.molecules = true;
  config.receive_at_from = true;
  config.loops = SelfLoops::kAdd;
  config.normalise = kind == GnnKind::kSage;
  config.node_columns = config.edge_columns = 2;
  config.edge_rows = {static_cast<int>(kBondTypes), static_cast<int>(kDirections)};
  std::int64_t width = -1;
  for (const char* name : {"x_embedding1.weight", "x_embedding2.weight"}) {
    CONSORT_TRY(table, tensors.take(name, -1, width));
    width = table.cols;
    CONSORT_TRY(kept, tensors.keep(table));
    net.weights.node_tables.push_back(kept);
    config.node_rows.push_back(static_cast<int>(table.rows));
  }
  if (config.node_rows[0] < kElements || config.node_rows[1] < kChiralities)
    return fail(ErrorKind::kInvalid, "tables too small for atoms", tensors.source().location());
  for (int index = 0; tensors.has(fmt::format("gnns.{}.edge_embedding1.weight", index)); ++index) {
    CONSORT_TRY(layer, load_layer(tensors, kind, index, width));
    layer.activation = ChannelActivation::kRelu;
    net.weights.layers.push_back(std::move(layer));
  }
  if (net.weights.layers.empty())
    return fail(ErrorKind::kNotFound, "no layer 'gnns.0'", tensors.source().location());
  net.weights.layers.back().activation = ChannelActivation::kNone;
  return net;
}

}  // namespace consort
