// Nets trained with PyTorch Geometric: layers `convs.L` with the tensor names of GCNConv, SAGEConv, GATConv
// and GINConv, batch norms `norms.L` (or `batch_norms.L`), an optional graph-level head `head` or `lin`.
#include <fmt/format.h>

#include "models/arch/gnn/gnn_tensors.h"

namespace consort {
namespace {

constexpr int kMostLayers = 64;

tl::unexpected<Error> refuse(const GnnTensors& tensors, std::string what, const std::string& name) {
  return fail(ErrorKind::kInvalid, std::move(what), tensors.source().location() + ", " + name);
}

// Numbers stand as text in a safetensors file's metadata and as numbers in config.json.
Result<std::string> setting(const WeightSource& source, const std::string& key, std::string fallback) {
  const MetaValue* value = source.meta(key);
  if (value == nullptr) return fallback;
  if (const auto* text = std::get_if<std::string>(&value->value)) return *text;
  if (const auto* flag = std::get_if<bool>(&value->value)) return std::string(*flag ? "true" : "false");
  if (const auto* number = std::get_if<double>(&value->value)) return fmt::format("{}", *number);
  if (const auto* whole = std::get_if<std::int64_t>(&value->value)) return fmt::format("{}", *whole);
  return fail(ErrorKind::kInvalid, "not a plain value", source.location() + ", key " + key);
}

// The setting's place among `allowed`, the first being the default.
Result<int> choice(const WeightSource& source, const std::string& key,
                   std::initializer_list<const char*> allowed) {
  CONSORT_TRY(text, setting(source, key, *allowed.begin()));
  int place = 0;
  for (const char* each : allowed) {
    if (text == each) return place;
    ++place;
  }
  return fail(ErrorKind::kUnsupported, fmt::format("'{}'", text), source.location() + ", key " + key,
              fmt::format("known: {}", fmt::join(allowed, ", ")));
}

Status read_settings(const WeightSource& source, GnnConfig& config) {
  CONSORT_TRY(flow, choice(source, "gnn.flow", {"source_to_target", "target_to_source"}));
  CONSORT_TRY(activation, choice(source, "gnn.activation", {"relu", "elu", "none"}));
  CONSORT_TRY(pooling, choice(source, "gnn.pooling", {"mean", "sum", "max"}));
  CONSORT_TRY(normalise, choice(source, "gnn.normalise", {"false", "true"}));
  CONSORT_TRY(weights, choice(source, "gnn.edge_weights", {"false", "true"}));
  CONSORT_TRY(slope, setting(source, "gnn.negative_slope", "0.2"));
  CONSORT_TRY(labels, setting(source, "gnn.labels", ""));
  config.receive_at_from = flow == 1;
  config.activation = activation == 0   ? ChannelActivation::kRelu
                      : activation == 1 ? ChannelActivation::kElu
                                        : ChannelActivation::kNone;
  config.pooling = pooling == 0   ? SegmentReduce::kMean
                   : pooling == 1 ? SegmentReduce::kSum
                                  : SegmentReduce::kMax;
  config.normalise = normalise == 1 && config.kind == GnnKind::kSage;
  config.edge_weights = weights == 1 && config.kind == GnnKind::kGcn;
  char* end = nullptr;
  config.slope = std::strtof(slope.c_str(), &end);
  if (end == slope.c_str() || *end != '\0' || !(config.slope >= 0 && config.slope <= 1))
    return fail(ErrorKind::kInvalid, fmt::format("a slope of '{}'", slope),
                source.location() + ", key gnn.negative_slope");
  for (std::size_t at = 0; !labels.empty() && at <= labels.size();) {
    const std::size_t comma = std::min(labels.find(',', at), labels.size());
    config.labels.push_back(labels.substr(at, comma - at));
    at = comma + 1;
  }
  return {};
}

Status load_gcn(GnnTensors& tensors, const std::string& prefix, GnnLayer& layer) {
  CONSORT_TRY(weight, tensors.take(prefix + "lin.weight", -1, layer.in_width > 0 ? layer.in_width : -1));
  CONSORT_TRY(linear, tensors.linear(weight, {}));
  layer.linear = linear;
  layer.in_width = static_cast<int>(weight.cols);
  layer.out_width = static_cast<int>(weight.rows);
  return {};
}

Status load_sage(GnnTensors& tensors, const std::string& prefix, GnnLayer& layer) {
  CONSORT_TRY(weight, tensors.take(prefix + "lin_l.weight", -1, layer.in_width > 0 ? layer.in_width : -1));
  CONSORT_TRY(bias, tensors.take_optional(prefix + "lin_l.bias", 1, weight.rows));
  CONSORT_TRY(linear, tensors.linear(weight, bias));
  layer.linear = linear;
  if (tensors.has(prefix + "lin_r.weight")) {
    CONSORT_TRY(own, tensors.take(prefix + "lin_r.weight", weight.rows, weight.cols));
    CONSORT_TRY(own_linear, tensors.linear(own, {}));
    layer.own = own_linear;
  }
  layer.in_width = static_cast<int>(weight.cols);
  layer.out_width = static_cast<int>(weight.rows);
  return {};
}

// rows of `att` [heads, width] times the weight [heads * width, in]: [heads, in].
void append_scores(const DenseTensor& att, const DenseTensor& weight, DenseTensor& scores) {
  for (std::int64_t k = 0; k < att.rows; ++k)
    for (std::int64_t i = 0; i < weight.cols; ++i) {
      double sum = 0;
      for (std::int64_t c = 0; c < att.cols; ++c) sum += att.at(k, c) * weight.at(k * att.cols + c, i);
      scores.values.push_back(sum);
    }
}

Status load_gat(GnnTensors& tensors, const std::string& prefix, GnnConfig& config, GnnLayer& layer) {
  const std::string name = prefix + (tensors.has(prefix + "lin.weight") ? "lin.weight" : "lin_src.weight");
  CONSORT_TRY(weight, tensors.take(name, -1, layer.in_width > 0 ? layer.in_width : -1));
  CONSORT_TRY(sender, tensors.take(prefix + "att_src", -1, -1));
  CONSORT_TRY(receiver, tensors.take(prefix + "att_dst", sender.rows, sender.cols));
  const std::int64_t heads = sender.rows, width = sender.cols;
  if (heads * width != weight.rows)
    return refuse(tensors, fmt::format("{} heads of {} do not fit {} rows", heads, width, weight.rows), name);
  DenseTensor scores{2 * heads, weight.cols, {}};
  append_scores(receiver, weight, scores);
  append_scores(sender, weight, scores);
  CONSORT_TRY(linear, tensors.linear(weight, {}));
  CONSORT_TRY(shares, tensors.linear(scores, {}));
  layer.linear = linear;
  layer.scores = shares;
  if (tensors.has(prefix + "lin_edge.weight")) {
    CONSORT_TRY(edge, tensors.take(prefix + "lin_edge.weight", weight.rows,
                                   config.edge_columns > 0 ? config.edge_columns : -1));
    CONSORT_TRY(att, tensors.take(prefix + "att_edge", heads, width));
    DenseTensor edge_scores{heads, edge.cols, {}};
    append_scores(att, edge, edge_scores);
    CONSORT_TRY(packed, tensors.pack(edge_scores));
    layer.edge_weight = packed;
    config.edge_columns = static_cast<int>(edge.cols);
  }
  // Blocks of heads stand side by side, or their mean is taken: the bias tells.
  const TensorEntry* bias = tensors.source().find(prefix + "bias");
  layer.mean_of_heads = heads > 1 && bias != nullptr && bias->view.elements() == width;
  layer.heads = static_cast<int>(heads);
  layer.in_width = static_cast<int>(weight.cols);
  layer.out_width = static_cast<int>(layer.mean_of_heads ? width : weight.rows);
  return {};
}

Status load_gin(GnnTensors& tensors, const std::string& prefix, GnnLayer& layer) {
  constexpr int kMostParts = 16;
  for (int part = 0; part < kMostParts; ++part) {
    const std::string name = fmt::format("{}nn.{}.", prefix, part);
    if (!tensors.has(name + "weight")) continue;
    CONSORT_TRY(weight, tensors.take(name + "weight", -1, layer.out_width > 0 ? layer.out_width : -1));
    CONSORT_TRY(bias, tensors.take_optional(name + "bias", 1, weight.rows));
    CONSORT_TRY(linear, tensors.linear(weight, bias));
    if (layer.mlp.empty()) layer.in_width = static_cast<int>(weight.cols);
    layer.out_width = static_cast<int>(weight.rows);
    layer.mlp.push_back(linear);
  }
  if (layer.mlp.empty()) return refuse(tensors, "no linear layer", prefix + "nn");
  CONSORT_TRY(eps, tensors.take_optional(prefix + "eps", 1, 1));
  layer.own_factor = eps.empty() ? 1.0f : static_cast<float>(1.0 + eps.values[0]);
  return {};
}

Result<GnnLayer> load_layer(GnnTensors& tensors, GnnConfig& config, int index, int in_width) {
  const std::string prefix = fmt::format("convs.{}.", index);
  GnnLayer layer;
  layer.in_width = in_width;
  if (config.kind == GnnKind::kGin) layer.out_width = in_width;
  switch (config.kind) {
    case GnnKind::kGcn:
      CONSORT_CHECK_OK(load_gcn(tensors, prefix, layer));
      break;
    case GnnKind::kSage:
      CONSORT_CHECK_OK(load_sage(tensors, prefix, layer));
      break;
    case GnnKind::kGat:
      CONSORT_CHECK_OK(load_gat(tensors, prefix, config, layer));
      break;
    case GnnKind::kGin:
      CONSORT_CHECK_OK(load_gin(tensors, prefix, layer));
      break;
  }
  CONSORT_TRY(bias, tensors.take_optional(prefix + "bias", 1, layer.out_width));
  std::string norm = fmt::format("norms.{}.", index);
  if (tensors.has(norm + "module.running_mean")) norm += "module.";
  if (!tensors.has(norm + "running_mean")) norm = fmt::format("batch_norms.{}.", index);
  CONSORT_TRY(factors, channel_factors(tensors, norm, bias, layer.out_width));
  layer.factors = factors;
  return layer;
}

bool has_layer(const WeightSource& source, int index) {
  const std::string prefix = fmt::format("convs.{}.", index);
  for (const TensorEntry& entry : source.tensors())
    if (entry.name.starts_with(prefix)) return true;
  return false;
}

Status load_head(GnnTensors& tensors, LoadedGnn& net) {
  for (const std::string name : {"head", "lin"}) {
    if (!tensors.has(name + ".weight")) continue;
    CONSORT_TRY(weight, tensors.take(name + ".weight", -1, net.weights.layers.back().out_width));
    CONSORT_TRY(bias, tensors.take_optional(name + ".bias", 1, weight.rows));
    CONSORT_TRY(linear, tensors.linear(weight, bias));
    net.weights.head = linear;
    if (!net.config.labels.empty() && std::ssize(net.config.labels) != weight.rows)
      return refuse(tensors, fmt::format("{} labels for {} classes", net.config.labels.size(), weight.rows),
                    "key gnn.labels");
    return {};
  }
  return {};
}

}  // namespace

Result<LoadedGnn> load_geometric(GnnTensors& tensors, GnnKind kind) {
  LoadedGnn net;
  net.config.kind = kind;
  CONSORT_CHECK_OK(read_settings(tensors.source(), net.config));
  net.config.loops = kind == GnnKind::kSage  ? SelfLoops::kAsGiven
                     : kind == GnnKind::kGin ? SelfLoops::kAdd
                                             : SelfLoops::kReplace;
  int width = 0;
  for (int index = 0; index < kMostLayers && has_layer(tensors.source(), index); ++index) {
    CONSORT_TRY(layer, load_layer(tensors, net.config, index, width));
    width = layer.out_width;
    layer.activation = net.config.activation;
    net.weights.layers.push_back(std::move(layer));
  }
  if (net.weights.layers.empty())
    return fail(ErrorKind::kNotFound, "no layer 'convs.0'", tensors.source().location());
  net.weights.layers.back().activation = ChannelActivation::kNone;
  net.config.node_columns = net.weights.layers.front().in_width;
  if (net.config.edge_weights) net.config.edge_columns = 1;
  CONSORT_CHECK_OK(load_head(tensors, net));
  return net;
}

}  // namespace consort
