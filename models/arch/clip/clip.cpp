// CLIP and SigLIP: pictures and texts in one space. Sources: Radford et al. 2021, "Learning Transferable
// Visual Models From Natural Language Supervision"; Zhai et al. 2023, "Sigmoid Loss for Language Image
// Pre-Training". Files in the layout of transformers' CLIPModel and SiglipModel.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "kernels/pooling/pooling.h"
#include "models/arch/clip/text_tower.h"
#include "models/arch/registry.h"
#include "models/arch/vit/vision_tower.h"

namespace consort {
namespace {

constexpr std::size_t kPicturesPerPass = 8;
constexpr std::size_t kTextsPerPass = 16;

// SigLIP's pooling of patches: one learnt query attends to all of them ("multi-head attention pooling").
struct AttentionPooling {
  TensorView probe;  // f32 [1, width]
  PreNormAffine query, key, value, output, up, down;
  PreNormNorm norm;
};

struct ClipWeights {
  WeightArena arena;  // before what points into it
  VisionTower vision;
  TextTower text;
  PreNormNorm vision_norm;
  PreNormAffine vision_projection, text_projection;
  std::optional<AttentionPooling> pooling;
};

class Clip final : public Network {
 public:
  Clip(NetworkInfo info, PreprocessPlan plan, ClipWeights weights, std::shared_ptr<const Tokenizer> tokenizer,
       std::optional<TokenId> text_padding)
      : info_(std::move(info)),
        plan_(plan),
        weights_(std::move(weights)),
        tokenizer_(std::move(tokenizer)),
        text_padding_(text_padding) {}
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override;
  Status forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) override;
  void set_op_recorder(OpRecorder* recorder) override { recorder_ = recorder; }
  void set_layer_probe(LayerProbe probe) override { probe_ = std::move(probe); }

 private:
  Result<std::unique_ptr<Sample>> prepare_text(std::string_view text) const;
  TensorView embed_pictures(Ops& ops, std::span<const PictureSample* const> pictures) const;
  TensorView embed_texts(Ops& ops, std::span<const TextSample* const> texts) const;
  TensorView attention_pooled(Ops& ops, TensorView patches, std::span<const int> lengths) const;

  NetworkInfo info_;
  PreprocessPlan plan_;
  ClipWeights weights_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::optional<TokenId> text_padding_;  // SigLIP: texts are filled up, their last row stands for them
  OpRecorder* recorder_ = nullptr;
  LayerProbe probe_;
};

Result<std::unique_ptr<Sample>> Clip::prepare(const NetworkInput& input) const {
  if (input.kind == InputKind::kText) return prepare_text(input.text);
  if (input.kind != InputKind::kImage)
    return fail(ErrorKind::kUnsupported,
                fmt::format("the model takes images and texts, not a {}", input_kind_name(input.kind)),
                info_.id);
  CONSORT_TRY(sample, prepare_picture(input, plan_));
  sample->tokens = weights_.vision.tokens();
  sample->flop = info_.flop_per_token * sample->tokens;
  return sample;
}

Result<std::unique_ptr<Sample>> Clip::prepare_text(std::string_view text) const {
  if (tokenizer_ == nullptr)
    return fail(ErrorKind::kUnsupported,
                "the folder has no tokenizer that this build reads: texts cannot be embedded", info_.id,
                "tokenizer.json, or CLIP's vocab.json and merges.txt, are read");
  auto sample = std::make_unique<TextSample>();
  sample->ids = tokenizer_->encode(text, {.add_special = true, .parse_special = true});
  const auto limit = static_cast<std::size_t>(weights_.text.config().positions);
  if (sample->ids.size() > limit) {
    sample->ids.resize(limit - 1);
    sample->ids.push_back(tokenizer_->eos().value_or(0));
    sample->truncated = true;
  }
  if (text_padding_) sample->ids.resize(limit, *text_padding_);
  for (const TokenId id : sample->ids)
    if (id < 0 || id >= weights_.text.config().vocabulary)
      return fail(ErrorKind::kInvalid, fmt::format("token {} is outside the model's vocabulary", id),
                  info_.id, "tokenizer and weights do not belong together");
  if (sample->ids.empty()) return fail(ErrorKind::kInvalid, "a text without tokens", info_.id);
  sample->tokens = static_cast<int>(sample->ids.size());
  sample->flop = info_.flop_per_token * sample->tokens;
  return sample;
}

Status Clip::forward(Exec& exec, std::span<const Sample* const> samples, NetworkOutput& output) {
  const TensorView& out = output.embeddings;
  if (output.level != EmbeddingLevel::kItem || output.logits.data != nullptr || out.data == nullptr ||
      out.dtype != DType::kF32 || out.rows() != std::ssize(samples) || out.cols() != info_.dimension)
    return fail(ErrorKind::kInvalid, fmt::format("the output does not fit {} items", samples.size()),
                info_.id);
  std::vector<const PictureSample*> pictures;
  std::vector<const TextSample*> texts;
  std::vector<std::size_t> picture_rows, text_rows;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (const auto* picture = dynamic_cast<const PictureSample*>(samples[i])) {
      pictures.push_back(picture);
      picture_rows.push_back(i);
    } else {
      texts.push_back(static_cast<const TextSample*>(samples[i]));
      text_rows.push_back(i);
    }
  }
  const auto keep = [&](TensorView rows, std::span<const std::size_t> to) {
    l2_normalise(exec, rows);
    for (std::size_t i = 0; i < to.size(); ++i)
      std::copy_n(rows.as<float>() + static_cast<std::int64_t>(i) * info_.dimension, info_.dimension,
                  out.as<float>() + static_cast<std::int64_t>(to[i]) * out.strides[0]);
  };
  const auto passes = [&](const auto& items, std::span<const std::size_t> rows, std::size_t most,
                          auto embed) {
    Ops ops(exec, recorder_);
    for (std::size_t first = 0; first < items.size(); first += most) {
      const ScratchArena::Mark mark(exec.scratch);
      const std::size_t count = std::min(most, items.size() - first);
      keep(embed(ops, std::span(items).subspan(first, count)), rows.subspan(first, count));
    }
  };
  try {
    passes(pictures, picture_rows, kPicturesPerPass,
           [&](Ops& ops, auto some) { return embed_pictures(ops, some); });
    passes(texts, text_rows, kTextsPerPass, [&](Ops& ops, auto some) { return embed_texts(ops, some); });
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "no memory for the activations of a step", info_.id);
  }
}

// The query is the same for every picture, so it is multiplied once and seen through a stride of 0; of the
// rows that come out (all equal within a picture) the first is taken.
TensorView Clip::attention_pooled(Ops& ops, TensorView patches, std::span<const int> lengths) const {
  const AttentionPooling& p = *weights_.pooling;
  const PreNormConfig& c = weights_.vision.config().layers;
  ScratchArena& scratch = ops.exec().scratch;
  const std::int64_t n = std::ssize(lengths), tokens = patches.rows(), head = c.width / c.heads;
  const auto rows = [&](std::int64_t count, std::int64_t width) {
    return scratch.tensor(DType::kF32, {count, width});
  };
  const TensorView pooled = rows(n, c.width), normed = rows(n, c.width);
  const ScratchArena::Mark mark(scratch);
  const TensorView q = rows(1, c.width), k = rows(tokens, c.width), v = rows(tokens, c.width),
                   attended = rows(tokens, c.width), first = rows(n, c.width),
                   hidden = rows(n, c.feed_forward);
  ops.matmul(p.probe, p.query.weight, q, p.query.bias.as<float>());
  const MatmulJob jobs[] = {{&p.key.weight, k, p.key.bias.as<float>()},
                            {&p.value.weight, v, p.value.bias.as<float>()}};
  ops.matmul(patches, jobs);
  const auto heads = [&](const TensorView& x) {
    return make_view(x.data, DType::kF32, {tokens, c.heads, head});
  };
  TensorView queries = heads(q);
  queries.strides[0] = 0;
  ops.text_attention(lengths, static_cast<float>(1.0 / std::sqrt(static_cast<double>(head))), queries,
                     heads(k), heads(v), attended);
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < n; at += lengths[static_cast<std::size_t>(i)], ++i)
    std::copy_n(attended.as<float>() + at * c.width, c.width, first.as<float>() + i * c.width);
  ops.matmul(first, p.output.weight, pooled, p.output.bias.as<float>());
  ops.add_layer_norm(pooled, TensorView{}, p.norm.weight, p.norm.bias, c.eps, normed);
  ops.matmul(normed, p.up.weight, hidden, p.up.bias.as<float>());
  ops.activate(c.activation, hidden);
  ops.matmul(hidden, p.down.weight, normed, p.down.bias.as<float>());
  ops.add(pooled, normed);
  return pooled;
}

TensorView Clip::embed_pictures(Ops& ops, std::span<const PictureSample* const> pictures) const {
  ScratchArena& scratch = ops.exec().scratch;
  const VisionTower& tower = weights_.vision;
  const std::vector<int> lengths(pictures.size(), tower.tokens());
  const TensorView x = tower.run(ops, pictures, lengths, probe_);
  const std::int64_t n = std::ssize(pictures), width = tower.config().layers.width;
  const float eps = tower.config().layers.eps;
  if (weights_.pooling) {
    ops.add_layer_norm(x, TensorView{}, weights_.vision_norm.weight, weights_.vision_norm.bias, eps, x);
    return attention_pooled(ops, x, lengths);
  }
  const TensorView pooled = scratch.tensor(DType::kF32, {n, width});
  for (std::int64_t i = 0; i < n; ++i)
    std::copy_n(x.as<float>() + i * tower.tokens() * width, width, pooled.as<float>() + i * width);
  ops.add_layer_norm(pooled, TensorView{}, weights_.vision_norm.weight, weights_.vision_norm.bias, eps,
                     pooled);
  const TensorView out = scratch.tensor(DType::kF32, {n, info_.dimension});
  ops.matmul(pooled, weights_.vision_projection.weight, out, weights_.vision_projection.bias.as<float>());
  return out;
}

TensorView Clip::embed_texts(Ops& ops, std::span<const TextSample* const> texts) const {
  const TensorView pooled = weights_.text.run(ops, texts, probe_);
  const TensorView out = ops.exec().scratch.tensor(DType::kF32, {std::ssize(texts), info_.dimension});
  ops.matmul(pooled, weights_.text_projection.weight, out, weights_.text_projection.bias.as<float>());
  return out;
}

// ---- loading

// torch keeps query, key and value of a MultiheadAttention in one matrix.
Result<PreNormAffine> third(WeightLoader& loader, LoadContext& context, const std::string& name,
                            std::int64_t width, std::int64_t part) {
  CONSORT_TRY(weight, loader.source().tensor(name + "_weight", {3 * width, width}));
  CONSORT_TRY(bias, loader.vector(name + "_bias", 3 * width));
  weight.data +=
      static_cast<std::size_t>(part * width) * row_bytes(weight.dtype, static_cast<std::size_t>(width));
  weight.dims[0] = width;
  CONSORT_TRY(packed, PackedMatrix::pack(loader.arena(), context.exec, weight));
  return PreNormAffine{packed, make_view(bias.as<float>() + part * width, DType::kF32, {width})};
}

Result<AttentionPooling> load_pooling(WeightLoader& loader, LoadContext& context, const PreNormConfig& c) {
  const std::string head = "vision_model.head.", in = head + "attention.in_proj";
  AttentionPooling p;
  CONSORT_TRY(probe, loader.source().tensor(head + "probe", {1, 1, c.width}));
  if (probe.dtype != DType::kF32)
    return fail(ErrorKind::kUnsupported, "a probe that is not float32", loader.source().location());
  CONSORT_TRY(kept, loader.arena().copy({probe.as<float>(), static_cast<std::size_t>(c.width)}));
  p.probe = make_view(kept.data(), DType::kF32, {1, c.width});
  CONSORT_TRY(query, third(loader, context, in, c.width, 0));
  CONSORT_TRY(key, third(loader, context, in, c.width, 1));
  CONSORT_TRY(value, third(loader, context, in, c.width, 2));
  CONSORT_TRY(output, load_affine(loader, head + "attention.out_proj", c.width, c.width));
  CONSORT_TRY(norm, load_norm(loader, head + "layernorm", c.width));
  CONSORT_TRY(up, load_affine(loader, head + "mlp.fc1", c.feed_forward, c.width));
  CONSORT_TRY(down, load_affine(loader, head + "mlp.fc2", c.width, c.feed_forward));
  p.query = query;
  p.key = key;
  p.value = value;
  p.output = output;
  p.norm = norm;
  p.up = up;
  p.down = down;
  return p;
}

// What the two families differ in.
struct Family {
  const char* name;
  bool sigmoid;
  VisionConfig vision;
  TextConfig text;
  VisionNames names;
  ImagePreprocessing pictures;
};

Family clip_family() {
  constexpr PreNormConfig kVision = {768, 12, 3072, 12, 1e-5f, Activation::kQuickGelu};
  constexpr PreNormConfig kText = {512, 8, 2048, 12, 1e-5f, Activation::kQuickGelu};
  ImagePreprocessing pictures;
  pictures.plan.offset = PreprocessPlan::CropOffset::kFloor;
  pictures.scaling.mean = {0.48145466f, 0.4578275f, 0.40821073f};
  pictures.scaling.deviation = {0.26862954f, 0.26130258f, 0.27577711f};
  return {"clip",
          false,
          {kVision, 224, 32},
          {kText, 49408, 77, 49407, true},
          {"vision_model.embeddings.class_embedding", "vision_model.embeddings.patch_embedding",
           "vision_model.embeddings.position_embedding.weight", "vision_model.pre_layrnorm",
           "vision_model.encoder.layers.", kClipNames},
          pictures};
}

Family siglip_family() {
  constexpr PreNormConfig kLayers = {768, 12, 3072, 12, 1e-6f, Activation::kGeluTanh};
  ImagePreprocessing pictures;
  pictures.plan.resize = PreprocessPlan::Resize::kExact;
  pictures.plan.offset = PreprocessPlan::CropOffset::kFloor;
  pictures.scaling.mean = pictures.scaling.deviation = {0.5f, 0.5f, 0.5f};
  return {"siglip",
          true,
          {kLayers, 224, 16},
          {kLayers, 32000, 64, -1, false},
          {nullptr, "vision_model.embeddings.patch_embedding",
           "vision_model.embeddings.position_embedding.weight", nullptr, "vision_model.encoder.layers.",
           kClipNames},
          pictures};
}

Result<ImagePreprocessing> preprocessing_of(const WeightSource& source, const Family& family, int side) {
  ImagePreprocessing usual = family.pictures;
  usual.plan.resize_height = usual.plan.resize_width = side;
  usual.plan.crop_height = usual.plan.crop_width = family.sigmoid ? 0 : side;
  return read_image_preprocessing(source.location(), side, usual);
}

// A single number of the file, whatever its rank.
Result<double> scalar(const WeightSource& source, const std::string& name) {
  const TensorEntry* entry = source.find(name);
  if (entry == nullptr || entry->view.elements() != 1 || entry->view.dtype != DType::kF32)
    return fail(ErrorKind::kInvalid, "a single float32 is expected",
                fmt::format("{}, tensor {}", source.location(), name));
  return static_cast<double>(entry->view.as<float>()[0]);
}

Result<JointSpace> joint_space(const WeightSource& source, bool sigmoid) {
  JointSpace space;
  CONSORT_TRY(scale, scalar(source, "logit_scale"));
  space.scale = std::exp(scale);
  space.sigmoid = sigmoid;
  if (sigmoid) {
    CONSORT_TRY(bias, scalar(source, "logit_bias"));
    space.bias = bias;
  }
  return space;
}

// The heads that make both halves equally wide. Returns the width.
Result<int> load_heads(WeightLoader& loader, LoadContext& context, bool siglip, ClipWeights& w) {
  const PreNormConfig &vision = w.vision.config().layers, &text = w.text.config().layers;
  CONSORT_TRY(norm, load_norm(loader, "vision_model.post_layernorm", vision.width));
  w.vision_norm = norm;
  if (siglip) {
    CONSORT_TRY(pooling, load_pooling(loader, context, vision));
    CONSORT_TRY(head, load_affine(loader, "text_model.head", vision.width, text.width));
    w.pooling = pooling;
    w.text_projection = head;
    return vision.width;
  }
  CONSORT_TRY(width, hyper_parameter_or(loader.source(), "projection_dim", 512, 1, 1 << 14));
  CONSORT_TRY(image, load_affine(loader, "visual_projection", width, vision.width));
  CONSORT_TRY(words, load_affine(loader, "text_projection", width, text.width));
  w.vision_projection = image;
  w.text_projection = words;
  return width;
}

Result<std::unique_ptr<Network>> load(const Family& family, std::shared_ptr<const WeightSource> source,
                                      std::shared_ptr<const Tokenizer> tokenizer, LoadContext& context) {
  CONSORT_TRY(vision, read_vision(*source, "vision_config.", family.vision));
  CONSORT_TRY(text, read_text(*source, "text_config.", family.text));
  CONSORT_TRY(preprocessing, preprocessing_of(*source, family, vision.image_size));
  CONSORT_TRY(loader, WeightLoader::create(*source, context));
  ClipWeights w;
  CONSORT_TRY(vision_tower, VisionTower::load(loader, vision, preprocessing.scaling, family.names));
  CONSORT_TRY(text_tower, TextTower::load(loader, source, text));
  w.vision = std::move(vision_tower);
  w.text = std::move(text_tower);
  NetworkInfo info;
  CONSORT_TRY(width, load_heads(loader, context, family.sigmoid, w));
  CONSORT_TRY(joint, joint_space(*source, family.sigmoid));
  info.dimension = width;
  info.joint = joint;
  info.id = context.id;
  info.architecture = family.name;
  info.inputs = {InputKind::kImage};
  if (tokenizer != nullptr) info.inputs.push_back(InputKind::kText);
  info.normalised = true;
  info.pooling = family.sigmoid ? "attention" : "cls";
  info.max_tokens = text.positions;
  // The towers differ; the average stands for both, which fills steps evenly enough.
  info.flop_per_token = loader.multiply_adds();
  info.weight_bytes = loader.bytes();
  info.weights_digest = loader.digest();
  w.arena = loader.take_arena();
  std::optional<TokenId> padding;
  if (family.sigmoid) {
    constexpr int kUsualPadding = 1;
    CONSORT_TRY(id, hyper_parameter_or(*source, "text_config.pad_token_id", kUsualPadding, 0, 1 << 24));
    padding = static_cast<TokenId>(id);
  }
  return std::make_unique<Clip>(std::move(info), preprocessing.plan, std::move(w), std::move(tokenizer),
                                padding);
}

}  // namespace

Architecture clip_architecture() {
  return {"clip", nullptr,
          [](std::shared_ptr<const WeightSource> source, std::shared_ptr<const Tokenizer> tokenizer,
             LoadContext& context) {
            return load(clip_family(), std::move(source), std::move(tokenizer), context);
          }};
}

Architecture siglip_architecture() {
  return {"siglip", nullptr,
          [](std::shared_ptr<const WeightSource> source, std::shared_ptr<const Tokenizer> tokenizer,
             LoadContext& context) {
            return load(siglip_family(), std::move(source), std::move(tokenizer), context);
          }};
}

}  // namespace consort
