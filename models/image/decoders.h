// The decoders of this room, one a format. Private; decode.h is the door.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "memory/base/status.h"
#include "models/image/decode.h"

namespace consort::image_detail {

using Bytes = std::span<const std::byte>;

struct Header {
  std::int64_t width = 0, height = 0;  // as stored
  int orientation = 1;                 // EXIF, 1 to 8
};

// Pixels as stored, with the orientation still to be applied. `pixels` false: the header alone, `image` stays
// empty.
struct Decoded {
  Header header;
  Image image;
};
Result<Decoded> decode_jpeg(Bytes bytes, bool pixels);
Result<Decoded> decode_png(Bytes bytes, bool pixels);
Result<Decoded> decode_webp(Bytes bytes, bool pixels);

tl::unexpected<Error> truncated(std::string_view detail);
tl::unexpected<Error> damaged(std::string_view detail);
// Errors: sizes that are not allowed.
Status check_size(std::int64_t width, std::int64_t height);

// The orientation of a TIFF structure as EXIF uses it (source: Exif 2.32, 4.6); 1 when there is none or it is
// damaged, as viewers do.
int exif_orientation(Bytes tiff);
// Turns a picture upright.
Image oriented(Image image, int orientation);

}  // namespace consort::image_detail
