#include <fmt/format.h>

#include "kernels/edge_softmax/edge_softmax.h"
#include "kernels/lanes/cases.h"

namespace consort {
namespace {

struct Graph {
  std::vector<std::int32_t> offsets{0}, sources, kinds;
};

PreparedCase softmax_case(std::size_t nodes, std::int64_t heads, std::uint64_t most_edges, bool table) {
  CaseRandom random(nodes * 17 + static_cast<std::size_t>(heads));
  const auto graph = std::make_shared<Graph>();
  for (std::size_t n = 0; n < nodes; ++n) {
    for (std::uint64_t e = 1 + random.next() % most_edges; e > 0; --e) {
      graph->sources.push_back(static_cast<std::int32_t>(random.next() % nodes));
      graph->kinds.push_back(static_cast<std::int32_t>(random.next() % 18));
    }
    graph->offsets.push_back(static_cast<std::int32_t>(graph->sources.size()));
  }
  const std::int64_t rows = static_cast<std::int64_t>(nodes);
  const auto receiver = case_normals(random, static_cast<std::size_t>(rows * heads), 3.0f);
  const auto sender = case_normals(random, static_cast<std::size_t>(rows * heads), 3.0f);
  const auto edges = case_normals(random, static_cast<std::size_t>(18 * heads));
  const auto scores = [=] {
    EdgeScores s;
    s.receiver = case_view(receiver, {rows, heads});
    s.sender = case_view(sender, {rows, heads});
    s.segments = {graph->offsets, graph->sources};
    if (table) s.table = case_view(edges, {18, heads});
    if (table) s.kinds = graph->kinds;
    return s;
  };
  PreparedCase c = rows_case(
      graph->sources.size() * static_cast<std::size_t>(heads), 60.0f, 0.3f,  // exponents of about 10 in size
      [=](Exec& exec, const CaseFloats& out) { edge_softmax(exec, scores(), *out); },
      [=](const CaseFloats& out) { reference::edge_softmax(scores(), *out); });
  c.bytes = static_cast<double>(c.out->size()) * 12;
  return c;
}

}  // namespace

std::vector<OpCase> cases_edge_softmax() {
  return {op_case("1 node, 1 edge", [](Exec&) { return softmax_case(1, 2, 1, true); }),
          op_case("90 nodes, 1 head", [](Exec&) { return softmax_case(90, 1, 40, false); }),
          op_case(
              "1000 nodes, 2 heads, edges", [](Exec&) { return softmax_case(1000, 2, 4, true); }, true),
          op_case("300 nodes, 8 heads", [](Exec&) { return softmax_case(300, 8, 9, false); })};
}

}  // namespace consort
