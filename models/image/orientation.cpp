#include <algorithm>
#include <cstring>
#include <utility>

#include "models/image/decoders.h"

namespace consort::image_detail {
namespace {

constexpr std::uint16_t kOrientationTag = 0x0112, kShort = 3;

// Numbers of a TIFF structure in its own byte order; 0 outside.
struct Tiff {
  Bytes bytes;
  bool big = false;
  std::uint32_t number(std::size_t at, std::size_t width) const {
    if (at > bytes.size() || bytes.size() - at < width) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i)
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + (big ? i : width - 1 - i)]);
    return value;
  }
};

}  // namespace

int exif_orientation(Bytes bytes) {
  if (bytes.size() < 8) return 1;
  Tiff tiff{bytes, std::memcmp(bytes.data(), "MM", 2) == 0};
  if (!tiff.big && std::memcmp(bytes.data(), "II", 2) != 0) return 1;
  if (tiff.number(2, 2) != 42) return 1;
  const std::size_t directory = tiff.number(4, 4), entries = tiff.number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + 12 * i;
    if (tiff.number(at, 2) != kOrientationTag) continue;
    const std::uint32_t value = tiff.number(at + 2, 2) == kShort ? tiff.number(at + 8, 2) : 1;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// Orientation says where row 0 and column 0 of the stored picture belong: 5 to 8 swap the axes, and the
// stored axes run backwards in some.
Image oriented(Image image, int orientation) {
  if (orientation == 1) return image;
  const bool swapped = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  Image out;
  out.width = swapped ? image.height : image.width;
  out.height = swapped ? image.width : image.height;
  out.rgb.resize(image.rgb.size());
  std::uint8_t* to = out.rgb.data();
  for (std::int64_t y = 0; y < out.height; ++y)
    for (std::int64_t x = 0; x < out.width; ++x, to += 3) {
      const std::int64_t from_x = flip_x ? out.width - 1 - x : x, from_y = flip_y ? out.height - 1 - y : y;
      const std::int64_t pixel = swapped ? from_x * image.width + from_y : from_y * image.width + from_x;
      std::copy_n(image.rgb.data() + 3 * pixel, 3, to);
    }
  return out;
}

}  // namespace consort::image_detail
