#include "models/image/preprocess.h"

#include <fmt/format.h>

namespace consort {
namespace {

std::int64_t offset_of(std::int64_t n, std::int64_t crop, PreprocessPlan::CropOffset how) {
  const std::int64_t slack = n - crop, half = slack / 2;
  if (how == PreprocessPlan::CropOffset::kRoundHalfEven && slack % 2 != 0) return half + half % 2;
  return half;
}

}  // namespace

Result<std::vector<std::uint8_t>> preprocess(const Image& image, const PreprocessPlan& plan) {
  ResizeTarget target;
  if (plan.resize == PreprocessPlan::Resize::kExact) {
    target.width = plan.resize_width;
    target.height = plan.resize_height;
  } else if (image.width <= image.height) {
    target.width = plan.resize_height;
    target.height = plan.resize_height * image.height / image.width;
  } else {
    target.width = plan.resize_height * image.width / image.height;
    target.height = plan.resize_height;
  }
  target.columns = plan.crop_width > 0 ? plan.crop_width : target.width;
  target.rows = plan.crop_height > 0 ? plan.crop_height : target.height;
  if (target.columns > target.width || target.rows > target.height)
    return fail(ErrorKind::kInvalid, fmt::format("a crop of {} x {} from {} x {} pixels", target.columns,
                                                 target.rows, target.width, target.height));
  target.left = offset_of(target.width, target.columns, plan.offset);
  target.top = offset_of(target.height, target.rows, plan.offset);
  std::vector<std::uint8_t> out(static_cast<std::size_t>(3 * target.columns * target.rows));
  resize_rgb8(best_isa(), {image.rgb.data(), image.width, image.height}, target, plan.filter, out.data());
  return out;
}

}  // namespace consort
