// JPEG through libjpeg-turbo: accurate integer DCT and fancy upsampling, its defaults.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jerror.h>
#include <jpeglib.h>

#include "models/image/decoders.h"

namespace consort::image_detail {
namespace {

// More scans than real progressive files have (about 10); each costs a pass over the picture.
constexpr int kMaxScans = 64;
constexpr std::size_t kExifHeader = 6;  // "Exif\0\0"

struct Failure {
  jpeg_error_mgr base;
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX];
  bool truncated, too_big;
};

[[noreturn]] void leave(j_common_ptr info) {
  auto* failure = reinterpret_cast<Failure*>(info->err);
  failure->base.format_message(info, failure->text);
  const int code = failure->base.msg_code;
  failure->truncated =
      code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JERR_INPUT_EOF || code == JERR_INPUT_EMPTY;
  failure->too_big = code == JERR_IMAGE_TOO_BIG;
  std::longjmp(failure->back, 1);
}

// libjpeg only warns of a premature end and of broken codes and goes on with grey; here they end the
// decoding. What does not touch the pixels stays a warning.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  const int code = info->err->msg_code;
  if (code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR || code == JWRN_EXTRANEOUS_DATA ||
      code == JWRN_TOO_MUCH_DATA)
    return;
  leave(info);
}

void on_progress(j_common_ptr info) {
  if (info->is_decompressor && reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans)
    ERREXIT(info, JERR_BAD_PROGRESSION);
}

// Owns libjpeg's state; the methods that call libjpeg hold nothing that a longjmp would skip.
class Decoder {
 public:
  explicit Decoder(Bytes bytes) {
    info_.err = jpeg_std_error(&failure_.base);
    failure_.base.error_exit = leave;
    failure_.base.emit_message = on_message;
    if (setjmp(failure_.back)) return;
    jpeg_create_decompress(&info_);
    made_ = true;
    progress_.progress_monitor = on_progress;
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()),
                 static_cast<unsigned long>(bytes.size()));
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
  }
  ~Decoder() {
    if (made_) jpeg_destroy_decompress(&info_);
  }
  Decoder(const Decoder&) = delete;

  bool header() {
    if (!made_ || setjmp(failure_.back)) return false;
    jpeg_read_header(&info_, TRUE);
    return true;
  }
  bool start() {
    if (setjmp(failure_.back)) return false;
    info_.out_color_space = four_channels() ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }
  // `row` holds a line of four channels where the picture has them.
  bool rows(std::uint8_t* rgb, std::uint8_t* row) {
    if (setjmp(failure_.back)) return false;
    const std::size_t width = info_.output_width;
    while (info_.output_scanline < info_.output_height) {
      std::uint8_t* line = rgb + 3 * width * info_.output_scanline;
      JSAMPROW target = four_channels() ? row : line;
      jpeg_read_scanlines(&info_, &target, 1);
      if (four_channels()) to_rgb(row, width, line);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }
  // A component without a quantisation table was never in a scan; one of a progressive file without the first
  // coefficient has only its refinements. Asked before jpeg_finish_decompress gives the tables away.
  bool scan_missing() const {
    for (int c = 0; c < info_.num_components; ++c)
      if (info_.comp_info[c].quant_table == nullptr ||
          (info_.coef_bits != nullptr && info_.coef_bits[c][0] < 0))
        return true;
    return false;
  }
  bool four_channels() const {
    return info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
  }

  std::int64_t width() const { return info_.image_width; }
  std::int64_t height() const { return info_.image_height; }
  int orientation() const {
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next)
      if (marker->data_length > kExifHeader && std::memcmp(marker->data, "Exif\0", kExifHeader) == 0)
        return exif_orientation(
            std::as_bytes(std::span(marker->data, marker->data_length)).subspan(kExifHeader));
    return 1;
  }
  tl::unexpected<Error> error() const {
    if (failure_.too_big)
      return fail(ErrorKind::kInvalid, std::string("picture too large: ") + failure_.text);
    return failure_.truncated ? truncated(failure_.text) : damaged(failure_.text);
  }

 private:
  // Files with an Adobe marker hold the complement of the ink.
  void to_rgb(const std::uint8_t* cmyk, std::size_t width, std::uint8_t* rgb) const {
    const bool inverted = info_.saw_Adobe_marker;
    for (std::size_t i = 0; i < width; ++i, cmyk += 4)
      for (std::size_t c = 0; c < 3; ++c) {
        const int light = inverted ? cmyk[c] : 255 - cmyk[c], paper = inverted ? cmyk[3] : 255 - cmyk[3];
        *rgb++ = static_cast<std::uint8_t>((light * paper + 127) / 255);
      }
  }

  jpeg_decompress_struct info_{};
  jpeg_progress_mgr progress_{};
  Failure failure_{};
  bool made_ = false;
};

}  // namespace

Result<Decoded> decode_jpeg(Bytes bytes, bool pixels) {
  Decoder decoder(bytes);
  if (!decoder.header()) return decoder.error();
  CONSORT_CHECK_OK(check_size(decoder.width(), decoder.height()));
  Decoded out{{decoder.width(), decoder.height(), decoder.orientation()}, {}};
  if (!pixels) return out;
  if (!decoder.start()) return decoder.error();
  if (decoder.scan_missing()) return damaged("a scan is missing");
  out.image.width = out.header.width;
  out.image.height = out.header.height;
  out.image.rgb.resize(static_cast<std::size_t>(3 * out.header.width * out.header.height));
  std::vector<std::uint8_t> row(decoder.four_channels() ? static_cast<std::size_t>(4 * out.header.width) : 0);
  if (!decoder.rows(out.image.rgb.data(), row.data())) return decoder.error();
  return out;
}

}  // namespace consort::image_detail
