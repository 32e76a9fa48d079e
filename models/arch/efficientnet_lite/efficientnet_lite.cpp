// EfficientNet-Lite0: labels of pictures and 1,280 pooled features. Pictures lie pixel by pixel (NHWC) in
// float32; paddings are TensorFlow's SAME, so that layers with stride 2 are not symmetric. Sources in
// blocks.h.
#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "kernels/depthwise_conv/depthwise_conv.h"
#include "kernels/exec/breath.h"
#include "kernels/pooling/pooling.h"
#include "models/arch/efficientnet_lite/labels.h"
#include "models/arch/efficientnet_lite/weights.h"
#include "models/arch/registry.h"
#include "models/image/decode.h"
#include "models/image/preprocess.h"
#include "models/layers/ops.h"

namespace consort {
namespace efficientnet {
namespace {

// Pictures of a pass. The wide early layers (5 MB a picture) gain nothing from more; the late ones share
// their weights.
constexpr std::size_t kPicturesPerPass = 4;
constexpr std::int64_t kFinalSide = 7;

class PixelSample final : public Sample {
 public:
  std::vector<std::uint8_t> pixels;  // [kSide][kSide][3]
};

using Samples = std::span<const Sample* const>;

class EfficientNetLite final : public Network {
 public:
  EfficientNetLite(NetworkInfo info, Weights weights)
      : info_(std::move(info)), weights_(std::move(weights)) {}

  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override;
  Status forward(Exec& exec, Samples samples, NetworkOutput& output) override;
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }
  void set_layer_probe(LayerProbe probe) override { probe_ = std::move(probe); }

 private:
  void run_pass(Exec& exec, Samples samples, TensorView embeddings, TensorView logits) const;
  TensorView input_of(Exec& exec, Samples samples) const;
  void run_block(Ops& ops, std::size_t index, TensorView x, TensorView out) const;
  void probe(int layer, TensorView x) const {
    if (probe_) probe_(layer, make_view(x.data, DType::kF32, {x.rows(), x.cols()}));
  }

  NetworkInfo info_;
  Weights weights_;
  OpRecorder* recorder_ = nullptr;
  LayerProbe probe_;
};

Result<std::unique_ptr<Sample>> EfficientNetLite::prepare(const NetworkInput& input) const {
  if (input.kind != InputKind::kImage)
    return fail(ErrorKind::kUnsupported,
                fmt::format("the model takes an image, not a {}", input_kind_name(input.kind)), info_.id);
  auto image = decode_image(input.bytes);
  if (!image) {
    image.error().where = input.name;
    return forward_error(image);
  }
  auto sample = std::make_unique<PixelSample>();
  CONSORT_TRY(pixels, preprocess(*image, PreprocessPlan{}));
  sample->pixels = std::move(pixels);
  sample->tokens = kFinalSide * kFinalSide;
  sample->flop = 2.0 * multiply_adds();
  return sample;
}

Status EfficientNetLite::forward(Exec& exec, Samples samples, NetworkOutput& output) {
  const auto n = std::ssize(samples);
  const auto fits = [&](const TensorView& v, std::int64_t cols) {
    return v.data == nullptr || (v.dtype == DType::kF32 && v.rows() == n && v.cols() == cols);
  };
  if (output.level != EmbeddingLevel::kItem || !fits(output.embeddings, kFeatures) ||
      !fits(output.logits, kClasses))
    return fail(ErrorKind::kInvalid, fmt::format("the output does not fit {} pictures", n), info_.id);
  const auto rows = [](TensorView v, std::size_t first, std::size_t count) {
    if (v.data == nullptr) return v;
    v.data += first * static_cast<std::size_t>(v.strides[0]) * sizeof(float);
    v.dims[0] = static_cast<std::int64_t>(count);
    return v;
  };
  try {
    for (std::size_t first = 0; first < samples.size(); first += kPicturesPerPass) {
      const std::size_t count = std::min(kPicturesPerPass, samples.size() - first);
      run_pass(exec, samples.subspan(first, count), rows(output.embeddings, first, count),
               rows(output.logits, first, count));
    }
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of a picture", info_.id);
  }
}

// (value - 127) / 128, exact in float32.
TensorView EfficientNetLite::input_of(Exec& exec, Samples samples) const {
  const auto n = std::ssize(samples);
  const TensorView x = exec.scratch.tensor(DType::kF32, {n, kSide, kSide, 3});
  constexpr std::size_t kRow = kSide * 3;
  exec.threads.parallel_for(samples.size() * kSide, 16, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t r = begin; r < end; ++r) {
      const auto& pixels = static_cast<const PixelSample*>(samples[r / kSide])->pixels;
      const std::uint8_t* from = pixels.data() + r % kSide * kRow;
      float* to = x.as<float>() + r * kRow;
      for (std::size_t i = 0; i < kRow; ++i) to[i] = (static_cast<float>(from[i]) - 127.0f) * (1.0f / 128.0f);
    }
  });
  return x;
}

void EfficientNetLite::run_block(Ops& ops, std::size_t index, TensorView x, TensorView out) const {
  const Block& b = kBlocks[index];
  const BlockWeights& w = weights_.blocks[index];
  ScratchArena& scratch = ops.exec().scratch;
  const ScratchArena::Mark mark(scratch);
  TensorView hidden = x;
  if (b.expand > 1) {
    hidden = scratch.tensor(DType::kF32, {x.dims[0], x.dims[1], x.dims[2], b.hidden()});
    ops.conv2d(x, w.expand, ConvShape{}, ConvActivation::kRelu6, TensorView{}, hidden);
  }
  const TensorView filtered = scratch.tensor(DType::kF32, {x.dims[0], out.dims[1], out.dims[2], b.hidden()});
  ops.depthwise_conv(hidden, w.depthwise, w.depthwise_bias,
                     same_padding(b.kernel, b.stride, x.dims[1], x.dims[2]), ConvActivation::kRelu6,
                     filtered);
  ops.conv2d(filtered, w.project, ConvShape{}, ConvActivation::kNone, b.skip() ? x : TensorView{}, out);
}

void EfficientNetLite::run_pass(Exec& exec, Samples samples, TensorView embeddings, TensorView logits) const {
  const ScratchArena::Mark mark(exec.scratch);
  const auto n = std::ssize(samples);
  Ops ops(exec, recorder_);
  const TensorView input = input_of(exec, samples);
  std::int64_t side = kSide / 2;
  TensorView x = exec.scratch.tensor(DType::kF32, {n, side, side, kStem});
  ops.conv2d(input, weights_.stem, same_padding(3, 2, kSide, kSide), ConvActivation::kRelu6, TensorView{}, x);
  probe(0, x);
  for (std::size_t i = 0; i < kBlocks.size(); ++i) {
    side /= kBlocks[i].stride;
    const TensorView out = exec.scratch.tensor(DType::kF32, {n, side, side, kBlocks[i].out});
    run_block(ops, i, x, out);
    probe(static_cast<int>(i) + 1, out);
    x = out;
    breathe();
  }
  const TensorView head = exec.scratch.tensor(DType::kF32, {n, side, side, kFeatures});
  ops.conv2d(x, weights_.head, ConvShape{}, ConvActivation::kRelu6, TensorView{}, head);
  probe(static_cast<int>(kBlocks.size()) + 1, head);
  const TensorView features =
      embeddings.data != nullptr ? embeddings : exec.scratch.tensor(DType::kF32, {n, kFeatures});
  const std::span<int> pixels = exec.scratch.take_array<int>(samples.size());
  std::fill(pixels.begin(), pixels.end(), static_cast<int>(side * side));
  mean_pool(exec, make_view(head.data, DType::kF32, {n * side * side, kFeatures}), pixels, features);
  if (logits.data != nullptr)
    ops.matmul(features, weights_.classifier, logits, weights_.classifier_bias.as<float>());
}

Result<std::unique_ptr<Network>> load(std::shared_ptr<const WeightSource> source,
                                      std::shared_ptr<const Tokenizer>, LoadContext& context) {
  CONSORT_TRY(weights, load_weights(*source, context));
  NetworkInfo info;
  info.id = context.id;
  info.architecture = "efficientnet-lite0";
  info.inputs = {InputKind::kImage};
  info.dimension = kFeatures;
  info.pooling = "mean";
  info.classes = kClasses;
  info.labels = imagenet_labels();
  info.flop_per_token = 2.0 * multiply_adds() / (kFinalSide * kFinalSide);
  info.weight_bytes = weights.bytes;
  info.weights_digest = weights_digest(*source, context.exec);
  return std::make_unique<EfficientNetLite>(std::move(info), std::move(weights));
}

bool recognises(const WeightSource& source) {
  return source.tensor("_conv_stem.weight", {kStem, 3, 3, 3}) &&
         source.tensor("_blocks.15._project_conv.weight", {320, 1152, 1, 1}) &&
         source.tensor("_fc.weight", {kClasses, kFeatures}) &&
         source.find("_blocks.0._se_reduce.weight") == nullptr;
}

}  // namespace
}  // namespace efficientnet

Architecture efficientnet_lite_architecture() {
  return {"efficientnet-lite0", nullptr, efficientnet::load, efficientnet::recognises};
}

}  // namespace consort
