// PNG through libpng. Checksums of all chunks count; texts, profiles and gamma are passed over unread.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "models/image/decoders.h"

namespace consort::image_detail {
namespace {

struct Source {
  Bytes bytes;
  std::size_t at = 0;
  bool ended = false;
  std::jmp_buf back;
  char text[128] = "";
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* source = static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source->text, message, sizeof source->text - 1);
  std::longjmp(source->back, 1);
}
void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t n) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (source->bytes.size() - source->at < n) {
    source->ended = true;
    png_error(png, "the file ends inside the picture");
  }
  std::memcpy(to, source->bytes.data() + source->at, n);
  source->at += n;
}

// Owns libpng's state; the methods that call libpng hold nothing that a longjmp would skip.
class Decoder {
 public:
  explicit Decoder(Bytes bytes) { source_.bytes = bytes; }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;

  bool header() {
    static const png_byte kIgnored[] = "iCCP\0zTXt\0iTXt\0tEXt\0gAMA\0cHRM\0sRGB\0sPLT\0hIST";
    if (setjmp(source_.back)) return false;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, on_error, on_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) return false;
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kIgnored,
                                static_cast<int>(sizeof kIgnored / 5));
    png_set_read_fn(png_, &source_, read_bytes);
    png_read_info(png_, info_);
    return true;
  }
  bool start() {
    if (setjmp(source_.back)) return false;
    const int type = png_get_color_type(png_, info_);
    png_set_strip_16(png_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if ((type & PNG_COLOR_MASK_COLOR) == 0) {
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
    }
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != 3 * static_cast<std::size_t>(width()))
      png_error(png_, "unexpected channels");
    return true;
  }
  bool rows(std::uint8_t* rgb) {
    if (setjmp(source_.back)) return false;
    const std::size_t stride = 3 * static_cast<std::size_t>(width());
    for (int pass = 0; pass < passes_; ++pass)
      for (std::size_t y = 0; y < static_cast<std::size_t>(height()); ++y)
        png_read_row(png_, rgb + y * stride, nullptr);
    png_read_end(png_, info_);
    return true;
  }

  std::int64_t width() const { return png_get_image_width(png_, info_); }
  std::int64_t height() const { return png_get_image_height(png_, info_); }
  // Behind the pixels the chunk is found only after rows().
  int orientation() const {
    png_bytep exif = nullptr;
    png_uint_32 length = 0;
    if (png_get_eXIf_1(png_, info_, &length, &exif) == 0) return 1;
    return exif_orientation(std::as_bytes(std::span(exif, length)));
  }
  tl::unexpected<Error> error() const {
    return source_.ended ? truncated(source_.text) : damaged(source_.text);
  }

 private:
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
};

// The sizes stand at a fixed place; they are looked at before libpng sees the file.
Status check_first_chunk(Bytes bytes) {
  constexpr std::size_t kSizes = 16;
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
    return static_cast<std::int64_t>(value);
  };
  if (bytes.size() < kSizes + 8) return truncated("the file ends inside its header");
  if (std::memcmp(bytes.data() + 12, "IHDR", 4) != 0) return damaged("the header is not the first chunk");
  const std::int64_t width = number(kSizes), height = number(kSizes + 4);
  CONSORT_CHECK_OK(check_size(width, height));
  // Deflate packs 1,032 bytes into one at most, and a pixel has at least one bit.
  if (width * height / 8 / 1032 > std::ssize(bytes)) return truncated("its pixels cannot be in so few bytes");
  return {};
}

}  // namespace

Result<Decoded> decode_png(Bytes bytes, bool pixels) {
  CONSORT_CHECK_OK(check_first_chunk(bytes));
  Decoder decoder(bytes);
  if (!decoder.header()) return decoder.error();
  Decoded out{{decoder.width(), decoder.height(), decoder.orientation()}, {}};
  if (!pixels) return out;
  if (!decoder.start()) return decoder.error();
  out.image.width = out.header.width;
  out.image.height = out.header.height;
  out.image.rgb.resize(static_cast<std::size_t>(3 * out.header.width * out.header.height));
  if (!decoder.rows(out.image.rgb.data())) return decoder.error();
  out.header.orientation = decoder.orientation();
  return out;
}

}  // namespace consort::image_detail
