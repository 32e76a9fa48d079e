// The geometry of a convolution: window, stride, and the zeros around the picture, each side for itself.
#pragma once

#include <algorithm>
#include <cstdint>

namespace consort {

// Applied to every output in the order sum, bias, residual, activation.
enum class ConvActivation : std::uint8_t { kNone, kRelu6 };  // relu6: min(max(x, 0), 6)

struct ConvShape {
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  std::int64_t out_h(std::int64_t h) const { return (h + pad_top + pad_bottom - kernel_h) / stride_h + 1; }
  std::int64_t out_w(std::int64_t w) const { return (w + pad_left + pad_right - kernel_w) / stride_w + 1; }
  // One pixel in, one pixel out: the convolution is a matrix product.
  bool pointwise() const {
    return kernel_h == 1 && kernel_w == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 &&
           pad_left == 0 && pad_bottom == 0 && pad_right == 0;
  }
};

// TensorFlow's SAME padding: ceil(n / stride) outputs an axis; of an odd total the smaller half stands
// before, so layers with stride 2 are not symmetric.
inline ConvShape same_padding(std::int64_t kernel, std::int64_t stride, std::int64_t h, std::int64_t w) {
  const auto total = [&](std::int64_t n) {
    return std::max<std::int64_t>(((n + stride - 1) / stride - 1) * stride + kernel - n, 0);
  };
  const std::int64_t rows = total(h), columns = total(w);
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = rows / 2,
          .pad_left = columns / 2,
          .pad_bottom = rows - rows / 2,
          .pad_right = columns - columns / 2};
}

}  // namespace consort
