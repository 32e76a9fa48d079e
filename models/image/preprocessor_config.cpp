#include "models/image/preprocessor_config.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

namespace consort {
namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kMostBytes = 1 << 16;  // real files have under 1 KiB
constexpr std::int64_t kMostPixels = 4096;      // of a side that a network takes

// nullopt when there is no such file.
Result<std::optional<Json>> read_object(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return std::optional<Json>{};
  if (bytes > kMostBytes) return fail(ErrorKind::kCorrupt, "far larger than such a file is", path);
  std::ifstream file(path, std::ios::binary);
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return fail(ErrorKind::kCorrupt, "not a JSON object", path);
  return std::optional<Json>{std::move(json)};
}

std::int64_t side_of(const Json& value) {
  const auto n = value.get<std::int64_t>();
  return n >= 1 && n <= kMostPixels ? n : -1;
}

bool flag(const Json& json, const char* key) {
  return json.value(key, true);
}

Status take_sizes(const Json& json, PreprocessPlan& plan) {
  if (!flag(json, "do_resize")) return fail(ErrorKind::kUnsupported, "pictures that are not resized");
  if (const auto size = json.find("size"); size != json.end()) {
    if (size->is_number() || size->contains("shortest_edge")) {
      plan.resize = PreprocessPlan::Resize::kShortSide;
      plan.resize_height = plan.resize_width = side_of(size->is_number() ? *size : size->at("shortest_edge"));
    } else {
      plan.resize = PreprocessPlan::Resize::kExact;
      plan.resize_height = side_of(size->at("height"));
      plan.resize_width = side_of(size->at("width"));
    }
  }
  if (json.contains("do_center_crop") && !flag(json, "do_center_crop"))
    plan.crop_width = plan.crop_height = 0;
  if (const auto crop = json.find("crop_size"); crop != json.end() && plan.crop_width > 0) {
    plan.crop_height = side_of(crop->is_number() ? *crop : crop->at("height"));
    plan.crop_width = side_of(crop->is_number() ? *crop : crop->at("width"));
  }
  if (plan.resize_width < 0 || plan.resize_height < 0 || plan.crop_width < 0 || plan.crop_height < 0)
    return fail(ErrorKind::kInvalid, fmt::format("a side that is not within 1 to {} pixels", kMostPixels));
  const int filter = json.value("resample", plan.filter == ResizeFilter::kBicubic ? 3 : 2);
  if (filter != 2 && filter != 3)
    return fail(ErrorKind::kUnsupported, fmt::format("resize filter {}", filter));
  plan.filter = filter == 3 ? ResizeFilter::kBicubic : ResizeFilter::kBilinear;
  return {};
}

Status take_scaling(const Json& json, PixelScaling& scaling) {
  scaling.factor = flag(json, "do_rescale") ? json.value("rescale_factor", scaling.factor) : 1.0f;
  if (!flag(json, "do_normalize")) {
    scaling.mean = {0, 0, 0};
    scaling.deviation = {1, 1, 1};
    return {};
  }
  scaling.mean = json.value("image_mean", scaling.mean);
  scaling.deviation = json.value("image_std", scaling.deviation);
  for (const float d : scaling.deviation)
    if (!(std::abs(d) > 1e-6f)) return fail(ErrorKind::kInvalid, "an image_std of 0");
  return {};
}

Status take(const Json& json, ImagePreprocessing& to) {
  try {
    CONSORT_CHECK_OK(take_sizes(json, to.plan));
    return take_scaling(json, to.scaling);
  } catch (const Json::exception&) {
    return fail(ErrorKind::kCorrupt, "a key has another type than expected");
  }
}

}  // namespace

Result<ImagePreprocessing> read_image_preprocessing(const std::string& folder, std::int64_t side,
                                                    const ImagePreprocessing& defaults) {
  ImagePreprocessing result = defaults;
  std::string path = folder + "/preprocessor_config.json";
  CONSORT_TRY(own, read_object(path));
  if (!own) {
    path = folder + "/processor_config.json";
    CONSORT_TRY(shared, read_object(path));
    if (shared && shared->contains("image_processor") && (*shared)["image_processor"].is_object())
      own = (*shared)["image_processor"];
  }
  if (own) {
    auto taken = take(*own, result);
    if (!taken) {
      taken.error().where = path;
      return forward_error(taken);
    }
  }
  const PreprocessPlan& p = result.plan;
  const bool exact = p.resize == PreprocessPlan::Resize::kExact && p.crop_width == 0;
  if ((exact ? p.resize_width : p.crop_width) != side || (exact ? p.resize_height : p.crop_height) != side)
    return fail(ErrorKind::kUnsupported, fmt::format("pictures are not made {} x {} pixels", side, side),
                path);
  return result;
}

}  // namespace consort
