#include <cmath>

#include "kernels/lanes/rows.h"
#include "kernels/pooling/pooling.h"

namespace consort::reference {

void mean_pool(TensorView x, std::span<const int> lengths, TensorView out) {
  const RowsOf xs(x), outs(out);
  std::size_t first = 0;
  for (std::size_t text = 0; text < lengths.size(); first += static_cast<std::size_t>(lengths[text]), ++text)
    for (std::size_t i = 0; i < xs.cols; ++i) {
      double sum = 0;
      for (int t = 0; t < lengths[text]; ++t) sum += xs[first + static_cast<std::size_t>(t)][i];
      outs[text][i] = static_cast<float>(sum / lengths[text]);
    }
}

void l2_normalise(TensorView x) {
  const RowsOf xs(x);
  for (std::size_t r = 0; r < xs.rows; ++r) {
    double squares = 0;
    for (std::size_t i = 0; i < xs.cols; ++i) squares += static_cast<double>(xs[r][i]) * xs[r][i];
    for (std::size_t i = 0; i < xs.cols && squares > 0; ++i)
      xs[r][i] = static_cast<float>(xs[r][i] / std::sqrt(squares));
  }
}

}  // namespace consort::reference
