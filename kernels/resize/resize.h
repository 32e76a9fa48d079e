// Resampling of 8-bit RGB pictures in integers, equal to Pillow's Image.resize byte for byte (source: Pillow,
// libImaging/Resample.c, as described in the goldens): separable, the filter stretched by the scale when a
// picture shrinks (antialiasing), weights of 22 fractional bits, rounded to 8 bits
// between the axes. Across first, except where resizes_down_first() (found by trying Pillow 13 on 500 sizes;
// earlier ones always began across).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cpu/isa.h"

namespace consort {

enum class ResizeFilter : std::uint8_t {
  kBilinear,  // triangle, support 1
  kBicubic,   // Keys 1981 with a = -0.5, support 2
};

// A window of the resized picture: of `width` x `height` pixels in all, those from (left, top) on.
struct ResizeTarget {
  std::int64_t width = 0, height = 0;
  std::int64_t left = 0, top = 0, columns = 0, rows = 0;
};

struct RgbView {
  const std::uint8_t* data = nullptr;  // [height][width][3]
  std::int64_t width = 0, height = 0;
};

// More than twice as many rows go as columns.
bool resizes_down_first(RgbView picture, const ResizeTarget& target);

// Only what the window needs is read and computed. out: [rows][columns][3]. Needs about
// 12 columns rows + 16 (width + height) bytes beside them. Any thread. REQUIRES: every size at least 1, the
// window inside the target.
void resize_rgb8(Isa isa, RgbView picture, const ResizeTarget& target, ResizeFilter filter,
                 std::uint8_t* out);

// The weights of `count` outputs from `first` on, of an axis that is resized from n_in to n_out.
struct ResizeAxis {
  std::vector<std::int64_t> begin;    // first input of each output
  std::vector<std::int32_t> taps;     // number of inputs of each output
  std::vector<std::int32_t> weights;  // [count][most]
  std::int64_t most = 0;              // largest number of taps
  ResizeAxis(std::int64_t n_in, std::int64_t n_out, std::int64_t first, std::int64_t count,
             ResizeFilter filter);
};

namespace reference {
void resize_rgb8(RgbView picture, const ResizeTarget& target, ResizeFilter filter, std::uint8_t* out);
}  // namespace reference

}  // namespace consort
