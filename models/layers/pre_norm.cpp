#include "models/layers/pre_norm.h"

#include <fmt/format.h>

#include <cmath>

#include "kernels/exec/breath.h"

namespace consort {
namespace {

Result<Activation> activation_named(const WeightSource& source, const std::string& key, Activation fallback) {
  if (source.meta(key) == nullptr) return fallback;
  CONSORT_TRY(name, source.text(key));
  if (name == "quick_gelu") return Activation::kQuickGelu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGeluTanh;
  return fail(ErrorKind::kUnsupported, fmt::format("activation '{}'", name),
              fmt::format("{}, key {}", source.location(), key),
              "gelu, quick_gelu and gelu_pytorch_tanh are known");
}

}  // namespace

Result<PreNormConfig> read_pre_norm(const WeightSource& source, const std::string& prefix, PreNormConfig c) {
  CONSORT_TRY(width, hyper_parameter_or(source, prefix + "hidden_size", c.width, 16, 1 << 14));
  CONSORT_TRY(heads, hyper_parameter_or(source, prefix + "num_attention_heads", c.heads, 1, 256));
  CONSORT_TRY(feed_forward,
              hyper_parameter_or(source, prefix + "intermediate_size", c.feed_forward, 1, 1 << 18));
  CONSORT_TRY(layers, hyper_parameter_or(source, prefix + "num_hidden_layers", c.layers, 1, 256));
  CONSORT_TRY(activation, activation_named(source, prefix + "hidden_act", c.activation));
  if (width % heads != 0 || width / heads % 16 != 0)
    return fail(ErrorKind::kUnsupported,
                fmt::format("{} heads over a width of {}: heads of a multiple of 16 are read", heads, width),
                source.location());
  const double eps = source.number_or(prefix + "layer_norm_eps", static_cast<double>(c.eps));
  if (!(eps > 0 && eps < 1))
    return fail(ErrorKind::kInvalid, fmt::format("a norm's epsilon of {}", eps), source.location());
  return PreNormConfig{width, heads, feed_forward, layers, static_cast<float>(eps), activation};
}

Result<PreNormAffine> load_affine(WeightLoader& loader, const std::string& name, std::int64_t rows,
                                  std::int64_t cols) {
  CONSORT_TRY(weight, loader.matrix(name + ".weight", rows, cols));
  CONSORT_TRY(bias, loader.optional_vector(name + ".bias", rows));
  return PreNormAffine{weight, bias};
}

Result<PreNormNorm> load_norm(WeightLoader& loader, const std::string& name, std::int64_t n) {
  CONSORT_TRY(weight, loader.vector(name + ".weight", n));
  CONSORT_TRY(bias, loader.vector(name + ".bias", n));
  return PreNormNorm{weight, bias};
}

Result<PreNormLayer> load_pre_norm(WeightLoader& loader, const PreNormConfig& c, const std::string& prefix,
                                   const PreNormNames& names) {
  CONSORT_TRY(norm1, load_norm(loader, prefix + names.norm1, c.width));
  CONSORT_TRY(norm2, load_norm(loader, prefix + names.norm2, c.width));
  CONSORT_TRY(query, load_affine(loader, prefix + names.query, c.width, c.width));
  CONSORT_TRY(key, load_affine(loader, prefix + names.key, c.width, c.width));
  CONSORT_TRY(value, load_affine(loader, prefix + names.value, c.width, c.width));
  CONSORT_TRY(output, load_affine(loader, prefix + names.output, c.width, c.width));
  CONSORT_TRY(up, load_affine(loader, prefix + names.up, c.feed_forward, c.width));
  CONSORT_TRY(down, load_affine(loader, prefix + names.down, c.width, c.feed_forward));
  return PreNormLayer{norm1, norm2, query, key, value, output, up, down};
}

void run_pre_norm(Ops& ops, const PreNormConfig& c, const PreNormLayer& layer, std::span<const int> lengths,
                  bool causal, TensorView x) {
  ScratchArena& scratch = ops.exec().scratch;
  const ScratchArena::Mark mark(scratch);
  const std::int64_t tokens = x.rows(), head = c.width / c.heads;
  const auto rows = [&](std::int64_t n) { return scratch.tensor(DType::kF32, {tokens, n}); };
  const auto heads = [&](const TensorView& v) {
    return make_view(v.data, DType::kF32, {tokens, c.heads, head});
  };
  const TensorView normed = rows(c.width), q = rows(c.width), k = rows(c.width), v = rows(c.width),
                   attended = rows(c.width);
  ops.add_layer_norm(x, TensorView{}, layer.before_attention.weight, layer.before_attention.bias, c.eps,
                     normed);
  const MatmulJob jobs[] = {{&layer.query.weight, q, layer.query.bias.as<float>()},
                            {&layer.key.weight, k, layer.key.bias.as<float>()},
                            {&layer.value.weight, v, layer.value.bias.as<float>()}};
  ops.matmul(normed, jobs);
  breathe();
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head)));
  ops.text_attention(lengths, scale, heads(q), heads(k), heads(v), attended, causal);
  ops.matmul(attended, layer.output.weight, normed, layer.output.bias.as<float>());
  ops.add(x, normed);
  breathe();
  ops.add_layer_norm(x, TensorView{}, layer.before_mlp.weight, layer.before_mlp.bias, c.eps, normed);
  const TensorView hidden = rows(c.feed_forward);
  ops.matmul(normed, layer.up.weight, hidden, layer.up.bias.as<float>());
  ops.activate(c.activation, hidden);
  breathe();
  ops.matmul(hidden, layer.down.weight, normed, layer.down.bias.as<float>());
  ops.add(x, normed);
  breathe();
}

}  // namespace consort
