#include "models/image/decode.h"

#include <fmt/format.h>

#include <cstring>
#include <new>
#include <utility>

#include "models/image/decoders.h"

namespace consort {

using namespace image_detail;

namespace image_detail {

tl::unexpected<Error> truncated(std::string_view detail) {
  return fail(ErrorKind::kCorrupt, fmt::format("truncated picture: {}", detail));
}

tl::unexpected<Error> damaged(std::string_view detail) {
  return fail(ErrorKind::kCorrupt, fmt::format("damaged picture: {}", detail));
}

Status check_size(std::int64_t width, std::int64_t height) {
  if (width <= 0 || height <= 0) return damaged(fmt::format("{} x {} pixels", width, height));
  if (width > kMaxSide || height > kMaxSide || width > kMaxPixels / height)
    return fail(ErrorKind::kInvalid, fmt::format("picture too large: {} x {} pixels; at most {} are read",
                                                 width, height, kMaxPixels));
  return {};
}

}  // namespace image_detail

namespace {

using Decoder = Result<Decoded> (*)(Bytes bytes, bool pixels);

struct Kind {
  ImageFormat format;
  Decoder decode;
};

bool begins(Bytes bytes, std::string_view magic, std::size_t at = 0) {
  return bytes.size() >= at + magic.size() && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

Result<Kind> kind_of(Bytes bytes) {
  if (begins(bytes, "\xff\xd8\xff") || (bytes.size() == 2 && begins(bytes, "\xff\xd8")))
    return Kind{ImageFormat::kJpeg, decode_jpeg};
  if (begins(bytes, std::string_view("\x89PNG\r\n\x1a\n", 8))) return Kind{ImageFormat::kPng, decode_png};
  if (begins(bytes, "RIFF") && begins(bytes, "WEBP", 8)) return Kind{ImageFormat::kWebp, decode_webp};
  return fail(ErrorKind::kInvalid,
              bytes.empty() ? "not a picture: the file is empty" : "not a picture that is known here", "",
              "JPEG, PNG and WebP are read");
}

}  // namespace

std::string_view image_media_type(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "image/jpeg";
    case ImageFormat::kPng:
      return "image/png";
    case ImageFormat::kWebp:
      return "image/webp";
  }
  return "application/octet-stream";
}

Result<ImageInfo> image_info(std::span<const std::byte> bytes) {
  CONSORT_TRY(kind, kind_of(bytes));
  CONSORT_TRY(decoded, kind.decode(bytes, false));
  ImageInfo info{kind.format, decoded.header.width, decoded.header.height};
  if (decoded.header.orientation >= 5) std::swap(info.width, info.height);
  return info;
}

Result<Image> decode_image(std::span<const std::byte> bytes) {
  CONSORT_TRY(kind, kind_of(bytes));
  try {
    CONSORT_TRY(decoded, kind.decode(bytes, true));
    return oriented(std::move(decoded.image), decoded.header.orientation);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the pixels of a picture");
  }
}

}  // namespace consort
