// Graph networks: GCN (Kipf and Welling 2017), GraphSAGE (Hamilton et al. 2017), GAT (Velickovic et al. 2018)
// and GIN (Xu et al. 2019), for molecules (the bundled checkpoints) and for graphs of numbers (a user's own).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "models/arch/gnn/gnn_forward.h"
#include "models/arch/gnn/gnn_tensors.h"
#include "models/arch/registry.h"
#include "models/layers/weight_loader.h"

namespace consort {
namespace {

// Nodes of a pass: at a width of 300 two activations of 512 nodes stay in a core's level-2 cache.
constexpr int kNodesPerPass = 512;

class Gnn final : public Network {
 public:
  Gnn(NetworkInfo info, LoadedGnn net)
      : info_(std::move(info)), config_(std::move(net.config)), weights_(std::move(net.weights)) {}
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override;
  Status forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) override;
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }
  void set_layer_probe(LayerProbe probe) override { probe_ = std::move(probe); }

 private:
  using Graphs = std::span<const GnnSample* const>;
  Status check(Graphs graphs, const NetworkOutput& output) const;
  void run_pass(Exec& exec, Graphs graphs, std::int64_t first_row, std::int64_t first_graph,
                NetworkOutput& output) const;

  NetworkInfo info_;
  GnnConfig config_;
  GnnWeights weights_;
  OpRecorder* recorder_ = nullptr;
  LayerProbe probe_;
};

std::int64_t node_count(std::span<const GnnSample* const> graphs) {
  std::int64_t nodes = 0;
  for (const GnnSample* graph : graphs) nodes += graph->tokens;
  return nodes;
}

TensorView rows_from(TensorView v, std::int64_t first, std::int64_t count) {
  v.data += static_cast<std::size_t>(first * v.strides[0]) * sizeof(float);
  v.dims[0] = count;
  return v;
}

void copy_rows(TensorView from, TensorView to) {
  for (std::int64_t r = 0; r < from.rows(); ++r)
    std::memcpy(to.as<float>() + r * to.strides[0], from.as<float>() + r * from.strides[0],
                static_cast<std::size_t>(from.cols()) * sizeof(float));
}

Result<std::unique_ptr<Sample>> Gnn::prepare(const NetworkInput& input) const {
  std::unique_ptr<GnnSample> sample;
  if (input.kind == InputKind::kMolecule && config_.molecules) {
    CONSORT_TRY(molecule, parse_smiles(input.text));
    sample = gnn_sample(config_, molecule);
  } else if (input.kind == InputKind::kGraph) {
    CONSORT_TRY(document,
                read_graph_json({reinterpret_cast<const char*>(input.bytes.data()), input.bytes.size()}));
    CONSORT_TRY(made, gnn_sample(config_, document));
    sample = std::move(made);
  } else {
    return fail(ErrorKind::kUnsupported,
                fmt::format("a graph network does not read '{}'", input_kind_name(input.kind)), info_.id);
  }
  sample->flop = info_.flop_per_token * sample->tokens;
  return std::unique_ptr<Sample>(std::move(sample));
}

Status Gnn::check(Graphs graphs, const NetworkOutput& output) const {
  const std::int64_t items = std::ssize(graphs);
  const std::int64_t rows = output.level == EmbeddingLevel::kPart ? node_count(graphs) : items;
  const auto fits = [](const TensorView& v, std::int64_t rows_wanted, std::int64_t cols) {
    return v.data == nullptr ||
           (v.rank == 2 && v.dtype == DType::kF32 && v.dims[0] == rows_wanted && v.dims[1] == cols);
  };
  if (!fits(output.embeddings, rows, info_.dimension) || !fits(output.logits, items, info_.classes))
    return fail(ErrorKind::kInvalid, "the output has another shape than the batch", info_.id);
  return {};
}

void Gnn::run_pass(Exec& exec, Graphs graphs, std::int64_t first_row, std::int64_t first_graph,
                   NetworkOutput& output) const {
  const ScratchArena::Mark mark(exec.scratch);
  Ops ops(exec, recorder_);
  const GnnBatch batch = make_gnn_batch(config_, graphs, exec.scratch);
  const TensorView h = run_gnn_layers(ops, config_, weights_, batch, graphs, probe_);
  const bool parts = output.level == EmbeddingLevel::kPart;
  if (parts && output.embeddings.data != nullptr)
    copy_rows(h, rows_from(output.embeddings, first_row, batch.nodes));
  if (output.logits.data == nullptr && (parts || output.embeddings.data == nullptr)) return;
  const std::int64_t items = std::ssize(graphs);
  const std::span<std::int32_t> offsets = exec.scratch.take_array<std::int32_t>(graphs.size() + 1);
  const std::span<std::int32_t> nodes =
      exec.scratch.take_array<std::int32_t>(static_cast<std::size_t>(batch.nodes));
  for (std::size_t n = 0; n < nodes.size(); ++n) nodes[n] = static_cast<std::int32_t>(n);
  offsets[0] = 0;
  for (std::size_t g = 0; g < graphs.size(); ++g) offsets[g + 1] = offsets[g] + graphs[g]->tokens;
  const TensorView pooled = exec.scratch.tensor(DType::kF32, {items, info_.dimension});
  ops.segment_reduce(config_.pooling, {h, {offsets, nodes}}, pooled);
  if (!parts && output.embeddings.data != nullptr)
    copy_rows(pooled, rows_from(output.embeddings, first_graph, items));
  if (output.logits.data != nullptr)
    ops.matmul(pooled, weights_.head.weight, rows_from(output.logits, first_graph, items),
               weights_.head.bias.data != nullptr ? weights_.head.bias.as<float>() : nullptr);
}

Status Gnn::forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) {
  std::vector<const GnnSample*> graphs;
  graphs.reserve(samples.size());
  for (const Sample* sample : samples) graphs.push_back(static_cast<const GnnSample*>(sample));
  CONSORT_CHECK_OK(check(graphs, output));
  try {
    std::int64_t row = 0;
    for (std::size_t begin = 0; begin < graphs.size();) {
      std::size_t end = begin;
      int nodes = 0;
      while (end < graphs.size() && (end == begin || nodes + graphs[end]->tokens <= kNodesPerPass))
        nodes += graphs[end++]->tokens;
      run_pass(exec, Graphs(graphs).subspan(begin, end - begin), row, static_cast<std::int64_t>(begin),
               output);
      row += nodes;
      begin = end;
    }
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of a graph network", info_.id);
  }
}

std::string_view pooling_name(SegmentReduce pooling) {
  return pooling == SegmentReduce::kMean ? "mean" : pooling == SegmentReduce::kSum ? "sum" : "max";
}

Result<std::unique_ptr<Network>> load_gnn(std::shared_ptr<const WeightSource> source,
                                          std::shared_ptr<const Tokenizer>, LoadContext& context) {
  CONSORT_TRY(net, load_gnn_weights(source, context));
  NetworkInfo info;
  info.id = context.id;
  info.architecture = "gnn";
  info.inputs = net.config.molecules ? std::vector{InputKind::kMolecule, InputKind::kGraph}
                                     : std::vector{InputKind::kGraph};
  info.dimension = net.weights.layers.back().out_width;
  info.parts = true;
  info.pooling = pooling_name(net.config.pooling);
  info.classes = static_cast<int>(net.weights.head.weight.rows());
  info.labels = net.config.labels;
  info.flop_per_token = 2.0 * net.weights.multiply_adds;
  info.weight_bytes = net.weights.arena.used();
  info.weights_digest = weights_digest(*source, context.exec);
  return std::make_unique<Gnn>(std::move(info), std::move(net));
}

}  // namespace

Result<LoadedGnn> load_gnn_weights(std::shared_ptr<const WeightSource> source, LoadContext& context) {
  CONSORT_TRY(layout, source->text("gnn.layout"));
  CONSORT_TRY(kind_name, source->text("gnn.kind"));
  constexpr std::pair<std::string_view, GnnKind> kKinds[] = {
      {"gcn", GnnKind::kGcn}, {"graphsage", GnnKind::kSage}, {"gat", GnnKind::kGat}, {"gin", GnnKind::kGin}};
  const auto* kind =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return k.first == kind_name; });
  if (kind == std::end(kKinds))
    return fail(ErrorKind::kUnsupported, fmt::format("a graph network of kind '{}'", kind_name),
                source->location() + ", key gnn.kind", "known: gcn, graphsage, gat, gin");
  if (layout != "pretrain-gnns" && layout != "pytorch-geometric")
    return fail(ErrorKind::kUnsupported, fmt::format("tensors laid out as '{}'", layout),
                source->location() + ", key gnn.layout", "known: pretrain-gnns, pytorch-geometric");
  CONSORT_TRY(arena, WeightArena::create(context.pool, Owner{"weights", context.id}));
  GnnTensors tensors(*source, context, std::move(arena));
  CONSORT_TRY(net, layout == "pretrain-gnns" ? load_pretrain_gnns(tensors, kind->second)
                                             : load_geometric(tensors, kind->second));
  CONSORT_CHECK_OK(tensors.all_read());
  net.weights.multiply_adds = tensors.multiply_adds();
  net.weights.arena = tensors.take_arena();
  return net;
}

Architecture gnn_architecture() {
  return {"gnn", nullptr, load_gnn};
}

}  // namespace consort
