// From a molecule or a graph document to what a graph network's forward pass reads.
#pragma once

#include <vector>

#include "models/arch/gnn/gnn_config.h"
#include "models/chem/chem.h"
#include "models/graph/graph_document.h"
#include "models/network/network.h"

namespace consort {

struct GnnSample final : Sample {
  MessageGraph graph;
  std::vector<std::int32_t> node_ids;  // molecules: [tables][nodes]
  std::vector<float> features;         // others: [nodes, columns]
  std::vector<std::int32_t> kinds;     // molecules: row of the edge table; others: 1 for an added loop
  std::vector<float> edge_features;    // [entries, edge columns] where the net reads them
  std::vector<float> coefficients;     // GCN: one for each entry
};

// Errors: kInvalid, naming the row and what is wrong with it.
Result<std::unique_ptr<GnnSample>> gnn_sample(const GnnConfig& config, const GraphDocument& document);
std::unique_ptr<GnnSample> gnn_sample(const GnnConfig& config, const MoleculeGraph& molecule);

}  // namespace consort
