// Depthwise convolution: every channel has its own window. Pictures lie pixel by pixel (NHWC), float32. An
// output is a fused multiply-add chain over (ky, kx) in increasing order from 0, zeros outside the picture
// included, then bias and activation: the same bits for any batch, number of threads and instruction set.
#pragma once

#include "kernels/conv2d/conv_shape.h"
#include "kernels/exec/exec.h"

namespace consort {

// x: f32 [n, h, w, c]; weights: f32 [kernel_h, kernel_w, c]; bias: f32 [c]; out: f32 [n, out_h, out_w, c];
// all contiguous. REQUIRES: out does not overlap x. Windows 3 x 3 and 5 x 5 with strides 1 and 2 are fast,
// others right.
void depthwise_conv(Exec& exec, TensorView x, TensorView weights, TensorView bias, const ConvShape& shape,
                    ConvActivation activation, TensorView out);

namespace reference {
void depthwise_conv(TensorView x, TensorView weights, TensorView bias, const ConvShape& shape,
                    ConvActivation activation, TensorView out);
}  // namespace reference

}  // namespace consort
