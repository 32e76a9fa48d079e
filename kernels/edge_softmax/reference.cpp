#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/edge_softmax/edge_softmax.h"
#include "kernels/lanes/rows.h"

namespace consort::reference {

void edge_softmax(const EdgeScores& s, std::span<float> weights) {
  const RowsOf receivers(s.receiver), senders(s.sender);
  const std::size_t heads = receivers.cols;
  for (std::size_t i = 0; i < s.segments.size(); ++i)
    for (std::size_t h = 0; h < heads; ++h) {
      const std::size_t begin = static_cast<std::size_t>(s.segments.offsets[i]);
      const std::size_t end = static_cast<std::size_t>(s.segments.offsets[i + 1]);
      std::vector<double> scores;
      double best = -std::numeric_limits<double>::infinity(), sum = 1e-16;
      for (std::size_t e = begin; e < end; ++e) {
        double score = static_cast<double>(receivers[i][h]) +
                       senders[static_cast<std::size_t>(s.segments.sources[e])][h];
        if (s.table.data != nullptr) score += RowsOf(s.table)[static_cast<std::size_t>(s.kinds[e])][h];
        scores.push_back(score > 0 ? score : score * static_cast<double>(s.slope));
        best = std::max(best, scores.back());
      }
      for (double& score : scores) sum += score = std::exp(score - best);
      for (std::size_t e = begin; e < end; ++e)
        weights[e * heads + h] = static_cast<float>(scores[e - begin] / sum);
    }
}

}  // namespace consort::reference
