// WebP through libwebp (source of the container: WebP Container Specification). Alpha is dropped.
#include <webp/decode.h>

#include <cstring>

#include "models/image/decoders.h"

namespace consort::image_detail {
namespace {

std::uint32_t little_endian(Bytes bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

// The chunks of a RIFF file are walked for "EXIF"; damage here does not touch the pixels.
int orientation_of(Bytes bytes) {
  std::size_t at = 12;
  while (bytes.size() - at >= 8) {
    const std::size_t length = little_endian(bytes, at + 4), rest = bytes.size() - at - 8;
    if (length > rest) return 1;
    if (std::memcmp(bytes.data() + at, "EXIF", 4) == 0) {
      Bytes exif = bytes.subspan(at + 8, length);
      if (exif.size() > 6 && std::memcmp(exif.data(), "Exif\0", 6) == 0) exif = exif.subspan(6);
      return exif_orientation(exif);
    }
    const std::size_t step = length + (length & 1);
    if (step > rest) return 1;
    at += 8 + step;
  }
  return 1;
}

}  // namespace

Result<Decoded> decode_webp(Bytes bytes, bool pixels) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(data, bytes.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) return truncated("the file ends inside its header");
  if (status != VP8_STATUS_OK) return damaged("its header is not one of WebP");
  if (features.has_animation)
    return fail(ErrorKind::kUnsupported, "an animated WebP", "", "give a still picture");
  CONSORT_CHECK_OK(check_size(features.width, features.height));
  Decoded out{{features.width, features.height, orientation_of(bytes)}, {}};
  if (!pixels) return out;
  out.image.width = features.width;
  out.image.height = features.height;
  out.image.rgb.resize(3 * static_cast<std::size_t>(features.width) *
                       static_cast<std::size_t>(features.height));
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return fail(ErrorKind::kRuntime, "another version of libwebp than expected");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {out.image.rgb.data(), 3 * features.width, out.image.rgb.size()};
  switch (WebPDecode(data, bytes.size(), &config)) {
    case VP8_STATUS_OK:
      return out;
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return truncated("the file ends inside the picture");
    case VP8_STATUS_OUT_OF_MEMORY:
      return fail(ErrorKind::kMemory, "no memory for the pixels of a picture");
    default:
      return damaged("its pixels cannot be decoded");
  }
}

}  // namespace consort::image_detail
