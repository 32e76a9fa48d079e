#include <fmt/format.h>

#include "kernels/lanes/cases.h"
#include "kernels/segment_reduce/segment_reduce.h"

namespace consort {
namespace {

struct Shape {
  const char* name;
  std::size_t nodes;
  std::int64_t width;
  int heads = 1;
  SegmentReduce kind = SegmentReduce::kSum;
  bool table = false, weights = false, mean_of_heads = false;
};

// A random graph of up to 7 edges a node, some nodes without.
struct Graph {
  std::vector<std::int32_t> offsets{0}, sources, kinds;
  std::vector<float> weights;
};

Graph random_graph(const Shape& s, CaseRandom& random) {
  Graph g;
  for (std::size_t n = 0; n < s.nodes; ++n) {
    for (std::uint64_t e = random.next() % 8; e > 0; --e) {
      g.sources.push_back(static_cast<std::int32_t>(random.next() % s.nodes));
      g.kinds.push_back(static_cast<std::int32_t>(random.next() % 18));
      for (int h = 0; h < s.heads; ++h) g.weights.push_back(random.uniform(0.0f, 1.0f));
    }
    g.offsets.push_back(static_cast<std::int32_t>(g.sources.size()));
  }
  return g;
}

PreparedCase reduce_case(const Shape& s) {
  CaseRandom random(s.nodes * 31 + static_cast<std::size_t>(s.width) * 7 + static_cast<std::size_t>(s.heads));
  const auto graph = std::make_shared<Graph>(random_graph(s, random));
  const std::int64_t nodes = static_cast<std::int64_t>(s.nodes), columns = s.width * s.heads;
  const auto x = case_normals(random, static_cast<std::size_t>(nodes * columns));
  const auto table = case_normals(random, static_cast<std::size_t>(18 * columns));
  const std::int64_t out_columns = s.mean_of_heads ? s.width : columns;
  const auto messages = [=] {
    Messages m;
    m.x = case_view(x, {nodes, columns});
    m.segments = {graph->offsets, graph->sources};
    if (s.table) m.table = case_view(table, {18, columns});
    if (s.table) m.kinds = graph->kinds;
    if (s.weights) m.weights = graph->weights;
    m.heads = s.heads;
    m.mean_of_heads = s.mean_of_heads;
    return m;
  };
  PreparedCase c = rows_case(
      static_cast<std::size_t>(nodes * out_columns), 24.0f,
      3.0f,  // at most 7 additions of 2 numbers, 2 heads
      [=](Exec& exec, const CaseFloats& out) {
        segment_reduce(exec, s.kind, messages(), case_view(out, {nodes, out_columns}));
      },
      [=](const CaseFloats& out) {
        reference::segment_reduce(s.kind, messages(), case_view(out, {nodes, out_columns}));
      });
  c.bytes = 4.0 * static_cast<double>(columns) * static_cast<double>(graph->sources.size() + s.nodes);
  c.flops = 2.0 * static_cast<double>(columns) * static_cast<double>(graph->sources.size());
  return c;
}

}  // namespace

std::vector<OpCase> cases_segment_reduce() {
  using K = SegmentReduce;
  const Shape shapes[] = {
      {"sum", 1, 300},
      {"sum narrow", 50, 5},
      {"sum 17", 50, 17},
      {"sum weighted with edges", 900, 300, 1, K::kSum, true, true},
      {"mean with edges", 900, 300, 1, K::kMean, true},
      {"max", 200, 300, 1, K::kMax},
      {"max narrow with edges", 77, 3, 1, K::kMax, true},
      {"two heads", 400, 300, 2, K::kSum, true, true},
      {"mean of two heads", 900, 300, 2, K::kSum, true, true, true},
      {"mean of three narrow heads", 60, 7, 3, K::kSum, false, true, true},
  };
  std::vector<OpCase> cases;
  for (const Shape& s : shapes)
    cases.push_back(op_case(
        fmt::format("{}, {} nodes, width {}", s.name, s.nodes, s.width),
        [=](Exec&) { return reduce_case(s); }, s.nodes >= 900));
  return cases;
}

}  // namespace consort
