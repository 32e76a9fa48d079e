// What bytes are, told from their beginning. Pure; any thread. Reads headers only and checks every offset.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "scheduler/value/value.h"

namespace consort {

// "image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff", "application/json" (UTF-8
// that begins with a brace or bracket and whose name ends in .json, or that names nodes and edges),
// "text/plain" (UTF-8 without control characters other than white space), else "application/octet-stream".
std::string media_type_of(std::span<const std::byte> bytes, std::string_view name = {});

// {width, height} of a PNG, JPEG or WebP as its header says (before EXIF orientation); {nodes, edges} of a
// graph in JSON up to 1 MiB; otherwise {}.
Value content_metadata(std::span<const std::byte> bytes, std::string_view media_type);

}  // namespace consort
