#include <algorithm>
#include <cmath>

#include "kernels/channel_affine/channel_affine.h"
#include "kernels/lanes/rows.h"

namespace consort::reference {

void channel_affine(TensorView x, const ChannelFactors& f, ChannelActivation activation) {
  const RowsOf xs(x);
  for (std::size_t r = 0; r < xs.rows; ++r)
    for (std::size_t i = 0; i < xs.cols; ++i) {
      double v = xs[r][i];
      if (f.centre.data != nullptr) v -= f.centre.as<float>()[i];
      if (f.scale.data != nullptr) v *= f.scale.as<float>()[i];
      if (f.shift.data != nullptr) v += f.shift.as<float>()[i];
      if (activation == ChannelActivation::kRelu) v = std::max(v, 0.0);
      if (activation == ChannelActivation::kElu && v < 0) v = std::expm1(v);
      xs[r][i] = static_cast<float>(v);
    }
}

}  // namespace consort::reference
