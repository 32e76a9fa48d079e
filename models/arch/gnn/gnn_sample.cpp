#include "models/arch/gnn/gnn_sample.h"

#include <fmt/format.h>

#include <cmath>

namespace consort {
namespace {

constexpr std::int32_t kSelfLoopType = 4;  // of the bond types in pretrain-gnns
constexpr std::int32_t kDirections = 3;

tl::unexpected<Error> refuse(std::string what) {
  return fail(ErrorKind::kInvalid, "graph: " + std::move(what));
}

// Every column a row number of its table. `out`: [columns][rows].
Status table_rows(const GraphTable& table, const std::vector<int>& sizes, const char* what,
                  std::vector<std::int32_t>& out) {
  if (table.columns != sizes.size())
    return refuse(
        fmt::format("{} with {} numbers, this network reads {}", what, table.columns, sizes.size()));
  out.resize(table.rows * sizes.size());
  for (std::size_t r = 0; r < table.rows; ++r)
    for (std::size_t c = 0; c < sizes.size(); ++c) {
      const double value = table.values[r * table.columns + c];
      if (value != std::floor(value) || value < 0 || value >= sizes[c])
        return refuse(fmt::format("row {} of the {}: number {} is {}, it must be a whole number from 0 to {}",
                                  r, what, c, value, sizes[c] - 1));
      out[c * table.rows + r] = static_cast<std::int32_t>(value);
    }
  return {};
}

void connect(const GnnConfig& config, int nodes, const std::vector<std::int32_t>& from,
             const std::vector<std::int32_t>& to, GnnSample& sample) {
  sample.graph = config.receive_at_from ? make_message_graph(nodes, from, to, config.loops)
                                        : make_message_graph(nodes, to, from, config.loops);
  sample.tokens = nodes;
}

// kinds of the entries from those of the edges, which stand as [types..., directions...].
void set_bond_kinds(GnnSample& sample, const std::vector<std::int32_t>& bonds) {
  const std::size_t edges = bonds.size() / 2;
  sample.kinds.resize(sample.graph.edges.size());
  for (std::size_t e = 0; e < sample.kinds.size(); ++e) {
    const std::int32_t edge = sample.graph.edges[e];
    const auto at = static_cast<std::size_t>(edge);
    sample.kinds[e] = edge == MessageGraph::kAddedLoop ? kSelfLoopType * kDirections
                                                       : bonds[at] * kDirections + bonds[edges + at];
  }
}

// Rows in the order of entries. An added loop has the mean of what its node receives (GATConv's fill_value).
void spread_edge_features(const GraphTable& table, GnnSample& sample) {
  const std::size_t columns = table.columns;
  sample.edge_features.assign(sample.graph.edges.size() * columns, 0.0f);
  for (std::size_t n = 0; n < static_cast<std::size_t>(sample.graph.nodes); ++n) {
    const auto begin = static_cast<std::size_t>(sample.graph.offsets[n]);
    const auto end = static_cast<std::size_t>(sample.graph.offsets[n + 1]);
    std::vector<double> sum(columns, 0.0);
    std::size_t received = 0;
    for (std::size_t e = begin; e < end; ++e) {
      const std::int32_t edge = sample.graph.edges[e];
      const bool loop = edge == MessageGraph::kAddedLoop;
      for (std::size_t c = 0; c < columns; ++c) {
        const double value = loop ? sum[c] / static_cast<double>(std::max<std::size_t>(received, 1))
                                  : table.values[static_cast<std::size_t>(edge) * columns + c];
        sample.edge_features[e * columns + c] = static_cast<float>(value);
        sum[c] += value;
      }
      received += loop ? 0 : 1;
    }
  }
}

Status check_edge_features(const GnnConfig& config, const GraphDocument& document) {
  const GraphTable& table = document.edge_features;
  if (config.edge_columns == 0)
    return table.rows == 0 ? Status{} : Status(refuse("this network reads no features of edges"));
  if (document.from.empty()) return {};
  if (table.rows == 0) return refuse("features of the edges are missing");
  if (table.columns != static_cast<std::size_t>(config.edge_columns))
    return refuse(
        fmt::format("edges with {} numbers, this network reads {}", table.columns, config.edge_columns));
  if (config.edge_weights)
    for (std::size_t e = 0; e < table.rows; ++e)
      if (table.values[e] < 0) return refuse(fmt::format("edge {} has a negative weight", e));
  return {};
}

Status fill_tables(const GnnConfig& config, const GraphDocument& document, GnnSample& sample) {
  CONSORT_CHECK_OK(table_rows(document.nodes, config.node_rows, "nodes", sample.node_ids));
  std::vector<std::int32_t> bonds;
  if (!document.from.empty())
    CONSORT_CHECK_OK(table_rows(document.edge_features, config.edge_rows, "edges", bonds));
  set_bond_kinds(sample, bonds);
  return {};
}

void fill_numbers(const GnnConfig& config, const GraphDocument& document, GnnSample& sample) {
  sample.features.assign(document.nodes.values.begin(), document.nodes.values.end());
  for (const std::int32_t edge : sample.graph.edges)
    sample.kinds.push_back(edge == MessageGraph::kAddedLoop ? 1 : 0);
  if (config.edge_columns > 0 && !config.edge_weights) {
    GraphTable table = document.edge_features;
    table.columns = static_cast<std::size_t>(config.edge_columns);
    spread_edge_features(table, sample);
  }
}

}  // namespace

Result<std::unique_ptr<GnnSample>> gnn_sample(const GnnConfig& config, const GraphDocument& document) {
  if (document.nodes.columns != static_cast<std::size_t>(config.node_columns))
    return refuse(fmt::format("nodes with {} numbers, this network reads {}", document.nodes.columns,
                              config.node_columns));
  CONSORT_CHECK_OK(check_edge_features(config, document));
  auto sample = std::make_unique<GnnSample>();
  connect(config, static_cast<int>(document.size()), document.from, document.to, *sample);
  if (config.molecules)
    CONSORT_CHECK_OK(fill_tables(config, document, *sample));
  else
    fill_numbers(config, document, *sample);
  if (config.kind == GnnKind::kGcn)
    sample->coefficients = config.edge_weights
                               ? gcn_coefficients(sample->graph, document.edge_features.values)
                               : gcn_coefficients(sample->graph);
  return sample;
}

std::unique_ptr<GnnSample> gnn_sample(const GnnConfig& config, const MoleculeGraph& molecule) {
  auto sample = std::make_unique<GnnSample>();
  const std::size_t atoms = molecule.atoms.size(), edges = 2 * molecule.bonds.size();
  sample->node_ids.resize(2 * atoms);
  for (std::size_t a = 0; a < atoms; ++a) {
    sample->node_ids[a] = molecule.atoms[a].element;
    sample->node_ids[atoms + a] = molecule.atoms[a].chirality;
  }
  std::vector<std::int32_t> from(edges), to(edges), bonds(2 * edges);
  for (std::size_t e = 0; e < edges; ++e) {
    const MoleculeGraph::Bond& bond = molecule.bonds[e / 2];
    from[e] = e % 2 == 0 ? bond.begin : bond.end;
    to[e] = e % 2 == 0 ? bond.end : bond.begin;
    bonds[e] = bond.type;
    bonds[edges + e] = bond.direction;
  }
  connect(config, static_cast<int>(atoms), from, to, *sample);
  set_bond_kinds(*sample, bonds);
  if (config.kind == GnnKind::kGcn) sample->coefficients = gcn_coefficients(sample->graph);
  return sample;
}

}  // namespace consort
