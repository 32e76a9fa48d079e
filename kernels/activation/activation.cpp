#include "kernels/activation/activation.h"

#include "kernels/activation/kernel.h"
#include "kernels/lanes/rows.h"

namespace consort {

void gated_activation(Exec& exec, GateKind kind, TensorView gate, TensorView up, TensorView out) {
  const RowsOf gates(gate), ups(up), outs(out);
  // An exponential costs about 4 times a streamed element, hence the weight on the columns.
  for_rows(exec, gates.rows, gates.cols * 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      CONSORT_ISA_CALL(exec.isa, gate_row, kind, gates[r], ups[r], outs[r], gates.cols);
  });
}

void gelu_erf(Exec& exec, TensorView x, TensorView bias) {
  const RowsOf xs(x);
  for_rows(exec, xs.rows, xs.cols * 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      CONSORT_ISA_CALL(exec.isa, gelu_erf_row, xs[r], bias.data != nullptr ? bias.as<float>() : nullptr,
                       xs.cols);
  });
}

void activate(Exec& exec, Activation kind, TensorView x) {
  if (kind == Activation::kGelu) return gelu_erf(exec, x, TensorView{});
  const RowsOf xs(x);
  for_rows(exec, xs.rows, xs.cols * 4, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) CONSORT_ISA_CALL(exec.isa, activate_row, kind, xs[r], xs.cols);
  });
}

}  // namespace consort
