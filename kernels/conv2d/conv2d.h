// Convolution over pictures that lie pixel by pixel (NHWC), float32. One arithmetic: an output is a fused
// multiply-add chain over (ky, kx, channel) in increasing order from 0, then bias, residual, activation. So
// it is the same bits for any batch, number of threads and instruction set.
#pragma once

#include <span>

#include "kernels/conv2d/conv_shape.h"
#include "kernels/exec/exec.h"
#include "kernels/exec/weight_arena.h"

namespace consort {

// Weights [outputs][k] with k = (ky, kx, channel), in tiles of 16 outputs: [tile][k][16], rows past the end
// zero; and the biases, padded alike. Points into a WeightArena, owns nothing. Immutable after pack().
class ConvWeights {
 public:
  ConvWeights() = default;
  // `weights`: outputs x k floats; `bias`: outputs floats or empty. Errors: kMemory from the arena.
  static Result<ConvWeights> pack(WeightArena& arena, std::span<const float> weights,
                                  std::span<const float> bias);

  std::int64_t outputs() const { return outputs_; }
  std::int64_t k() const { return k_; }
  const float* tile(std::int64_t t) const { return data_ + t * k_ * 16; }
  const float* bias() const { return bias_; }
  std::size_t bytes() const { return static_cast<std::size_t>((outputs_ + 15) / 16 * 16 * (k_ + 1)) * 4; }

 private:
  const float* data_ = nullptr;
  const float* bias_ = nullptr;
  std::int64_t outputs_ = 0, k_ = 0;
};

// out[n, y, x, o] = activation(sum over the window + bias[o] + residual[n, y, x, o]). x: [n, h, w, c], out:
// [n, out_h, out_w, outputs], residual: like out, or an empty view; all f32 and contiguous. Takes scratch for
// windows where the convolution is not pointwise. REQUIRES: weights.k() == kernel_h kernel_w c; out overlaps
// neither x nor (unless they are equal) residual.
void conv2d(Exec& exec, TensorView x, const ConvWeights& weights, const ConvShape& shape,
            ConvActivation activation, TensorView residual, TensorView out);

namespace reference {
// weights: f32 [outputs, kernel_h, kernel_w, c]; bias: [outputs] or empty.
void conv2d(TensorView x, TensorView weights, TensorView bias, const ConvShape& shape,
            ConvActivation activation, TensorView residual, TensorView out);
}  // namespace reference

}  // namespace consort
