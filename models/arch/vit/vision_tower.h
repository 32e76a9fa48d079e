// A vision transformer: patches as a convolution, a class token where the family has one, learnt positions,
// layers with the norm before. Used by CLIP, SigLIP and plain ViT. Sources: Dosovitskiy et al. 2021; Radford
// et al. 2021; Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training".
#pragma once

#include <memory>
#include <vector>

#include "models/image/preprocessor_config.h"
#include "models/layers/pre_norm.h"
#include "models/network/network.h"

namespace consort {

struct VisionConfig {
  PreNormConfig layers;
  int image_size = 224, patch_size = 32;
  int patches() const { return (image_size / patch_size) * (image_size / patch_size); }
};

// image_size and patch_size behind `prefix`, and the layers. Errors: kInvalid, kUnsupported.
Result<VisionConfig> read_vision(const WeightSource& source, const std::string& prefix,
                                 VisionConfig defaults);

// Pixels of a prepared picture: [image_size][image_size][3].
class PictureSample final : public Sample {
 public:
  std::vector<std::uint8_t> pixels;
};

// Errors: kInvalid for pictures that cannot be read; `where` names the input.
Result<std::unique_ptr<PictureSample>> prepare_picture(const NetworkInput& input, const PreprocessPlan& plan);

// Names of the tensors; nullptr for parts that a family does not have.
struct VisionNames {
  const char *class_token, *patch, *positions, *pre_norm, *layers;
  PreNormNames layer;
};

class VisionTower {
 public:
  // Errors: as WeightLoader.
  static Result<VisionTower> load(WeightLoader& loader, const VisionConfig& config,
                                  const PixelScaling& scaling, const VisionNames& names);

  const VisionConfig& config() const { return config_; }
  int tokens() const { return config_.patches() + (class_token_.data != nullptr ? 1 : 0); }
  // The state of every token after the last layer, before any last norm: f32 [pictures * tokens(), width] in
  // scratch memory (the caller holds a Mark); the class token is the first of each picture.
  TensorView run(Ops& ops, std::span<const PictureSample* const> pictures, std::span<const int> lengths,
                 const LayerProbe& probe) const;

 private:
  TensorView embed(Ops& ops, std::span<const PictureSample* const> pictures) const;

  VisionConfig config_;
  PixelScaling scaling_;
  ConvWeights patch_;
  TensorView class_token_, positions_;
  PreNormNorm pre_norm_;  // empty where the family has none
  std::vector<PreNormLayer> layers_;
};

}  // namespace consort
