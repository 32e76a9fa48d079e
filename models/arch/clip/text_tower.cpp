#include "models/arch/clip/text_tower.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/formats/dequantize.h"

namespace consort {
namespace {

constexpr int kOldEnd = 2;  // what early config.json files of CLIP say of the end token

Result<TensorView> table(const WeightSource& source, const std::string& name, std::int64_t rows,
                         std::int64_t cols) {
  CONSORT_TRY(view, source.tensor(name, {rows, cols}));
  if (view.dtype != DType::kF32 && view.dtype != DType::kF16 && view.dtype != DType::kBF16)
    return fail(ErrorKind::kUnsupported, fmt::format("an embedding of type {}", dtype_name(view.dtype)),
                fmt::format("{}, tensor {}", source.location(), name));
  return view;
}

void read_row(const TensorView& table, std::int64_t row, std::span<float> to) {
  const std::size_t bytes = row_bytes(table.dtype, to.size());
  dequantize_row(table.dtype, table.data + static_cast<std::size_t>(row) * bytes, to.data(), to.size());
}

}  // namespace

Result<TextConfig> read_text(const WeightSource& source, const std::string& prefix, TextConfig c) {
  CONSORT_TRY(layers, read_pre_norm(source, prefix, c.layers));
  CONSORT_TRY(vocabulary, hyper_parameter_or(source, prefix + "vocab_size", c.vocabulary, 1, 1 << 24));
  CONSORT_TRY(positions,
              hyper_parameter_or(source, prefix + "max_position_embeddings", c.positions, 2, 1 << 16));
  CONSORT_TRY(end, hyper_parameter_or(source, prefix + "eos_token_id", c.end, -1, 1 << 24));
  return TextConfig{layers, vocabulary, positions, end, c.causal};
}

Result<TextTower> TextTower::load(WeightLoader& loader, std::shared_ptr<const WeightSource> source,
                                  const TextConfig& c) {
  TextTower t;
  t.config_ = c;
  const std::string embeddings = "text_model.embeddings.";
  CONSORT_TRY(words, table(*source, embeddings + "token_embedding.weight", c.vocabulary, c.layers.width));
  CONSORT_TRY(positions,
              table(*source, embeddings + "position_embedding.weight", c.positions, c.layers.width));
  CONSORT_TRY(last, load_norm(loader, "text_model.final_layer_norm", c.layers.width));
  t.words_ = words;
  t.positions_ = positions;
  t.last_norm_ = last;
  for (int i = 0; i < c.layers.layers; ++i) {
    CONSORT_TRY(layer,
                load_pre_norm(loader, c.layers, fmt::format("text_model.encoder.layers.{}.", i), kClipNames));
    t.layers_.push_back(layer);
  }
  t.source_ = std::move(source);
  return t;
}

std::size_t TextTower::pooled(std::span<const TokenId> ids) const {
  if (!config_.causal) return ids.size() - 1;
  const auto found = config_.end == kOldEnd ? std::max_element(ids.begin(), ids.end())
                                            : std::find(ids.begin(), ids.end(), config_.end);
  return found == ids.end() ? ids.size() - 1 : static_cast<std::size_t>(found - ids.begin());
}

TensorView TextTower::run(Ops& ops, std::span<const TextSample* const> texts, const LayerProbe& probe) const {
  ScratchArena& scratch = ops.exec().scratch;
  const std::int64_t width = config_.layers.width;
  const TensorView out = scratch.tensor(DType::kF32, {std::ssize(texts), width});
  const ScratchArena::Mark mark(scratch);
  std::vector<int> lengths;
  std::int64_t tokens = 0;
  for (const TextSample* text : texts) {
    lengths.push_back(static_cast<int>(text->ids.size()));
    tokens += lengths.back();
  }
  const TensorView x = scratch.tensor(DType::kF32, {tokens, width});
  const std::span<float> position = scratch.take_array<float>(static_cast<std::size_t>(width));
  float* row = x.as<float>();
  for (const TextSample* text : texts)
    for (std::size_t t = 0; t < text->ids.size(); ++t, row += width) {
      read_row(words_, text->ids[t], {row, position.size()});
      read_row(positions_, static_cast<std::int64_t>(t), position);
      for (std::size_t i = 0; i < position.size(); ++i) row[i] += position[i];
    }
  if (probe) probe(0, x);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    run_pre_norm(ops, config_.layers, layers_[i], lengths, config_.causal, x);
    if (probe) probe(static_cast<int>(i) + 1, x);
  }
  std::int64_t first = 0;
  for (std::size_t n = 0; n < texts.size(); ++n) {
    const std::int64_t at = first + static_cast<std::int64_t>(pooled(texts[n]->ids));
    std::copy_n(x.as<float>() + at * width, width, out.as<float>() + static_cast<std::int64_t>(n) * width);
    first += lengths[n];
  }
  ops.add_layer_norm(out, TensorView{}, last_norm_.weight, last_norm_.bias, config_.layers.eps, out);
  return out;
}

}  // namespace consort
