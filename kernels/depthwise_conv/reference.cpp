#include <algorithm>

#include "kernels/depthwise_conv/depthwise_conv.h"

namespace consort::reference {

void depthwise_conv(TensorView x, TensorView weights, TensorView bias, const ConvShape& s,
                    ConvActivation activation, TensorView out) {
  const std::int64_t h = x.dims[1], w = x.dims[2], c = x.dims[3];
  float* to = out.as<float>();
  for (std::int64_t n = 0; n < out.dims[0]; ++n)
    for (std::int64_t y = 0; y < out.dims[1]; ++y)
      for (std::int64_t column = 0; column < out.dims[2]; ++column)
        for (std::int64_t i = 0; i < c; ++i) {
          double sum = bias.as<float>()[i];
          for (std::int64_t ky = 0; ky < s.kernel_h; ++ky)
            for (std::int64_t kx = 0; kx < s.kernel_w; ++kx) {
              const std::int64_t in_y = y * s.stride_h - s.pad_top + ky;
              const std::int64_t in_x = column * s.stride_w - s.pad_left + kx;
              if (in_y < 0 || in_y >= h || in_x < 0 || in_x >= w) continue;
              sum += static_cast<double>(x.as<float>()[((n * h + in_y) * w + in_x) * c + i]) *
                     weights.as<float>()[(ky * s.kernel_w + kx) * c + i];
            }
          if (activation == ConvActivation::kRelu6) sum = std::clamp(sum, 0.0, 6.0);
          *to++ = static_cast<float>(sum);
        }
}

}  // namespace consort::reference
