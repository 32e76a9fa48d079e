// Whole pictures, one axis after the other, each output by itself.
#include <algorithm>

#include "kernels/resize/resize.h"

namespace consort::reference {
namespace {

std::uint8_t rounded(std::int64_t sum) {
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>((sum + (1 << 21)) >> 22, 0, 255));
}

}  // namespace

namespace {

using Bytes = std::vector<std::uint8_t>;

// [height][width][3] to [height][n][3].
Bytes across(const Bytes& in, std::int64_t width, std::int64_t height, std::int64_t n, ResizeFilter filter) {
  if (width == n) return in;
  const ResizeAxis axis(width, n, 0, n, filter);
  Bytes out(static_cast<std::size_t>(height * n * 3));
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < n; ++x)
      for (std::int64_t c = 0; c < 3; ++c) {
        std::int64_t sum = 0;
        const auto at = static_cast<std::size_t>(x);
        for (std::int64_t t = 0; t < axis.taps[at]; ++t)
          sum += std::int64_t{axis.weights[static_cast<std::size_t>(x * axis.most + t)]} *
                 in[static_cast<std::size_t>((y * width + axis.begin[at] + t) * 3 + c)];
        out[static_cast<std::size_t>((y * n + x) * 3 + c)] = rounded(sum);
      }
  return out;
}

Bytes transposed(const Bytes& in, std::int64_t width, std::int64_t height) {
  Bytes out(in.size());
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        out[static_cast<std::size_t>((x * height + y) * 3 + c)] =
            in[static_cast<std::size_t>((y * width + x) * 3 + c)];
  return out;
}

Bytes down(const Bytes& in, std::int64_t width, std::int64_t height, std::int64_t n, ResizeFilter filter) {
  return transposed(across(transposed(in, width, height), height, width, n, filter), n, width);
}

}  // namespace

void resize_rgb8(RgbView picture, const ResizeTarget& target, ResizeFilter filter, std::uint8_t* out) {
  const std::int64_t w = picture.width, h = picture.height, tw = target.width, th = target.height;
  const Bytes in(picture.data, picture.data + 3 * w * h);
  const Bytes whole = resizes_down_first(picture, target)
                          ? across(down(in, w, h, th, filter), w, th, tw, filter)
                          : down(across(in, w, h, tw, filter), tw, h, th, filter);
  for (std::int64_t y = 0; y < target.rows; ++y)
    std::copy_n(whole.begin() + ((target.top + y) * tw + target.left) * 3, target.columns * 3,
                out + y * target.columns * 3);
}

}  // namespace consort::reference
