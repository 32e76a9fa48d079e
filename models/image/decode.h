// Pictures from outside: JPEG (libjpeg-turbo), PNG (libpng), WebP (libwebp). The content tells the format,
// never a name. Grey is repeated, alpha and palette transparency are dropped (not composited), 16-bit samples
// keep the high byte, the EXIF orientation is applied, colour profiles and gamma are ignored.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "memory/base/status.h"
#include "models/image/image.h"

namespace consort {

enum class ImageFormat : std::uint8_t { kJpeg, kPng, kWebp };
std::string_view image_media_type(ImageFormat format);  // "image/jpeg", ...

struct ImageInfo {
  ImageFormat format = ImageFormat::kPng;
  std::int64_t width = 0, height = 0;  // as a viewer shows it: after the EXIF orientation
};

// Larger pictures are refused before anything is allocated for their pixels.
inline constexpr std::int64_t kMaxPixels = 100'000'000;
inline constexpr std::int64_t kMaxSide = 1'000'000;

// Reads the header alone. Errors: as decode_image.
Result<ImageInfo> image_info(std::span<const std::byte> bytes);

// The whole picture. Anything missing or wrong in the file is an error, also what viewers pass over (a
// premature end, a wrong checksum, a scan that is not there): a model must not judge half a picture. Any
// thread. Needs at most 10 bytes a pixel while it runs (progressive JPEG). Errors, told apart by their first
// words: kInvalid "not a picture", "picture too large"; kCorrupt "truncated picture", "damaged picture";
// kUnsupported (animation); kMemory. Bytes behind the end of a picture are ignored.
Result<Image> decode_image(std::span<const std::byte> bytes);

}  // namespace consort
