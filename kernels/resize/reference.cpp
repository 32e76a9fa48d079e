// Two passes over whole pictures, each output by itself.
#include <algorithm>

#include "kernels/resize/resize.h"

namespace consort::reference {
namespace {

std::uint8_t rounded(std::int64_t sum) {
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>((sum + (1 << 21)) >> 22, 0, 255));
}

}  // namespace

void resize_rgb8(RgbView picture, const ResizeTarget& target, ResizeFilter filter, std::uint8_t* out) {
  const std::int64_t w = picture.width, h = picture.height, tw = target.width, th = target.height;
  const ResizeAxis columns(w, tw, 0, tw, filter), rows(h, th, 0, th, filter);
  std::vector<std::uint8_t> wide(static_cast<std::size_t>(h * tw * 3));
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < tw; ++x)
      for (std::int64_t c = 0; c < 3; ++c) {
        std::int64_t sum = 0;
        const auto at = static_cast<std::size_t>(x);
        for (std::int64_t t = 0; t < columns.taps[at]; ++t)
          sum += std::int64_t{columns.weights[at * static_cast<std::size_t>(columns.most) +
                                              static_cast<std::size_t>(t)]} *
                 picture.data[(y * w + columns.begin[at] + t) * 3 + c];
        wide[static_cast<std::size_t>((y * tw + x) * 3 + c)] =
            tw == w ? picture.data[(y * w + x) * 3 + c] : rounded(sum);
      }
  for (std::int64_t y = 0; y < target.rows; ++y)
    for (std::int64_t x = 0; x < target.columns * 3; ++x) {
      const auto at = static_cast<std::size_t>(target.top + y);
      std::int64_t sum = 0;
      for (std::int64_t t = 0; t < rows.taps[at]; ++t)
        sum +=
            std::int64_t{
                rows.weights[at * static_cast<std::size_t>(rows.most) + static_cast<std::size_t>(t)]} *
            wide[static_cast<std::size_t>(((rows.begin[at] + t) * tw + target.left) * 3 + x)];
      out[y * target.columns * 3 + x] =
          th == h ? wide[static_cast<std::size_t>(((target.top + y) * tw + target.left) * 3 + x)]
                  : rounded(sum);
    }
}

}  // namespace consort::reference
