// A graph as a caller gives it: numbers for nodes, edges, numbers for edges.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "memory/base/status.h"

namespace consort {

inline constexpr std::size_t kMostGraphBytes = std::size_t{64} << 20;  // of JSON text
inline constexpr std::size_t kMostNodes = 1'000'000;
inline constexpr std::size_t kMostEdges = 8'000'000;
inline constexpr std::size_t kMostGraphNumbers = 16'000'000;  // of one table of features
inline constexpr double kLargestFeature = 1e9;  // of either sign: products of layers stay finite

// Row-major numbers as they stood in the text; all finite and within kLargestFeature.
struct GraphTable {
  std::size_t rows = 0, columns = 0;
  std::vector<double> values;
};

struct GraphDocument {
  GraphTable nodes;                    // at least one row
  std::vector<std::int32_t> from, to;  // edges, all within nodes
  GraphTable edge_features;            // no rows, or one for each edge
  std::size_t size() const { return nodes.rows; }
};

// Thread: any. Reads token by token; memory stays within a small multiple of the text. Errors: kInvalid,
// naming what is wrong and where ("row 3 of edges: node 9 is not among 0 to 4").
Result<GraphDocument> read_graph_json(std::string_view text);

}  // namespace consort
