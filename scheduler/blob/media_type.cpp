#include "scheduler/blob/media_type.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "scheduler/value/utf8.h"

namespace consort {
namespace {

constexpr std::size_t kMostGraphBytes = 1u << 20;
constexpr int kMostJpegSegments = 1024;

using Bytes = std::span<const std::byte>;
struct Size {
  std::uint32_t width = 0, height = 0;
};

std::uint32_t at(Bytes b, std::size_t i) {
  return std::to_integer<std::uint32_t>(b[i]);
}
std::uint32_t big16(Bytes b, std::size_t i) {
  return at(b, i) << 8 | at(b, i + 1);
}
std::uint32_t big32(Bytes b, std::size_t i) {
  return big16(b, i) << 16 | big16(b, i + 2);
}
std::uint32_t little16(Bytes b, std::size_t i) {
  return at(b, i) | at(b, i + 1) << 8;
}
std::uint32_t little24(Bytes b, std::size_t i) {
  return little16(b, i) | at(b, i + 2) << 16;
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_plain_text(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f')
      return false;
  return utf8::valid(text);
}

// PNG specification, section 11.2.2: IHDR is the first chunk.
std::optional<Size> png_size(Bytes b) {
  if (b.size() < 24) return std::nullopt;
  return Size{big32(b, 16), big32(b, 20)};
}

// ITU-T T.81, annex B: segments up to the first frame header (SOF0 to SOF15 but DHT, JPG and DAC).
std::optional<Size> jpeg_size(Bytes b) {
  std::size_t i = 2;
  for (int n = 0; n < kMostJpegSegments && i + 4 <= b.size(); ++n) {
    if (at(b, i) != 0xFF) return std::nullopt;
    const std::uint32_t marker = at(b, i + 1);
    if (marker == 0xFF) {  // fill byte
      ++i;
      continue;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
      i += 2;
      continue;
    }
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) {
      if (i + 9 > b.size()) return std::nullopt;
      return Size{big16(b, i + 7), big16(b, i + 5)};
    }
    if (marker == 0xD9 || marker == 0xDA) return std::nullopt;
    i += 2 + big16(b, i + 2);
  }
  return std::nullopt;
}

// RFC 9649: VP8X canvas, VP8L bits, VP8 key frame header (RFC 6386, section 9.1).
std::optional<Size> webp_size(Bytes b) {
  if (b.size() < 30) return std::nullopt;
  const std::string_view chunk = text_of(b).substr(12, 4);
  if (chunk == "VP8X") return Size{little24(b, 24) + 1, little24(b, 27) + 1};
  if (chunk == "VP8L") {
    const std::uint32_t bits = little16(b, 21) | little16(b, 23) << 16;
    return Size{(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1};
  }
  if (chunk == "VP8 ") return Size{little16(b, 26) & 0x3FFF, little16(b, 28) & 0x3FFF};
  return std::nullopt;
}

Value graph_metadata(Bytes bytes) {
  if (bytes.size() > kMostGraphBytes) return Value::object();
  const auto json = parse_json(text_of(bytes));
  if (!json) return Value::object();
  const Value *nodes = json->find("nodes"), *edges = json->find("edges");
  if (nodes == nullptr || edges == nullptr || !edges->is_array()) return Value::object();
  if (!nodes->is_array() && !nodes->is_integer()) return Value::object();
  return Value::object(
      {{"nodes", nodes->is_array() ? Value(nodes->size()) : *nodes}, {"edges", edges->size()}});
}

}  // namespace

std::string media_type_of(Bytes bytes, std::string_view name) {
  const std::string_view text = text_of(bytes);
  if (text.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
  if (text.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (text.starts_with("RIFF") && text.size() >= 12 && text.substr(8, 4) == "WEBP") return "image/webp";
  if (text.starts_with("GIF87a") || text.starts_with("GIF89a")) return "image/gif";
  if (text.starts_with("BM") && !is_plain_text(text)) return "image/bmp";
  if (text.starts_with(std::string_view("II*\0", 4)) || text.starts_with(std::string_view("MM\0*", 4)))
    return "image/tiff";
  if (!is_plain_text(text)) return "application/octet-stream";
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool structured = first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
  if (structured && (name.ends_with(".json") || graph_metadata(bytes).size() > 0)) return "application/json";
  return "text/plain";
}

Value content_metadata(Bytes bytes, std::string_view media_type) {
  std::optional<Size> size;
  if (media_type == "image/png") size = png_size(bytes);
  if (media_type == "image/jpeg") size = jpeg_size(bytes);
  if (media_type == "image/webp") size = webp_size(bytes);
  if (size) return Value::object({{"width", size->width}, {"height", size->height}});
  if (media_type == "application/json") return graph_metadata(bytes);
  return Value::object();
}

}  // namespace consort
