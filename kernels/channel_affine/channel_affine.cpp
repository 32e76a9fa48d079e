#include "kernels/channel_affine/channel_affine.h"

#include "kernels/channel_affine/kernel.h"
#include "kernels/lanes/rows.h"

namespace consort {

void channel_affine(Exec& exec, TensorView x, const ChannelFactors& f, ChannelActivation activation) {
  const RowsOf xs(x);
  for_rows(exec, xs.rows, xs.cols, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      CONSORT_ISA_CALL(
          exec.isa, channel_affine_row,
          {xs[r], f.centre.as<float>(), f.scale.as<float>(), f.shift.as<float>(), xs.cols, activation});
  });
}

}  // namespace consort
