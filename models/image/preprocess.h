// From a decoded picture to the pixels that a network wants: resize, crop. Pixels stay 8-bit, which is what
// moves between threads; the network makes floats of them.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/resize/resize.h"
#include "memory/base/status.h"
#include "models/image/image.h"

namespace consort {

struct PreprocessPlan {
  enum class Resize : std::uint8_t {
    kShortSide,  // the shorter side becomes resize_height, the longer floor(resize_height long / short)
    kExact,      // resize_width x resize_height, whatever the shape
  };
  enum class CropOffset : std::uint8_t {
    kRoundHalfEven,  // round((n - crop) / 2), halves to even
    kFloor,          // (n - crop) / 2 rounded down
  };
  Resize resize = Resize::kShortSide;
  ResizeFilter filter = ResizeFilter::kBicubic;
  std::int64_t resize_width = 256, resize_height = 256;
  std::int64_t crop_width = 224, crop_height = 224;  // 0: no crop
  CropOffset offset = CropOffset::kRoundHalfEven;
};

// [height][width][3]. Only the window that survives the crop is computed. Any thread. Errors: kInvalid when a
// side of the resized picture is smaller than the crop.
Result<std::vector<std::uint8_t>> preprocess(const Image& image, const PreprocessPlan& plan);

}  // namespace consort
