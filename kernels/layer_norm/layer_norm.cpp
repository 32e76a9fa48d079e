#include "kernels/layer_norm/layer_norm.h"

#include "kernels/lanes/rows.h"
#include "kernels/layer_norm/kernel.h"

namespace consort {

void add_layer_norm(Exec& exec, TensorView x, TensorView delta, TensorView weight, TensorView bias, float eps,
                    TensorView out) {
  const bool adds = delta.data != nullptr;
  const RowsOf xs(x), deltas(adds ? delta : x), outs(out);
  for_rows(exec, xs.rows, xs.cols, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      CONSORT_ISA_CALL(
          exec.isa, layer_norm_row,
          {xs[r], adds ? deltas[r] : nullptr, weight.as<float>(), bias.as<float>(), eps, outs[r], xs.cols});
  });
}

}  // namespace consort
