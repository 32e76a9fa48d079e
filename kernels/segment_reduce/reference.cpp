#include <algorithm>

#include "kernels/lanes/rows.h"
#include "kernels/segment_reduce/segment_reduce.h"

namespace consort::reference {

void segment_reduce(SegmentReduce kind, const Messages& m, TensorView out) {
  const RowsOf xs(m.x), outs(out);
  const std::size_t heads = static_cast<std::size_t>(m.heads), width = xs.cols / heads;
  for (std::size_t s = 0; s < m.segments.size(); ++s)
    for (std::size_t column = 0; column < xs.cols; ++column) {
      const std::size_t head = column / width;
      const std::size_t begin = static_cast<std::size_t>(m.segments.offsets[s]);
      const std::size_t end = static_cast<std::size_t>(m.segments.offsets[s + 1]);
      double total = 0;
      for (std::size_t e = begin; e < end; ++e) {
        double message = xs[static_cast<std::size_t>(m.segments.sources[e])][column];
        if (m.table.data != nullptr) message += RowsOf(m.table)[static_cast<std::size_t>(m.kinds[e])][column];
        if (!m.weights.empty()) message *= m.weights[e * heads + head];
        if (kind == SegmentReduce::kMax)
          total = e == begin ? message : std::max(total, message);
        else
          total += message;
      }
      if (kind == SegmentReduce::kMean && end > begin) total /= static_cast<double>(end - begin);
      if (!m.mean_of_heads)
        outs[s][column] = static_cast<float>(total);
      else
        outs[s][column % width] = static_cast<float>((head == 0 ? 0.0 : outs[s][column % width]) +
                                                     total / static_cast<double>(heads));
    }
}

}  // namespace consort::reference
