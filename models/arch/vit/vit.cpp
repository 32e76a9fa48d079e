// Plain vision transformers for classification (ViTForImageClassification). Source: Dosovitskiy et al. 2021.
#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "models/arch/registry.h"
#include "models/arch/vit/vision_tower.h"

namespace consort {
namespace {

constexpr std::size_t kPicturesPerPass = 8;

struct VitWeights {
  WeightArena arena;  // before what points into it
  VisionTower tower;
  PreNormNorm last_norm;
  PreNormAffine classifier;  // empty without classes
};

class Vit final : public Network {
 public:
  Vit(NetworkInfo info, PreprocessPlan plan, VitWeights weights)
      : info_(std::move(info)), plan_(plan), weights_(std::move(weights)) {}
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override {
    if (input.kind != InputKind::kImage)
      return fail(ErrorKind::kUnsupported,
                  fmt::format("the model takes an image, not a {}", input_kind_name(input.kind)), info_.id);
    CONSORT_TRY(sample, prepare_picture(input, plan_));
    sample->tokens = weights_.tower.tokens();
    sample->flop = info_.flop_per_token * sample->tokens;
    return sample;
  }
  Status forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) override;
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }
  void set_layer_probe(LayerProbe probe) override { probe_ = std::move(probe); }

 private:
  void run_pass(Exec& exec, std::span<const PictureSample* const> pictures, std::int64_t first,
                const NetworkOutput& output) const;

  NetworkInfo info_;
  PreprocessPlan plan_;
  VitWeights weights_;
  OpRecorder* recorder_ = nullptr;
  LayerProbe probe_;
};

Status Vit::forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) {
  const auto fits = [&](const TensorView& v, int cols) {
    return v.data == nullptr ||
           (v.dtype == DType::kF32 && v.rows() == std::ssize(samples) && v.cols() == cols);
  };
  if (output.level != EmbeddingLevel::kItem || !fits(output.embeddings, info_.dimension) ||
      !fits(output.logits, info_.classes))
    return fail(ErrorKind::kInvalid, fmt::format("the output does not fit {} pictures", samples.size()),
                info_.id);
  std::vector<const PictureSample*> pictures;
  for (const Sample* s : samples) pictures.push_back(static_cast<const PictureSample*>(s));
  try {
    for (std::size_t first = 0; first < pictures.size(); first += kPicturesPerPass)
      run_pass(exec, std::span(pictures).subspan(first, std::min(kPicturesPerPass, pictures.size() - first)),
               static_cast<std::int64_t>(first), output);
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of a picture", info_.id);
  }
}

void Vit::run_pass(Exec& exec, std::span<const PictureSample* const> pictures, std::int64_t first,
                   const NetworkOutput& output) const {
  const ScratchArena::Mark mark(exec.scratch);
  Ops ops(exec, recorder_);
  const VisionTower& tower = weights_.tower;
  const std::int64_t n = std::ssize(pictures), width = info_.dimension;
  const std::vector<int> lengths(pictures.size(), tower.tokens());
  const TensorView x = tower.run(ops, pictures, lengths, probe_);
  const TensorView features = exec.scratch.tensor(DType::kF32, {n, width});
  for (std::int64_t i = 0; i < n; ++i)
    std::copy_n(x.as<float>() + i * tower.tokens() * width, width, features.as<float>() + i * width);
  ops.add_layer_norm(features, TensorView{}, weights_.last_norm.weight, weights_.last_norm.bias,
                     tower.config().layers.eps, features);
  if (output.embeddings.data != nullptr)
    for (std::int64_t i = 0; i < n; ++i)
      std::copy_n(features.as<float>() + i * width, width,
                  output.embeddings.as<float>() + (first + i) * output.embeddings.strides[0]);
  if (output.logits.data == nullptr || info_.classes == 0) return;
  TensorView logits = output.logits;
  logits.data += static_cast<std::size_t>(first * logits.strides[0]) * sizeof(float);
  logits.dims[0] = n;
  ops.matmul(features, weights_.classifier.weight, logits, weights_.classifier.bias.as<float>());
}

Result<std::unique_ptr<Network>> load_vit(std::shared_ptr<const WeightSource> source,
                                          std::shared_ptr<const Tokenizer>, LoadContext& context) {
  VisionConfig defaults{{768, 12, 3072, 12, 1e-12f, Activation::kGelu}, 224, 16};
  CONSORT_TRY(config, read_vision(*source, "", defaults));
  ImagePreprocessing usual;
  usual.plan = {
      PreprocessPlan::Resize::kExact,    ResizeFilter::kBilinear, config.image_size, config.image_size, 0, 0,
      PreprocessPlan::CropOffset::kFloor};
  usual.scaling.mean = usual.scaling.deviation = {0.5f, 0.5f, 0.5f};
  CONSORT_TRY(preprocessing, read_image_preprocessing(source->location(), config.image_size, usual));
  CONSORT_TRY(loader, WeightLoader::create(*source, context));
  VitWeights w;
  constexpr VisionNames kNames = {"vit.embeddings.cls_token",
                                  "vit.embeddings.patch_embeddings.projection",
                                  "vit.embeddings.position_embeddings",
                                  nullptr,
                                  "vit.encoder.layer.",
                                  kVitNames};
  CONSORT_TRY(tower, VisionTower::load(loader, config, preprocessing.scaling, kNames));
  CONSORT_TRY(last, load_norm(loader, "vit.layernorm", config.layers.width));
  NetworkInfo info;
  if (const TensorEntry* classifier = source->find("classifier.weight")) {
    info.classes = static_cast<int>(std::min<std::int64_t>(classifier->view.dims[0], 1 << 20));
    CONSORT_TRY(affine, load_affine(loader, "classifier", info.classes, config.layers.width));
    w.classifier = affine;
    for (int i = 0; i < info.classes; ++i)
      info.labels.push_back(source->text(fmt::format("id2label.{}", i)).value_or(std::to_string(i)));
  }
  info.id = context.id;
  info.architecture = "vit";
  info.inputs = {InputKind::kImage};
  info.dimension = config.layers.width;
  info.pooling = "cls";
  info.flop_per_token = 2.0 * loader.multiply_adds();
  info.weight_bytes = loader.bytes();
  info.weights_digest = loader.digest();
  w.tower = std::move(tower);
  w.last_norm = last;
  w.arena = loader.take_arena();
  return std::make_unique<Vit>(std::move(info), preprocessing.plan, std::move(w));
}

}  // namespace

Architecture vit_architecture() {
  return {"vit", nullptr, load_vit};
}

}  // namespace consort
