#include "kernels/add/add.h"

#include "kernels/lanes/rows.h"

namespace consort {

// Plain loops: additions and products alone give the same bits however the compiler vectorises them.
void add(Exec& exec, TensorView x, TensorView y) {
  const RowsOf xs(x), ys(y);
  const bool same = ys.rows == 1;
  for_rows(exec, xs.rows, xs.cols, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      float* a = xs[r];
      const float* b = ys[same ? 0 : r];
      for (std::size_t i = 0; i < xs.cols; ++i) a[i] += b[i];
    }
  });
}

void scale(Exec& exec, TensorView x, float factor) {
  const RowsOf xs(x);
  for_rows(exec, xs.rows, xs.cols, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t i = 0; i < xs.cols; ++i) xs[r][i] *= factor;
  });
}

}  // namespace consort
