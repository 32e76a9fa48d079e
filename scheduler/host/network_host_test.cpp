// Networks behind hosts: items of every kind, errors of single items, cancellation, order, zero-shot.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "scheduler/host/host_rig.h"
#include "scheduler/host/input_kind.h"

namespace consort {
namespace {

using namespace mock;
using std::chrono::milliseconds;

ModelInput file(std::string content, std::optional<InputKind> kind = InputKind::kFile) {
  ModelInput item;
  item.kind = kind;
  item.bytes = SharedBytes::of(std::move(content));
  item.name = "a.txt";
  return item;
}

std::vector<TokenId> ids(const std::string& text) {
  return LetterTokenizer().encode(text, {.add_special = true});
}

TEST(NetworkHost, ManyItemsComeBackInOrderWhateverTheWindows) {
  HostRig rig;
  const ModelHandle model = rig.acquire("encoder");
  std::vector<std::string> texts;
  for (int i = 0; i < 700; ++i) texts.push_back(std::to_string(i * 7919 % 1000));
  const auto all = rig.wait(model.embed({text_inputs(texts), "", {}}, {}));
  ASSERT_TRUE(all) << all.error().line();
  ASSERT_EQ(all->items(), 700u);
  ASSERT_EQ(all->embeddings.view.rows(), 700);
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(all->item(i).as<float>()[1], MockNetwork::value(ids(texts[i]), 1)) << i;
  EXPECT_EQ(all->usage.prompt_tokens, std::accumulate(all->tokens.begin(), all->tokens.end(), 0));
  const auto parts = rig.wait(model.embed({text_inputs(texts), "", EmbeddingLevel::kPart}, {}));
  ASSERT_TRUE(parts) << parts.error().line();
  EXPECT_EQ(parts->level, EmbeddingLevel::kPart);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(parts->item(i).rows(), std::ssize(ids(texts[i])));
    EXPECT_EQ(parts->item(i).as<float>()[0], MockNetwork::value({ids(texts[i]).data(), 1}, 0));
  }
}

TEST(NetworkHost, AnItemThatCannotBeReadCostsNoOther) {
  HostRig rig;
  const ModelHandle model = rig.acquire("encoder");
  EmbedRequest request{text_inputs({"first", "second"}), "", {}};
  request.inputs.insert(request.inputs.begin() + 1, file("broken"));
  ModelInput graph = file("{}", InputKind::kGraph);
  request.inputs.push_back(graph);
  const auto r = rig.wait(model.embed(request, {}));
  ASSERT_TRUE(r) << r.error().line();
  ASSERT_EQ(r->errors.size(), 2u);
  EXPECT_EQ(r->error_of(1)->kind, ErrorKind::kInvalid);
  EXPECT_EQ(r->error_of(1)->where, "a.txt");
  EXPECT_EQ(r->error_of(3)->kind, ErrorKind::kUnsupported);
  EXPECT_EQ(r->item(1).rows(), 0);
  EXPECT_EQ(r->item(2).as<float>()[0], MockNetwork::value(ids("second"), 0));
  EXPECT_EQ(r->embeddings.view.rows(), 2);
}

TEST(NetworkHost, ClassifiesAndKeepsWhatNeedsNoPassOutOfIt) {
  HostRig rig;
  const ModelHandle model = rig.acquire("encoder");
  ClassifyRequest request;
  request.inputs = {file("abc"), file(""), file("ab"), file("broken")};
  request.top = 2;
  const auto r = rig.wait(model.classify(request, {}));
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(r->decisions[0].labels[0].label, "odd");
  EXPECT_NEAR(r->decisions[0].labels[0].score, std::exp(2.0) / (std::exp(2.0) + 2), 1e-12);
  EXPECT_EQ(r->decisions[0].raw.size(), 2u);
  EXPECT_EQ(r->decisions[1].labels[0].label, "empty");
  EXPECT_EQ(r->decisions[1].reason, "no content");
  EXPECT_EQ(r->decisions[2].labels[0].label, "even");
  EXPECT_TRUE(r->decisions[3].labels.empty());
  EXPECT_EQ(r->error_of(3)->what, "a broken file");
  EXPECT_TRUE(r->logits.name.empty());
  const auto engine = [&] { return rig.directory->find("encoder")->stats().get("engine"); };
  EXPECT_EQ(engine().get("sequence_steps").as_integer(), 2);  // the empty file was not computed
  request.logits = true;
  const auto raw = rig.wait(model.classify(request, {}));
  ASSERT_TRUE(raw) << raw.error().line();
  EXPECT_EQ(describe(raw->logits.view), "f32 [4, 3]");
  EXPECT_EQ(raw->logits.view.as<float>()[1], 2.0F);
  EXPECT_EQ(raw->logits.view.as<float>()[10], 0.0F);  // the broken one
}

TEST(NetworkHost, ZeroShotComparesWithLabelsInTheJointSpace) {
  HostRig rig;
  const ModelHandle model = rig.acquire("encoder");
  ClassifyRequest request;
  request.inputs = text_inputs({"a photo of a dog", "other"});
  request.labels = {"cat", "dog"};
  request.logits = true;
  const auto r = rig.wait(model.classify(request, {}));
  ASSERT_TRUE(r) << r.error().line();
  EXPECT_EQ(r->decisions[0].labels[0].label, "dog");  // the label's own text: cosine 1
  EXPECT_NEAR(r->logits.view.as<float>()[1], 2.0 * 1 + 0.5, 1e-6);
  const double other = r->logits.view.as<float>()[0];
  EXPECT_NEAR(r->decisions[0].labels[0].score, 1 / (1 + std::exp(other - 2.5)), 1e-6);
  EXPECT_EQ(r->decisions.size(), 2u);
  EXPECT_EQ(r->tokens.size(), 2u);
  // The same labels once more are not computed again, other ones are; the numbers stay.
  const auto computed = [&] {
    return rig.directory->find("encoder")->stats().get("engine").get("sequence_steps").as_integer();
  };
  EXPECT_EQ(computed(), 4);
  const auto again = rig.wait(model.classify(request, {}));
  EXPECT_EQ(computed(), 6);
  EXPECT_EQ(again->decisions[0].labels[0].score, r->decisions[0].labels[0].score);
  request.prompt = "a drawing of a {}";
  const auto drawn = rig.wait(model.classify(request, {}));
  EXPECT_EQ(computed(), 10);
  EXPECT_NE(drawn->decisions[0].labels[0].score, r->decisions[0].labels[0].score);
}

TEST(NetworkHost, WhatTheModelDoesNotDoIsRefused) {
  HostRig rig;
  const ModelHandle network = rig.acquire("encoder"), language = rig.acquire("a");
  ClassifyRequest classify;
  classify.inputs = text_inputs({"x"});
  EXPECT_EQ(rig.wait(network.rerank({{{"q", "p"}}}, {})).error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(rig.wait(language.classify(classify, {})).error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(rig.wait(language.rerank({{{"q", "p"}}}, {})).error().kind, ErrorKind::kUnsupported);
  classify.inputs.clear();
  EXPECT_EQ(rig.wait(network.classify(classify, {})).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(
      rig.wait(network.embed({text_inputs(std::vector<std::string>(5000, "x")), "", {}}, {})).error().kind,
      ErrorKind::kInvalid);
}

TEST(NetworkHost, StoppingARequestEndsItsPreparation) {
  HostRig rig;
  const ModelHandle model = rig.acquire("encoder");
  std::stop_source stop;
  RequestContext context;
  context.stop = stop.get_token();
  context.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (int round = 0; round < 20; ++round) {
    auto future =
        rig.start(model.embed({text_inputs(std::vector<std::string>(4000, "text")), "", {}}, context));
    if (round % 2 == 1) std::this_thread::sleep_for(milliseconds(round));
    if (round == 19) stop.request_stop();
    const auto r = future.get();
    if (round < 19) {
      EXPECT_TRUE(r) << r.error().line();
    } else if (!r) {
      EXPECT_EQ(r.error().kind, ErrorKind::kCancelled);
    }
  }
  RequestContext late;
  late.deadline = std::chrono::steady_clock::now() - milliseconds(1);
  EXPECT_FALSE(rig.wait(model.embed({text_inputs({"x"}), "", {}}, late)));
}

TEST(NetworkHost, UnloadingAnswersWhatIsOpen) {
  HostRig rig;
  rig.acquire("encoder");                                                 // loads it, holds it no longer
  const ModelHandle model(*ModelClient::create(rig.channel), "encoder");  // holds no reference
  std::vector<std::future<Result<EmbedResult>>> calls;
  for (int i = 0; i < 8; ++i)
    calls.push_back(rig.start(model.embed({text_inputs(std::vector<std::string>(3000, "t")), "", {}}, {})));
  EXPECT_TRUE(rig.directory->find("encoder")->unload(milliseconds(0)));
  for (auto& call : calls) {
    const auto r = call.get();
    if (r) continue;
    EXPECT_TRUE(r.error().kind == ErrorKind::kCancelled || r.error().kind == ErrorKind::kUnavailable);
  }
}

TEST(InputKind, TheModelDecidesWhatIsLeftOpen) {
  NetworkInfo text, image, source, molecules;
  text.inputs = {InputKind::kText};
  image.inputs = {InputKind::kImage, InputKind::kText};
  source.inputs = {InputKind::kFile};
  molecules.inputs = {InputKind::kMolecule, InputKind::kGraph};
  const auto settled = [](const NetworkInfo& info, ModelInput item) {
    settle_kind(info, item);
    return item;
  };
  const std::string png = "\x89PNG\r\n\x1a\n...";
  EXPECT_EQ(settled(text, file("plain", std::nullopt)).text, "plain");
  EXPECT_EQ(settled(image, file(png, std::nullopt)).kind, InputKind::kImage);
  EXPECT_EQ(settled(image, file("a caption", std::nullopt)).kind, InputKind::kText);
  EXPECT_EQ(settled(source, file(png, std::nullopt)).kind, InputKind::kFile);
  EXPECT_EQ(settled(molecules, file(" {\"nodes\": 1}", std::nullopt)).kind, InputKind::kGraph);
  const ModelInput smiles = settled(molecules, file("CCO\n", std::nullopt));
  EXPECT_EQ(smiles.kind, InputKind::kMolecule);
  EXPECT_EQ(smiles.text, "CCO");
  ModelInput bare;
  bare.kind = std::nullopt;
  bare.text = "CCO";
  EXPECT_EQ(settled(molecules, bare).kind, InputKind::kMolecule);
  EXPECT_EQ(settled(source, bare).bytes->text(), "CCO");
  EXPECT_EQ(settled(text, bare).kind, InputKind::kText);
}

}  // namespace
}  // namespace consort
