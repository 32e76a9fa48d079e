#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/lanes/rows.h"

namespace consort::reference {

void attention(TensorView q, TensorView k, TensorView v, int start, float scale, int window, bool causal,
               TensorView out) {
  const RowsOf qs(q), ks(k), vs(v), outs(out);
  const int heads = static_cast<int>(q.dims[1]), kv_heads = static_cast<int>(k.dims[1]);
  const int keys = static_cast<int>(k.dims[0]), dim = static_cast<int>(q.dims[2]);
  for (int row = 0; row < q.dims[0]; ++row)
    for (int h = 0; h < heads; ++h) {
      const int kv = h / (heads / kv_heads), last = causal ? start + row : keys - 1;
      const int first = window > 0 ? std::max(0, start + row - window + 1) : 0;
      const float* query = qs[static_cast<std::size_t>(row * heads + h)];
      std::vector<double> weights;
      for (int j = first; j <= last; ++j) {
        double score = 0;
        for (int d = 0; d < dim; ++d)
          score += static_cast<double>(query[d]) * ks[static_cast<std::size_t>(j * kv_heads + kv)][d];
        weights.push_back(score * scale);
      }
      const double top = *std::max_element(weights.begin(), weights.end());
      double total = 0;
      for (double& w : weights) total += w = std::exp(w - top);
      for (int d = 0; d < dim; ++d) {
        double sum = 0;
        for (int j = first; j <= last; ++j)
          sum += weights[static_cast<std::size_t>(j - first)] *
                 vs[static_cast<std::size_t>(j * kv_heads + kv)][d];
        outs[static_cast<std::size_t>(row)][h * dim + d] = static_cast<float>(sum / total);
      }
    }
}

}  // namespace consort::reference
