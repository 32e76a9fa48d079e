// classify, rerank and embed over a bus with networks that judge by a rule (the steps of their case.json),
// and blobs as their input.
#include <cmath>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>

#include "agents/calls/call_kinds.h"
#include "agents/calls/scripted_models.h"
#include "agents/calls/text_blobs.h"
#include "models/formats/testing/synthetic_files.h"
#include "models/probe/probe_file.h"
#include "scheduler/blob/blob_store.h"
#include "scheduler/host/host_rig.h"

namespace consort {
namespace {

using namespace mock;

struct TextSample final : Sample {
  std::string text, passage;
};

// Takes texts. A class's logit is 2 where its label stands in the text; the embedding is the text's length.
class NamingNetwork final : public Network {
 public:
  explicit NamingNetwork(const std::string& id = "") {
    info_.inputs = {InputKind::kText};
    info_.labels = {id == "other" ? "owl" : "cat", "dog"};
    info_.classes = 2;
    info_.dimension = 1;
  }
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override {
    if (input.kind != InputKind::kText) return fail(ErrorKind::kUnsupported, "the model takes texts");
    auto sample = std::make_unique<TextSample>();
    sample->text = input.text;
    sample->tokens = 1;
    return sample;
  }
  Status forward(Exec&, std::span<const Sample* const> samples, NetworkOutput& output) override {
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::string& text = static_cast<const TextSample*>(samples[i])->text;
      if (output.embeddings.data != nullptr)
        output.embeddings.as<float>()[i] = static_cast<float>(text.size());
      if (output.logits.data == nullptr) continue;
      for (std::size_t c = 0; c < 2; ++c)
        output.logits.as<float>()[i * 2 + c] = text.find(info_.labels[c]) != std::string::npos ? 2.0F : 0.0F;
    }
    return {};
  }

 private:
  NetworkInfo info_;
};

// The score of a pair: characters that the passage shares with the query's beginning.
class PrefixNetwork final : public Network {
 public:
  explicit PrefixNetwork(const std::string& = "") {
    info_.inputs = {InputKind::kPair};
    info_.classes = 1;
  }
  const NetworkInfo& info() const override { return info_; }
  Result<std::unique_ptr<Sample>> prepare(const NetworkInput& input) const override {
    auto sample = std::make_unique<TextSample>();
    sample->text = input.text;
    sample->passage = input.passage;
    sample->tokens = 1;
    return sample;
  }
  Status forward(Exec&, std::span<const Sample* const> samples, NetworkOutput& output) override {
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto& pair = static_cast<const TextSample&>(*samples[i]);
      std::size_t n = 0;
      while (n < pair.text.size() && n < pair.passage.size() && pair.text[n] == pair.passage[n]) ++n;
      output.logits.as<float>()[i] = static_cast<float>(n);
    }
    return {};
  }

 private:
  NetworkInfo info_;
};

class NetworkCalls : public ::testing::Test {
 protected:
  template <typename N>
  void host() {
    lane_ = *Lane::start(*pool_, {.threads = 2});
    directory_ = *LocalModelDirectory::create(channel_, *lane_,
                                              [](const std::string& id, Lane&) -> Result<LoadedModel> {
                                                if (id == "nobody")
                                                  return fail(ErrorKind::kNotFound, "no such model", id);
                                                LoadedModel out;
                                                out.id = id;
                                                out.network = std::make_unique<N>(id);
                                                return out;
                                              });
    kinds_ = make_call_kinds({.models = directory_.get(), .blobs = blobs_.get()});
  }
  Result<Value> call(const std::string& kind, Value with) {
    const auto handler = kinds_->find(kind);
    CONSORT_TRY(ready, handler->arguments(std::move(with)));
    TaskContext context;
    CONSORT_TRY(outcome, act(*handler, context, ready));
    return outcome.output;
  }
  static bool holds(const Value& actual, const Value& expected) {
    if (expected.is_object()) {
      for (const auto& [key, value] : expected.as_object())
        if (actual.find(key) == nullptr || !holds(*actual.find(key), value)) return false;
      return actual.is_object();
    }
    if (!expected.is_array()) return actual == expected;
    bool same = actual.is_array() && actual.size() == expected.size();
    for (std::size_t i = 0; same && i < expected.size(); ++i)
      same = holds(actual.as_array()[i], expected.as_array()[i]);
    return same;
  }
  using Prepare = std::function<Value(Value with)>;  // of a step's options; may be empty
  void run_case(const std::string& kind, const std::function<Prepare(const Value& document)>& before = {}) {
    std::ifstream in(std::string(CONSORT_SOURCE_DIR) + "/agents/calls/" + kind + "/case.json");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto document = parse_json(text, kind);
    ASSERT_TRUE(document) << document.error().line();
    ASSERT_GT(document->get("steps").size(), 3u);
    const Prepare prepare = before ? before(*document) : Prepare();
    for (const Value& step : document->get("steps").as_array()) {
      const auto output = call(kind, prepare ? prepare(step.get("with")) : step.get("with"));
      if (const Value* error = step.find("error")) {
        ASSERT_FALSE(output) << write_json(step);
        EXPECT_EQ(error_kind_name(output.error().kind), error->as_string()) << output.error().line();
        continue;
      }
      ASSERT_TRUE(output) << output.error().line() << "\n" << write_json(step);
      EXPECT_TRUE(holds(*output, step.get("output")))
          << write_json(*output) << "\nwanted " << write_json(step);
    }
  }
  Value blob(std::string content, std::string name = "note.txt") {
    return *blobs_->put(*make_blob(SharedBytes::of(std::move(content)), std::move(name)));
  }

  std::unique_ptr<DevicePool> pool_ = *DevicePool::create_cpu(64 * kGranuleBytes);
  std::unique_ptr<Lane> lane_;
  TestChannel channel_;
  std::unique_ptr<LocalModelDirectory> directory_;
  std::unique_ptr<BlobStore> blobs_ = *BlobStore::open(nullptr);
  std::shared_ptr<const CallKinds> kinds_;
};

TEST_F(NetworkCalls, ClassifyCase) {
  host<NamingNetwork>();
  run_case("classify");
}

// The probe files that a case describes are written, and its steps name them by their full paths.
TEST_F(NetworkCalls, ProbeCase) {
  host<NamingNetwork>();
  const testing::TemporaryFolder folder;
  run_case("probe", [&](const Value& document) {
    for (const auto& [name, described] : document.get("probes").as_object()) {
      ProbeFile file;
      file.unit_length = described.find("unit") != nullptr;
      for (const Value& model : described.get("models").as_array())
        file.encoders.push_back(
            {model.as_string(),
             described.find("digest") != nullptr ? described.get("digest").as_string() : "", 1});
      for (const Value& d : described.get("heads").as_array()) {
        Probe head;
        head.kind = d.get("kind").as_string() == "ridge" ? ProbeKind::kRidge : ProbeKind::kLogistic;
        head.target = d.get("target").as_string();
        if (const Value* labels = d.find("labels"))  // a ridge head has none
          for (const Value& label : labels->as_array()) head.labels.push_back(label.as_string());
        for (const Value& w : d.get("weights").as_array())
          head.weights.push_back(static_cast<float>(w.as_number()));
        head.bias = {static_cast<float>(d.get("bias").as_number())};
        head.dimension = file.encoders.size();
        file.heads.push_back(std::move(head));
      }
      EXPECT_TRUE(save_probes(file, folder.path() + "/" + name));
    }
    return [&folder](Value with) {
      return with.with("probe", folder.path() + "/" + with.get("probe").as_string());
    };
  });
}

TEST_F(NetworkCalls, RerankCase) {
  host<PrefixNetwork>();
  run_case("rerank");
}

TEST_F(NetworkCalls, ABlobIsWhatTheModelTakes) {
  host<NamingNetwork>();
  const Value handle = blob("a cat sits here");
  const auto with = [&](Value input) { return Value::object({{"model", "m"}, {"input", std::move(input)}}); };
  const auto labels = call("classify", with(handle));
  ASSERT_TRUE(labels) << labels.error().line();
  EXPECT_EQ(labels->get("labels").as_array()[0].get("label").as_string(), "cat");
  const auto rows = call("embed", with(Value::array({handle, "four", Value::object({{"text", handle}})})));
  ASSERT_TRUE(rows) << rows.error().line();
  EXPECT_EQ(write_json(rows->get("embeddings")), "[[15.0],[4.0],[15.0]]");
  const auto one = call("embed", with("four"));
  EXPECT_EQ(write_json(one->get("embedding")), "[4.0]");
  EXPECT_EQ(one->get("tokens").as_integer(), 1);
  const Value lost = Value::object({{"$blob", std::string(64, 'a')}});
  EXPECT_EQ(call("classify", with(lost)).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(call("classify", with(Value::object({{"$blob", 3}}))).error().kind, ErrorKind::kInvalid);
}

TEST_F(NetworkCalls, ACallThatWantsATextTakesABlobOfText) {
  host<PrefixNetwork>();
  const Value query = blob("harbour"), passage = blob("harbour wall"),
              picture = blob("\x89PNG\r\n\x1a\n\xFF");
  const auto hits =
      call("rerank",
           Value::object({{"model", "m"}, {"query", query}, {"passages", Value::array({"tree", passage})}}));
  ASSERT_TRUE(hits) << hits.error().line();
  EXPECT_EQ(hits->get("hits").as_array()[0].get("text").as_string(), "harbour wall");
  const auto refused = call(
      "rerank", Value::object({{"model", "m"}, {"query", picture}, {"passages", Value::array({"tree"})}}));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("image/png"), std::string::npos);
  // Messages of a chat are texts too, at any depth; what may be an object stays one.
  const auto schema = kinds_->find("generate")->options_schema();
  const Value message = Value::object({{"role", "user"}, {"content", query}});
  const auto changed = with_blob_texts(
      Value::object({{"messages", Value::array({message})}, {"other", query}}), schema, *blobs_);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->get("messages").as_array()[0].get("content").as_string(), "harbour");
  EXPECT_EQ(changed->get("other"), query);
}

TEST_F(NetworkCalls, LabelsOfSeveralClassifiersAreAlignedByName) {
  host<NamingNetwork>();
  const auto with = [](const char* text) { return *parse_json(text); };
  const double high = std::exp(2.0) / (std::exp(2.0) + 1);  // logits 2 and 0
  const auto pooled =
      call("ensemble", with(R"({"task": "classify", "members": ["one", "other"], "input": "a dog",
                                                "weights": {"one": 3, "other": 1}, "topK": 2})"));
  ASSERT_TRUE(pooled) << pooled.error().line();
  const Value labels = pooled->get("labels");
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels.as_array()[0].get("label").as_string(), "dog");
  EXPECT_NEAR(labels.as_array()[0].get("score").as_number(), high, 1e-9);
  EXPECT_EQ(labels.as_array()[1].get("label").as_string(), "cat");
  EXPECT_NEAR(labels.as_array()[1].get("score").as_number(), 0.75 * (1 - high), 1e-9);
  EXPECT_EQ(pooled->get("members").size(), 2u);
  EXPECT_EQ(pooled->get("combined").get("strategy").as_string(), "linearPool");
  const auto voted = call("ensemble", with(R"({"task": "classify", "combine": "vote", "input": "an owl",
                                               "members": ["one", {"model": "other", "weight": 2}]})"));
  ASSERT_TRUE(voted) << voted.error().line();
  EXPECT_EQ(voted->get("labels").as_array()[0].get("label").as_string(), "owl");
  const auto missing =
      call("ensemble", with(R"({"task": "classify", "members": ["one", "nobody"], "input": "a dog",
                                                 "onMemberError": "report"})"));
  ASSERT_TRUE(missing) << missing.error().line();
  EXPECT_EQ(write_json(missing->get("missing")), R"(["nobody"])");
  EXPECT_EQ(call("ensemble", with(R"({"task": "classify", "members": ["one", "nobody"], "input": "a dog"})"))
                .error()
                .kind,
            ErrorKind::kNotFound);
  EXPECT_FALSE(call("ensemble", with(R"({"task": "classify", "members": ["one"]})")));
}

TEST_F(NetworkCalls, EmbeddingsOfSeveralEncodersAreConcatenatedOrAveraged) {
  host<NamingNetwork>();
  const auto with = [](const char* text) { return *parse_json(text); };
  const auto both = call("ensemble", with(R"({"task": "embed", "members": ["one", "other"], "input": "text",
                                              "weights": [3, 1]})"));
  ASSERT_TRUE(both) << both.error().line();
  const Value row = both->get("embedding");
  ASSERT_EQ(row.size(), 2u);  // each of length 1, by the square root of its share
  EXPECT_NEAR(row.as_array()[0].as_number(), std::sqrt(0.75), 1e-6);
  EXPECT_NEAR(row.as_array()[1].as_number(), 0.5, 1e-6);
  const auto mean = call("ensemble", with(R"({"task": "embed", "members": ["one", "other"], "input": "text",
                                              "combine": "mean"})"));
  ASSERT_TRUE(mean) << mean.error().line();
  EXPECT_EQ(write_json(mean->get("embedding")), "[1.0]");
  EXPECT_FALSE(call("ensemble", with(R"({"task": "embed", "members": ["one", "nobody"], "input": "text",
                                         "onMemberError": "report"})")));
  EXPECT_EQ(
      call("ensemble", with(R"({"task": "embed", "members": ["one"], "input": "text", "combine": "vote"})"))
          .error()
          .kind,
      ErrorKind::kInvalid);
}

}  // namespace
}  // namespace consort
