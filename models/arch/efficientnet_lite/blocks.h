// The shape of EfficientNet-Lite0: 16 inverted residual blocks between a stem and a head. Sources: Tan and Le
// 2019, "EfficientNet", table 1; Sandler et al. 2018, "MobileNetV2", figure 4; the Lite variants of the
// TensorFlow TPU repository (no squeeze-and-excitation, ReLU6).
#pragma once

#include <array>

namespace consort::efficientnet {

struct Block {
  int kernel, stride, in, out, expand;  // expand 1: no expansion
  bool skip() const { return stride == 1 && in == out; }
  int hidden() const { return in * expand; }
};

inline constexpr int kSide = 224, kStem = 32, kFeatures = 1280, kClasses = 1000;
inline constexpr double kBatchNormEps = 1e-3;

inline constexpr std::array<Block, 16> kBlocks = {{
    {3, 1, 32, 16, 1},
    {3, 2, 16, 24, 6},
    {3, 1, 24, 24, 6},
    {5, 2, 24, 40, 6},
    {5, 1, 40, 40, 6},
    {3, 2, 40, 80, 6},
    {3, 1, 80, 80, 6},
    {3, 1, 80, 80, 6},
    {5, 1, 80, 112, 6},
    {5, 1, 112, 112, 6},
    {5, 1, 112, 112, 6},
    {5, 2, 112, 192, 6},
    {5, 1, 192, 192, 6},
    {5, 1, 192, 192, 6},
    {5, 1, 192, 192, 6},
    {3, 1, 192, 320, 6},
}};

}  // namespace consort::efficientnet
