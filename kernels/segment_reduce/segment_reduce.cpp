#include "kernels/segment_reduce/segment_reduce.h"

#include "kernels/lanes/rows.h"
#include "kernels/segment_reduce/kernel.h"

namespace consort {

void segment_reduce(Exec& exec, SegmentReduce kind, const Messages& m, TensorView out) {
  const RowsOf xs(m.x), outs(out);
  const bool has_table = m.table.data != nullptr;
  const RowsOf tables(has_table ? m.table : m.x);
  const std::size_t heads = static_cast<std::size_t>(m.heads);
  const std::size_t segments = m.segments.size();
  const std::size_t mean_edges = segments == 0 ? 1 : m.segments.sources.size() / segments + 1;
  for_rows(exec, segments, xs.cols * mean_edges, [&](std::size_t begin, std::size_t end) {
    SegmentArgs args{};
    args.x = xs.data;
    args.x_stride = xs.outer_stride;
    args.table = has_table ? tables.data : nullptr;
    args.table_stride = tables.outer_stride;
    args.heads = heads;
    args.width = xs.cols / heads;
    args.step = kind == SegmentReduce::kMax ? SegmentStep::kMax : SegmentStep::kAdd;
    args.mean_of_heads = m.mean_of_heads;
    const float head_factor = m.mean_of_heads ? 1.0f / static_cast<float>(heads) : 1.0f;
    for (std::size_t s = begin; s < end; ++s) {
      const std::size_t first = static_cast<std::size_t>(m.segments.offsets[s]);
      args.edges = static_cast<std::size_t>(m.segments.offsets[s + 1]) - first;
      args.sources = m.segments.sources.data() + first;
      args.kinds = has_table ? m.kinds.data() + first : nullptr;
      args.weights = m.weights.empty() ? nullptr : m.weights.data() + first * heads;
      args.factor = head_factor;
      if (kind == SegmentReduce::kMean && args.edges > 1)
        args.factor = head_factor / static_cast<float>(args.edges);
      args.out = outs[s];
      CONSORT_ISA_CALL(exec.isa, reduce_segment, args);
    }
  });
}

}  // namespace consort
