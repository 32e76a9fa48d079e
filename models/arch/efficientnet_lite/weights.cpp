#include "models/arch/efficientnet_lite/weights.h"

#include <fmt/format.h>

#include <cmath>

#include "models/formats/dequantize.h"

namespace consort::efficientnet {
namespace {

// A convolution with its batch norm folded in: weights in the order of the file, [outputs][inputs][ky][kx].
struct Folded {
  std::vector<float> weights, bias;
};

class Folder {
 public:
  Folder(const WeightSource& source, LoadContext& context) : source_(source), context_(context) {}

  Result<std::vector<float>> floats(const std::string& name, std::initializer_list<std::int64_t> dims) const {
    CONSORT_TRY(view, source_.tensor(name, dims));
    if (view.dtype != DType::kF32 && view.dtype != DType::kF16 && view.dtype != DType::kBF16)
      return fail(ErrorKind::kUnsupported, fmt::format("weights of type {}", dtype_name(view.dtype)),
                  fmt::format("{}, tensor {}", source_.location(), name));
    std::vector<float> values(static_cast<std::size_t>(view.elements()));
    dequantize_row(view.dtype, view.data, values.data(), values.size());
    return values;
  }

  // weight * gamma / sqrt(variance + eps) and beta - mean * gamma / sqrt(variance + eps), in double.
  Result<Folded> folded(const std::string& weight, const std::string& norm, std::int64_t outputs,
                        std::int64_t inputs, std::int64_t kernel) const {
    CONSORT_TRY(weights, floats(weight, {outputs, inputs, kernel, kernel}));
    CONSORT_TRY(gamma, floats(norm + ".weight", {outputs}));
    CONSORT_TRY(beta, floats(norm + ".bias", {outputs}));
    CONSORT_TRY(mean, floats(norm + ".running_mean", {outputs}));
    CONSORT_TRY(variance, floats(norm + ".running_var", {outputs}));
    Folded out{std::move(weights), std::vector<float>(static_cast<std::size_t>(outputs))};
    const auto each = static_cast<std::size_t>(inputs * kernel * kernel);
    for (std::size_t o = 0; o < out.bias.size(); ++o) {
      const double factor = gamma[o] / std::sqrt(static_cast<double>(variance[o]) + kBatchNormEps);
      if (!std::isfinite(factor))
        return fail(ErrorKind::kInvalid, "a batch norm with a negative variance",
                    fmt::format("{}, tensor {}.running_var", source_.location(), norm));
      out.bias[o] = static_cast<float>(beta[o] - mean[o] * factor);
      for (std::size_t i = o * each; i < (o + 1) * each; ++i)
        out.weights[i] = static_cast<float>(out.weights[i] * factor);
    }
    return out;
  }

  Result<ConvWeights> convolution(WeightArena& arena, const std::string& weight, const std::string& norm,
                                  std::int64_t outputs, std::int64_t inputs, std::int64_t kernel) const {
    CONSORT_TRY(plain, folded(weight, norm, outputs, inputs, kernel));
    const auto c = static_cast<std::size_t>(inputs), taps = static_cast<std::size_t>(kernel * kernel);
    std::vector<float> reordered(plain.weights.size());  // [outputs][ky][kx][inputs]
    for (std::size_t o = 0; o < static_cast<std::size_t>(outputs); ++o)
      for (std::size_t i = 0; i < c; ++i)
        for (std::size_t t = 0; t < taps; ++t)
          reordered[(o * taps + t) * c + i] = plain.weights[(o * c + i) * taps + t];
    return ConvWeights::pack(arena, reordered, plain.bias);
  }

  Status depthwise(WeightArena& arena, const std::string& weight, const std::string& norm,
                   std::int64_t channels, std::int64_t kernel, BlockWeights& to) const {
    CONSORT_TRY(plain, folded(weight, norm, channels, 1, kernel));
    const auto c = static_cast<std::size_t>(channels), taps = static_cast<std::size_t>(kernel * kernel);
    std::vector<float> reordered(plain.weights.size());  // [ky][kx][channels]
    for (std::size_t o = 0; o < c; ++o)
      for (std::size_t t = 0; t < taps; ++t) reordered[t * c + o] = plain.weights[o * taps + t];
    CONSORT_TRY(weights, arena.copy(reordered));
    CONSORT_TRY(bias, arena.copy(plain.bias));
    to.depthwise = make_view(weights.data(), DType::kF32, {kernel, kernel, channels});
    to.depthwise_bias = make_view(bias.data(), DType::kF32, {channels});
    return {};
  }

  Result<BlockWeights> block(WeightArena& arena, std::size_t index) const {
    const Block& b = kBlocks[index];
    const std::string name = fmt::format("_blocks.{}.", index);
    BlockWeights w;
    if (b.expand > 1) {
      CONSORT_TRY(expand,
                  convolution(arena, name + "_expand_conv.weight", name + "_bn0", b.hidden(), b.in, 1));
      w.expand = expand;
    }
    CONSORT_CHECK_OK(
        depthwise(arena, name + "_depthwise_conv.weight", name + "_bn1", b.hidden(), b.kernel, w));
    CONSORT_TRY(project,
                convolution(arena, name + "_project_conv.weight", name + "_bn2", b.out, b.hidden(), 1));
    w.project = project;
    return w;
  }

  Status classifier(Weights& w) const {
    CONSORT_TRY(view, source_.tensor("_fc.weight", {kClasses, kFeatures}));
    CONSORT_TRY(packed, PackedMatrix::pack(w.arena, context_.exec, view));
    CONSORT_TRY(bias, floats("_fc.bias", {kClasses}));
    CONSORT_TRY(stored, w.arena.copy(bias));
    w.classifier = packed;
    w.classifier_bias = make_view(stored.data(), DType::kF32, {kClasses});
    return {};
  }

 private:
  const WeightSource& source_;
  LoadContext& context_;
};

}  // namespace

Result<Weights> load_weights(const WeightSource& source, LoadContext& context) {
  const Folder folder(source, context);
  Weights w;
  CONSORT_TRY(arena, WeightArena::create(context.pool, Owner{"weights", context.id}));
  w.arena = std::move(arena);
  CONSORT_TRY(stem, folder.convolution(w.arena, "_conv_stem.weight", "_bn0", kStem, 3, 3));
  w.stem = stem;
  for (std::size_t i = 0; i < kBlocks.size(); ++i) {
    CONSORT_TRY(block, folder.block(w.arena, i));
    w.blocks.push_back(block);
  }
  CONSORT_TRY(head,
              folder.convolution(w.arena, "_conv_head.weight", "_bn1", kFeatures, kBlocks.back().out, 1));
  w.head = head;
  CONSORT_CHECK_OK(folder.classifier(w));
  w.bytes = w.arena.used();
  return w;
}

double multiply_adds() {
  double side = kSide / 2, sum = side * side * kStem * 27;
  for (const Block& b : kBlocks) {
    if (b.expand > 1) sum += side * side * b.in * b.hidden();
    side /= b.stride;
    sum += side * side * b.hidden() * (b.kernel * b.kernel + b.out);
  }
  return sum + side * side * kBlocks.back().out * kFeatures + kFeatures * kClasses;
}

}  // namespace consort::efficientnet
