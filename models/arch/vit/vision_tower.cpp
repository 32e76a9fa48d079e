#include "models/arch/vit/vision_tower.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/formats/dequantize.h"
#include "models/image/decode.h"

namespace consort {
namespace {

bool plain(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

// All elements of a tensor as floats, whatever its rank.
Result<std::vector<float>> floats(const WeightSource& source, const std::string& name,
                                  std::int64_t elements) {
  const TensorEntry* entry = source.find(name);
  const std::string where = fmt::format("{}, tensor {}", source.location(), name);
  if (entry == nullptr) return fail(ErrorKind::kNotFound, "tensor is missing", where);
  if (entry->view.elements() != elements)
    return fail(ErrorKind::kInvalid,
                fmt::format("{} elements, expected {}", entry->view.elements(), elements), where);
  if (!plain(entry->view.dtype))
    return fail(ErrorKind::kUnsupported, fmt::format("weights of type {}", dtype_name(entry->view.dtype)),
                where);
  std::vector<float> values(static_cast<std::size_t>(elements));
  dequantize_row(entry->view.dtype, entry->view.data, values.data(), values.size());
  return values;
}

// [outputs][channel][ky][kx] of the file to [outputs][ky][kx][channel].
Result<ConvWeights> load_patch(WeightLoader& loader, const std::string& name, std::int64_t width,
                               std::int64_t patch) {
  CONSORT_TRY(weights, loader.source().tensor(name + ".weight", {width, 3, patch, patch}));
  CONSORT_TRY(values, floats(loader.source(), name + ".weight", weights.elements()));
  std::vector<float> bias(static_cast<std::size_t>(width), 0.0f), reordered(values.size());
  if (loader.source().find(name + ".bias") != nullptr) {
    CONSORT_TRY(given, floats(loader.source(), name + ".bias", width));
    bias = std::move(given);
  }
  const auto area = static_cast<std::size_t>(patch * patch);
  for (std::size_t o = 0; o < bias.size(); ++o)
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t i = 0; i < area; ++i)
        reordered[(o * area + i) * 3 + c] = values[(o * 3 + c) * area + i];
  return ConvWeights::pack(loader.arena(), reordered, bias);
}

Result<TensorView> stored(WeightLoader& loader, const std::string& name, std::int64_t rows,
                          std::int64_t cols) {
  CONSORT_TRY(values, floats(loader.source(), name, rows * cols));
  CONSORT_TRY(kept, loader.arena().copy(values));
  return make_view(kept.data(), DType::kF32, {rows, cols});
}

}  // namespace

Result<VisionConfig> read_vision(const WeightSource& source, const std::string& prefix, VisionConfig c) {
  CONSORT_TRY(layers, read_pre_norm(source, prefix, c.layers));
  CONSORT_TRY(image, hyper_parameter_or(source, prefix + "image_size", c.image_size, 8, 4096));
  CONSORT_TRY(patch, hyper_parameter_or(source, prefix + "patch_size", c.patch_size, 1, 256));
  CONSORT_TRY(channels, hyper_parameter_or(source, prefix + "num_channels", 3, 1, 4096));
  if (image % patch != 0 || channels != 3)
    return fail(ErrorKind::kUnsupported,
                fmt::format("patches of {} over pictures of {} with {} channels", patch, image, channels),
                source.location());
  return VisionConfig{layers, image, patch};
}

Result<std::unique_ptr<PictureSample>> prepare_picture(const NetworkInput& input,
                                                       const PreprocessPlan& plan) {
  auto image = decode_image(input.bytes);
  if (!image) {
    image.error().where = input.name;
    return forward_error(image);
  }
  CONSORT_TRY(pixels, preprocess(*image, plan));
  auto sample = std::make_unique<PictureSample>();
  sample->pixels = std::move(pixels);
  return sample;
}

Result<VisionTower> VisionTower::load(WeightLoader& loader, const VisionConfig& c,
                                      const PixelScaling& scaling, const VisionNames& names) {
  VisionTower t;
  t.config_ = c;
  t.scaling_ = scaling;
  const std::int64_t width = c.layers.width;
  CONSORT_TRY(patch, load_patch(loader, names.patch, width, c.patch_size));
  t.patch_ = patch;
  if (names.class_token != nullptr) {
    CONSORT_TRY(token, stored(loader, names.class_token, 1, width));
    t.class_token_ = token;
  }
  CONSORT_TRY(positions, stored(loader, names.positions, t.tokens(), width));
  t.positions_ = positions;
  if (names.pre_norm != nullptr) {
    CONSORT_TRY(norm, load_norm(loader, names.pre_norm, width));
    t.pre_norm_ = norm;
  }
  for (int i = 0; i < c.layers.layers; ++i) {
    CONSORT_TRY(layer, load_pre_norm(loader, c.layers, fmt::format("{}{}.", names.layers, i), names.layer));
    t.layers_.push_back(layer);
  }
  return t;
}

TensorView VisionTower::embed(Ops& ops, std::span<const PictureSample* const> pictures) const {
  Exec& exec = ops.exec();
  const std::int64_t n = std::ssize(pictures), side = config_.image_size, width = config_.layers.width;
  const TensorView x = exec.scratch.tensor(DType::kF32, {n * tokens(), width});
  const ScratchArena::Mark mark(exec.scratch);
  const TensorView input = exec.scratch.tensor(DType::kF32, {n, side, side, 3});
  const auto row = static_cast<std::size_t>(side * 3);
  exec.threads.parallel_for(
      static_cast<std::size_t>(n * side), 16, [&](std::size_t begin, std::size_t end, int) {
        for (std::size_t r = begin; r < end; ++r) {
          const std::size_t picture = r / static_cast<std::size_t>(side);
          const std::uint8_t* from =
              pictures[picture]->pixels.data() + r % static_cast<std::size_t>(side) * row;
          float* to = input.as<float>() + r * row;
          for (std::size_t i = 0; i < row; ++i)
            to[i] = (static_cast<float>(from[i]) * scaling_.factor - scaling_.mean[i % 3]) /
                    scaling_.deviation[i % 3];
        }
      });
  const std::int64_t grid = side / config_.patch_size, patch = config_.patch_size;
  const TensorView patches = exec.scratch.tensor(DType::kF32, {n, grid, grid, width});
  ops.conv2d(input, patch_, {.kernel_h = patch, .kernel_w = patch, .stride_h = patch, .stride_w = patch},
             ConvActivation::kNone, TensorView{}, patches);
  const std::int64_t first = class_token_.data != nullptr ? 1 : 0;
  for (std::int64_t p = 0; p < n; ++p)
    for (std::int64_t t = 0; t < tokens(); ++t) {
      const float* from =
          t < first ? class_token_.as<float>() : patches.as<float>() + (p * grid * grid + t - first) * width;
      const float* position = positions_.as<float>() + t * width;
      float* to = x.as<float>() + (p * tokens() + t) * width;
      for (std::int64_t i = 0; i < width; ++i) to[i] = from[i] + position[i];
    }
  return x;
}

TensorView VisionTower::run(Ops& ops, std::span<const PictureSample* const> pictures,
                            std::span<const int> lengths, const LayerProbe& probe) const {
  const TensorView x = embed(ops, pictures);
  if (pre_norm_.weight.data != nullptr)
    ops.add_layer_norm(x, TensorView{}, pre_norm_.weight, pre_norm_.bias, config_.layers.eps, x);
  if (probe) probe(0, x);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    run_pre_norm(ops, config_.layers, layers_[i], lengths, false, x);
    if (probe) probe(static_cast<int>(i) + 1, x);
  }
  return x;
}

}  // namespace consort
