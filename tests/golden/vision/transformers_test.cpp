// CLIP, SigLIP and ViT against transformers, on the small random models of make_transformers.py.
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "models/arch/clip/text_tower.h"
#include "tests/golden/vision/network_rig.h"

namespace consort::golden {
namespace {

const char* const kPhotos[] = {"photos/chelsea.png", "edge/wide-400x8.png", "edge/exif-6.jpg",
                               "edge/palette.png"};
constexpr double kRelative = 1e-4;

std::vector<float> recorded(const std::string& folder, const std::string& name) {
  return floats_of(*open_weights(vision_path(folder + "/expected.safetensors")).value(), name);
}

// |ours - theirs| against the length of theirs.
double relative(std::span<const float> ours, std::span<const float> theirs) {
  EXPECT_EQ(ours.size(), theirs.size());
  double difference = 0, length = 0;
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    const double d = static_cast<double>(ours[i]) - theirs[i];
    difference += d * d;
    length += static_cast<double>(theirs[i]) * theirs[i];
  }
  return std::sqrt(difference / length);
}

std::vector<std::unique_ptr<Sample>> pictures(NetworkRig& rig) {
  std::vector<std::unique_ptr<Sample>> samples;
  for (const char* photo : kPhotos) samples.push_back(rig.picture(file_text(vision_path(photo))));
  return samples;
}

std::vector<std::unique_ptr<Sample>> texts(NetworkRig& rig, const std::vector<nlohmann::json>& records) {
  std::vector<std::unique_ptr<Sample>> samples;
  for (const auto& record : records) {
    const auto text = record["text"].get<std::string>();
    samples.push_back(rig.sample({.kind = InputKind::kText, .text = text}));
  }
  return samples;
}

// scale cosine + bias of every picture with every text.
std::vector<float> similarities(const NetworkInfo& info, std::span<const float> images,
                                std::span<const float> words) {
  std::vector<float> out;
  const auto width = static_cast<std::size_t>(info.dimension);
  for (std::size_t i = 0; i < images.size(); i += width)
    for (std::size_t t = 0; t < words.size(); t += width) {
      double dot = 0;
      for (std::size_t d = 0; d < width; ++d) dot += static_cast<double>(images[i + d]) * words[t + d];
      out.push_back(static_cast<float>(info.joint->scale * dot + info.joint->bias));
    }
  return out;
}

std::vector<std::vector<float>> hidden_states(NetworkRig& rig, const Sample& sample) {
  std::vector<std::vector<float>> states;
  rig.network().set_layer_probe(
      [&](int, TensorView x) { states.emplace_back(x.as<float>(), x.as<float>() + x.elements()); });
  const Sample* one[] = {&sample};
  rig.run(one, true, rig.network().info().classes > 0);
  rig.network().set_layer_probe(nullptr);
  return states;
}

TEST(Clip, TokenIdsMatchFromBothLayouts) {
  const auto records = json_lines("clip/texts.jsonl");
  const auto check = [&](NetworkRig& rig) {
    const auto samples = texts(rig, records);
    for (std::size_t i = 0; i < records.size(); ++i)
      EXPECT_EQ(static_cast<const TextSample&>(*samples[i]).ids,
                records[i]["ids"].get<std::vector<TokenId>>())
          << records[i]["text"];
    EXPECT_TRUE(samples.back()->truncated);
  };
  NetworkRig rig(vision_path("clip"));
  check(rig);
  const auto copy = std::filesystem::temp_directory_path() / ("consort-clip-" + std::to_string(::getpid()));
  std::filesystem::copy(vision_path("clip"), copy, std::filesystem::copy_options::recursive);
  std::filesystem::remove(copy / "tokenizer.json");
  NetworkRig older(copy.string());
  check(older);
  std::filesystem::remove_all(copy);
}

TEST(Clip, EmbeddingsAndSimilaritiesMatchTransformers) {
  NetworkRig rig(vision_path("clip"));
  const NetworkInfo& info = rig.network().info();
  EXPECT_EQ(info.inputs.size(), 2u);
  ASSERT_TRUE(info.joint && !info.joint->sigmoid && info.normalised);
  const auto images = rig.run(pictures(rig)).embeddings;
  const auto words = rig.run(texts(rig, json_lines("clip/texts.jsonl"))).embeddings;
  const double i = relative(images, recorded("clip", "image_embeds")),
               t = relative(words, recorded("clip", "text_embeds"));
  const double l = relative(similarities(info, images, words), recorded("clip", "logits_per_image"));
  std::printf("CLIP: relative difference: images %.2g, texts %.2g, logits %.2g\n", i, t, l);
  EXPECT_LE(i, kRelative);
  EXPECT_LE(t, kRelative);
  EXPECT_LE(l, kRelative);
}

TEST(Clip, HiddenStatesMatchTransformers) {
  NetworkRig rig(vision_path("clip"));
  const auto vision = hidden_states(rig, *pictures(rig)[0]);
  const auto text = hidden_states(rig, *texts(rig, json_lines("clip/texts.jsonl"))[0]);
  ASSERT_EQ(vision.size(), 3u);
  ASSERT_EQ(text.size(), 3u);
  for (std::size_t layer = 0; layer < 3; ++layer) {
    EXPECT_LE(relative(vision[layer], recorded("clip", "vision.hidden" + std::to_string(layer))), kRelative)
        << layer;
    EXPECT_LE(relative(text[layer], recorded("clip", "text.hidden" + std::to_string(layer))), kRelative)
        << layer;
  }
}

TEST(Clip, PicturesAndTextsInOneStepStayThemselves) {
  NetworkRig rig(vision_path("clip"));
  auto some = pictures(rig), words = texts(rig, json_lines("clip/texts.jsonl"));
  const auto images_alone = rig.run(some).embeddings, words_alone = rig.run(words).embeddings;
  const Sample* mixed[] = {words[1].get(), some[2].get(), words[3].get(), some[0].get()};
  const auto together = rig.run(mixed).embeddings;
  const auto width = rig.network().info().dimension;
  const auto row = [&](const std::vector<float>& all, int i) {
    return std::vector<float>(all.begin() + i * width, all.begin() + (i + 1) * width);
  };
  EXPECT_EQ(row(together, 0), row(words_alone, 1));
  EXPECT_EQ(row(together, 1), row(images_alone, 2));
  EXPECT_EQ(row(together, 2), row(words_alone, 3));
  EXPECT_EQ(row(together, 3), row(images_alone, 0));
}

TEST(Siglip, EmbeddingsAndSimilaritiesMatchTransformers) {
  NetworkRig rig(vision_path("siglip"));
  const NetworkInfo& info = rig.network().info();
  ASSERT_TRUE(info.joint && info.joint->sigmoid);
  EXPECT_NEAR(info.joint->bias, -2.0, 1e-6);
  const auto images = rig.run(pictures(rig)).embeddings;
  const auto ids = ints_of(*open_weights(vision_path("siglip/expected.safetensors")).value(), "input_ids");
  std::vector<std::unique_ptr<Sample>> samples;
  for (std::size_t first = 0; first < ids.size(); first += 16) {
    auto sample = std::make_unique<TextSample>();
    sample->ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(first),
                       ids.begin() + static_cast<std::ptrdiff_t>(first + 16));
    samples.push_back(std::move(sample));
  }
  const auto words = rig.run(samples).embeddings;
  const double i = relative(images, recorded("siglip", "image_embeds")),
               t = relative(words, recorded("siglip", "text_embeds"));
  const double l = relative(similarities(info, images, words), recorded("siglip", "logits_per_image"));
  std::printf("SigLIP: relative difference: images %.2g, texts %.2g, logits %.2g\n", i, t, l);
  EXPECT_LE(i, kRelative);
  EXPECT_LE(t, kRelative);
  EXPECT_LE(l, kRelative);
  EXPECT_LE(relative(hidden_states(rig, *pictures(rig)[0])[2], recorded("siglip", "vision.hidden2")),
            kRelative);
}

// From the text on: the folder's tokenizer.json (tests/golden/tokenizer/make_unigram.py) gives the ids that
// the reference was fed, filled up to 16.
TEST(Siglip, ATextIsEmbeddedAsItsIdsWere) {
  NetworkRig rig(vision_path("siglip"));
  std::vector<std::unique_ptr<Sample>> samples;
  samples.push_back(rig.sample({.kind = InputKind::kText, .text = "A photo, of CAT!"}));
  samples.push_back(rig.sample({.kind = InputKind::kText, .text = "boat"}));
  EXPECT_EQ(samples[0]->tokens, 16);
  const auto words = rig.run(samples).embeddings;
  auto wanted = recorded("siglip", "text_embeds");
  wanted.resize(words.size());  // of the three recorded texts the first two
  EXPECT_LE(relative(words, wanted), kRelative);
  EXPECT_TRUE(rig.sample({.kind = InputKind::kText,
                          .text = std::string(100, 'a') + " cat cat cat cat cat cat cat "
                                                          "cat cat cat cat cat cat cat cat cat cat"})
                  ->truncated);
}

TEST(Vit, LogitsAndFeaturesMatchTransformers) {
  NetworkRig rig(vision_path("vit"));
  EXPECT_EQ(rig.network().info().labels, (std::vector<std::string>{"cat", "dog", "cup", "clock", "wall"}));
  const Answers answers = rig.run(pictures(rig));
  const double l = relative(answers.logits, recorded("vit", "logits")),
               f = relative(answers.embeddings, recorded("vit", "features"));
  std::printf("ViT: relative difference: logits %.2g, features %.2g\n", l, f);
  EXPECT_LE(l, kRelative);
  EXPECT_LE(f, kRelative);
  EXPECT_LE(relative(hidden_states(rig, *pictures(rig)[0])[2], recorded("vit", "vision.hidden2")), kRelative);
}

}  // namespace
}  // namespace consort::golden
