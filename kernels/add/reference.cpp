#include "kernels/add/add.h"
#include "kernels/lanes/rows.h"

namespace consort::reference {

void add(TensorView x, TensorView y) {
  const RowsOf xs(x), ys(y);
  for (std::size_t r = 0; r < xs.rows; ++r)
    for (std::size_t i = 0; i < xs.cols; ++i) {
      const double sum = static_cast<double>(xs[r][i]) + ys[ys.rows == 1 ? 0 : r][i];
      xs[r][i] = static_cast<float>(sum);
    }
}

}  // namespace consort::reference
