#include "kernels/rms_norm/rms_norm.h"

#include "kernels/lanes/rows.h"
#include "kernels/rms_norm/kernel.h"

namespace consort {
namespace {

void norm_rows(Exec& exec, TensorView x, const TensorView* delta, TensorView weight, float eps,
               TensorView out) {
  const RowsOf xs(x), outs(out), deltas(delta != nullptr ? *delta : x);
  const float* w = weight.as<float>();
  for_rows(exec, xs.rows, xs.cols, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      CONSORT_ISA_CALL(exec.isa, rms_norm_row, xs[r], delta != nullptr ? deltas[r] : nullptr, w, eps, outs[r],
                       xs.cols);
  });
}

}  // namespace

void rms_norm(Exec& exec, TensorView x, TensorView weight, float eps, TensorView out) {
  norm_rows(exec, x, nullptr, weight, eps, out);
}

void add_rms_norm(Exec& exec, TensorView residual, TensorView delta, TensorView weight, float eps,
                  TensorView out) {
  norm_rows(exec, residual, &delta, weight, eps, out);
}

}  // namespace consort
