// Pictures in the retrieval memory, with a classifier and an encoder that follow a rule.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "agents/calls/call_kinds.h"
#include "agents/calls/ingest.h"
#include "agents/calls/scripted_models.h"
#include "memory/store/temporary_store.h"
#include "scheduler/host/host_rig.h"

namespace consort {
namespace {

using namespace mock;

const std::vector<std::string> kAnimals{"cat", "dog", "owl"};

struct TextSample final : Sample {
  std::string text;
};

// "eye": a classifier of pictures; a label's logit is 2 for each time that it stands in the bytes. "reader":
// an encoder of texts; one number for each animal, 1 where it is named, else 0.1.
class Rule final : public Network {
 public:
  explicit Rule(bool eye) : eye_(eye) {
    info_.inputs = {eye ? InputKind::kImage : InputKind::kText};
    info_.dimension = eye ? 0 : 3;
    info_.classes = eye ? 3 : 0;
    if (eye) info_.labels = kAnimals;
    info_.weights_digest = eye ? "of the eye" : "of the reader";
  }
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override {
    if (input.kind != info_.inputs[0]) return fail(ErrorKind::kUnsupported, "another kind");
    auto sample = std::make_unique<TextSample>();
    sample->text = eye_ ? std::string(reinterpret_cast<const char*>(input.bytes.data()), input.bytes.size())
                        : std::string(input.text);
    if (sample->text == "broken") return fail(ErrorKind::kInvalid, "no picture");
    sample->tokens = 1;
    return sample;
  }
  Status forward(Exec&, std::span<const Sample* const> samples, NetworkOutput& output) override {
    for (std::size_t i = 0; i < samples.size(); ++i)
      for (std::size_t a = 0; a < 3; ++a) {
        const std::string& text = static_cast<const TextSample*>(samples[i])->text;
        float seen = 0;
        for (std::size_t at = text.find(kAnimals[a]); at != std::string::npos;
             at = text.find(kAnimals[a], at + 1))
          ++seen;
        if (eye_)
          output.logits.as<float>()[i * 3 + a] = 2 * seen;
        else
          output.embeddings.as<float>()[i * 3 + a] = seen > 0 ? 1.0F : 0.1F;
      }
    return {};
  }

 private:
  const bool eye_;
  NetworkInfo info_;
};

class Pictures : public ::testing::Test {
 protected:
  Pictures() {
    lane_ = *Lane::start(*pool_, {.threads = 2});
    directory_ = *LocalModelDirectory::create(channel_, *lane_,
                                              [](const std::string& id, Lane&) -> Result<LoadedModel> {
                                                LoadedModel out;
                                                out.id = id;
                                                out.network = std::make_unique<Rule>(id == "eye");
                                                return out;
                                              });
    store_ = *Store::open(dir_ / "s");
    retrieval_ = *Retrieval::open(*store_);
    blobs_ = *BlobStore::open(store_.get());
    kinds_ = make_call_kinds({directory_.get(), &channel_, store_.get(), retrieval_.get(), blobs_.get()});
  }
  Result<Value> call(const std::string& kind, const std::string& with) {
    const auto handler = kinds_->find(kind);
    auto value = parse_json(with);
    EXPECT_TRUE(value) << value.error().line();
    TaskContext context;
    CONSORT_TRY(outcome, act(*handler, context, *value));
    return outcome.output;
  }
  std::string blob(const std::string& content) {
    return write_json(*blobs_->put(*make_blob(SharedBytes::of(content), content + ".jpg")));
  }
  std::string best(const std::string& query) {
    const auto found = call(
        "retrieve", R"({"namespace": "n", "model": "reader", "mode": "dense", "query": ")" + query + "\"}");
    EXPECT_TRUE(found) << found.error().line();
    return found ? found->get("hits").as_array()[0].get("externalId").as_string() : "";
  }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<DevicePool> pool_ = *DevicePool::create_cpu(64 * kGranuleBytes);
  std::unique_ptr<Lane> lane_;
  TestChannel channel_;
  std::unique_ptr<LocalModelDirectory> directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Retrieval> retrieval_;
  std::unique_ptr<BlobStore> blobs_;
  std::shared_ptr<const CallKinds> kinds_;
};

constexpr const char* kHow = R"("model": "reader", "pictures": {"model": "eye", "topK": 2})";

TEST_F(Pictures, AreFoundBesideTextsByWhatIsOnThem) {
  const std::string owl = blob("an owl, dark"), dog = blob("dog and dog and cat");
  const auto stored =
      call("remember", R"({"namespace": "n", "items": [{"image": )" + owl + R"(, "id": "p1"}, )" +
                           R"({"text": "the cat sleeps", "id": "t1"}, {"image": )" + dog +
                           R"(, "id": "p2", "text": "my dog", "metadata": {"year": 2020}}], )" + kHow + "}");
  ASSERT_TRUE(stored) << stored.error().line();
  EXPECT_EQ(stored->get("written").as_integer(), 3);
  EXPECT_EQ(stored->get("space").as_string(), "reader");
  EXPECT_EQ(best("an owl"), "p1");
  EXPECT_EQ(best("some dog"), "p2");
  EXPECT_EQ(best("cat"), "t1");
  const auto hits = call("retrieve", R"({"namespace": "n", "mode": "lexical", "query": "owl"})")->get("hits");
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits.as_array()[0].get("text").as_string(), "a photo of owl, cat");
  const Value metadata = hits.as_array()[0].get("metadata");
  EXPECT_EQ(metadata.get("mediaType").as_string(), "text/plain");
  EXPECT_EQ(hits.as_array()[0].get("provenance").get("modelDigest").as_string(), "of the eye");
  // The blob was committed with the item.
  auto later = *BlobStore::open(store_.get());
  EXPECT_EQ(later->get(Value::object({{"$blob", metadata.get("blob")}}))->bytes.text(), "an owl, dark");
}

TEST_F(Pictures, ConseIsTheProbabilityWeightedMeanOfTheLabelsTexts) {
  auto projector = *make_projector(*directory_, {"conse", "eye", "reader", 2});
  ModelInput picture;
  picture.kind = InputKind::kImage;
  picture.bytes = SharedBytes::of("dog dog cat");  // logits 2, 4, 0
  ModelInput broken = picture;
  broken.bytes = SharedBytes::of("broken");
  boost::asio::io_context io;
  Projected out;
  boost::asio::co_spawn(io, projector->project({picture, broken}, {}),
                        [&](std::exception_ptr, Result<Projected> r) {
                          ASSERT_TRUE(r) << r.error().line();
                          out = std::move(*r);
                        });
  io.run();
  ASSERT_EQ(out.items.size(), 2u);
  EXPECT_TRUE(out.items[1].error);
  const double dog = std::exp(2.0) / (std::exp(2.0) + 1), cat = 1 - dog;  // the two best alone
  const double want[] = {cat + 0.1 * dog, dog + 0.1 * cat, 0.1};
  const double length = std::sqrt(want[0] * want[0] + want[1] * want[1] + want[2] * want[2]);
  for (std::size_t d = 0; d < 3; ++d) EXPECT_NEAR(out.items[0].vector[d], want[d] / length, 1e-6);
  EXPECT_EQ(out.space.name, "reader");
  EXPECT_EQ(out.space.fingerprint, "of the reader");
}

TEST_F(Pictures, WhatDoesNotFitIsRefused) {
  const std::string owl = blob("owl"), broken = blob("broken");
  const auto kind = [&](const std::string& items, const std::string& how) {
    const auto r = call("remember", R"({"namespace": "n", "items": [)" + items + "], " + how + "}");
    return r ? std::string("accepted") : std::string(error_kind_name(r.error().kind));
  };
  EXPECT_EQ(kind(R"({"image": )" + broken + "}", kHow), "invalid");
  EXPECT_EQ(kind(R"({"image": )" + owl + "}", R"("model": null)"), "invalid");
  EXPECT_EQ(kind(R"({"id": "x"})", kHow), "invalid");
  EXPECT_EQ(kind(R"({"image": {"$blob": "x"}})", kHow), "invalid");
  EXPECT_EQ(kind(R"({"image": )" + owl + "}",
                 R"("model": "reader", "pictures": {"model": "eye", "strategy": "joint"})"),
            "unsupported");
  EXPECT_FALSE(make_projector(*directory_, {.strategy = "guess"}));
}

TEST_F(Pictures, AFolderIsReadWithItsPictures) {
  const std::string folder = dir_ / "photos";
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const char* content) {
    std::ofstream(folder + "/" + name) << content;
  };
  write("a.jpg", "dog dog");
  write("b.png", "broken");
  write("c.md", "# Owls\n\nAn owl sleeps by day.\n");
  IngestOptions options;
  options.name_space = "n";
  options.model = "reader";
  options.pictures = ProjectionOptions{"conse", "eye", "reader", 2};
  options.blobs = blobs_.get();
  for (int round = 0; round < 2; ++round) {
    boost::asio::io_context io;
    boost::asio::co_spawn(io, ingest_path(*retrieval_, directory_.get(), folder, options, {}),
                          [&](std::exception_ptr, Result<IngestReport> r) {
                            ASSERT_TRUE(r) << r.error().line();
                            EXPECT_EQ(r->files, 2u);
                            EXPECT_EQ(r->created, round == 0 ? 2u : 0u);
                            EXPECT_EQ(r->unchanged, round == 0 ? 0u : 2u);
                            ASSERT_EQ(r->failures.size(), 1u);
                            EXPECT_EQ(r->failures[0].file, "b.png");
                          });
    io.run();
  }
  EXPECT_EQ(best("a dog"), "a.jpg");
}

}  // namespace
}  // namespace consort
