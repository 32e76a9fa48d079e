#include "kernels/edge_softmax/edge_softmax.h"

#include "kernels/edge_softmax/kernel.h"
#include "kernels/lanes/rows.h"

namespace consort {

void edge_softmax(Exec& exec, const EdgeScores& s, std::span<float> weights) {
  const RowsOf receivers(s.receiver), senders(s.sender);
  const bool has_table = s.table.data != nullptr;
  const RowsOf tables(has_table ? s.table : s.sender);
  const std::size_t heads = receivers.cols, segments = s.segments.size();
  const std::size_t mean_edges = segments == 0 ? 1 : s.segments.sources.size() / segments + 1;
  // An exponential costs about what eight plain operations cost.
  for_rows(exec, segments, 8 * heads * mean_edges, [&](std::size_t begin, std::size_t end) {
    EdgeSoftmaxArgs args{};
    args.sender = senders.data;
    args.sender_stride = senders.outer_stride;
    args.table = has_table ? tables.data : nullptr;
    args.table_stride = tables.outer_stride;
    args.heads = heads;
    args.slope = s.slope;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t first = static_cast<std::size_t>(s.segments.offsets[i]);
      args.edges = static_cast<std::size_t>(s.segments.offsets[i + 1]) - first;
      if (args.edges == 0) continue;
      args.receiver = receivers[i];
      args.sources = s.segments.sources.data() + first;
      args.kinds = has_table ? s.kinds.data() + first : nullptr;
      args.weights = weights.data() + first * heads;
      CONSORT_ISA_CALL(exec.isa, softmax_segment, args);
    }
  });
}

}  // namespace consort
