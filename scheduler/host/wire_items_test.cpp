#include <gtest/gtest.h>

#include <random>

#include "scheduler/host/wire.h"

namespace consort {
namespace {

Value over_the_wire(const Value& v) {
  auto back = parse_json(write_json(v));
  EXPECT_TRUE(back) << back.error().line();
  return *back;
}

std::vector<ModelInput> every_kind() {
  std::vector<ModelInput> out = text_inputs({"plain", "broken \xFF utf-8"});
  ModelInput pair;
  pair.kind = InputKind::kPair;
  pair.text = "query";
  pair.passage = "passage";
  out.push_back(pair);
  ModelInput molecule;
  molecule.kind = InputKind::kMolecule;
  molecule.text = "CCO";
  out.push_back(molecule);
  for (const InputKind kind : {InputKind::kImage, InputKind::kFile, InputKind::kGraph}) {
    ModelInput bytes;
    bytes.kind = kind;
    bytes.bytes = SharedBytes::of("content of " + std::string(input_kind_name(kind)));
    bytes.name = "a.bin";
    out.push_back(bytes);
  }
  out.back().bytes = SharedBytes::of("");
  ModelInput any;
  any.kind = std::nullopt;
  any.name = "b.bin";
  any.bytes = SharedBytes::of("?");
  out.push_back(any);
  any.bytes.reset();
  any.text = "either";
  out.push_back(any);
  return out;
}

TEST(WireItems, RequestsComeBackAndBytesAreNotCopied) {
  EmbedRequest request{every_kind(), "query", EmbeddingLevel::kPart};
  std::vector<TensorLease> tensors;
  const Value body = over_the_wire(to_wire(request, tensors));
  ASSERT_EQ(tensors.size(), 4u);
  const auto back = read_embed_request(body, tensors);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->input_type, "query");
  EXPECT_EQ(back->level, EmbeddingLevel::kPart);
  ASSERT_EQ(back->inputs.size(), request.inputs.size());
  for (std::size_t i = 0; i < back->inputs.size(); ++i) {
    const ModelInput &a = request.inputs[i], &b = back->inputs[i];
    EXPECT_EQ(a.kind, b.kind);
    EXPECT_EQ(a.text, b.text);
    EXPECT_EQ(a.passage, b.passage);
    EXPECT_EQ(a.name, b.name);
    ASSERT_EQ(a.bytes.has_value(), b.bytes.has_value());
    if (!a.bytes) continue;
    EXPECT_EQ(a.bytes->view.data(), b.bytes->view.data());
    EXPECT_EQ(a.bytes->size(), b.bytes->size());
  }
  ClassifyRequest classify;
  classify.inputs = every_kind();
  classify.top = 7;
  classify.labels = {"cat", "dog"};
  classify.prompt = "a sketch of a {}";
  classify.logits = true;
  std::vector<TensorLease> more;
  const auto same = read_classify_request(over_the_wire(to_wire(classify, more)), more);
  ASSERT_TRUE(same) << same.error().line();
  EXPECT_EQ(same->labels, classify.labels);
  EXPECT_EQ(same->prompt, classify.prompt);
  EXPECT_EQ(same->top, 7);
  EXPECT_TRUE(same->logits);
  const auto rerank = read_rerank_request(over_the_wire(to_wire(RerankRequest{{{"q", "p\xC0"}, {"", "x"}}})));
  ASSERT_TRUE(rerank);
  EXPECT_EQ(rerank->pairs[0].passage, "p\xC0");
}

TEST(WireItems, TensorsThatDoNotFitAreRefused) {
  std::vector<TensorLease> tensors;
  const Value body = to_wire(EmbedRequest{every_kind(), "", {}}, tensors);
  EXPECT_FALSE(read_embed_request(body, {}));
  auto wrong = tensors;
  wrong[0].view.dtype = DType::kF32;
  EXPECT_FALSE(read_embed_request(body, wrong));
  for (const char* item :
       {R"({"image": -1})", R"({"image": 4})", R"({"image": "0"})", R"({"image": 0, "file": 1})",
        R"({"query": "q"})", R"({"smiles": 3})", R"({})", "3", R"({"name": "x"})", R"({"base64": "a"})"}) {
    const Value bad = Value::object({{"inputs", Value::array({*parse_json(item)})}});
    EXPECT_FALSE(read_embed_request(bad, tensors)) << item;
  }
}

EmbedResult embedded() {
  auto rows = std::make_shared<std::vector<float>>(6, 1.0f);
  EmbedResult e;
  e.embeddings = {"embeddings", make_view(rows->data(), DType::kF32, {2, 3}), rows};
  e.tokens = {4, 0, 5};
  e.truncated = {false, false, true};
  e.offsets = {0, 1, 1, 2};
  e.errors = {{1, {ErrorKind::kInvalid, "broken", "a.jpg", ""}}};
  e.model_digest = "abc";
  return e;
}

TEST(WireItems, ResultsComeBackAsTheyWere) {
  const EmbedResult e = embedded();
  std::vector<TensorLease> tensors;
  const Value body = over_the_wire(to_wire(e, tensors));
  const auto embed = read_embed_result(body, tensors);
  ASSERT_TRUE(embed) << embed.error().line();
  EXPECT_EQ(embed->embeddings.view.data, e.embeddings.view.data);
  EXPECT_EQ(embed->offsets, e.offsets);
  EXPECT_EQ(embed->truncated, e.truncated);
  EXPECT_EQ(embed->model_digest, "abc");
  EXPECT_EQ(embed->item(2).data, e.embeddings.view.data + 3 * sizeof(float));
  EXPECT_EQ(embed->item(1).rows(), 0);
  ASSERT_NE(embed->error_of(1), nullptr);
  EXPECT_EQ(embed->error_of(1)->what, "broken");
  EXPECT_EQ(embed->error_of(2), nullptr);
  auto wrong = tensors;
  wrong[0].view.dims[0] = 3;
  EXPECT_FALSE(read_embed_result(body, wrong));
  EXPECT_FALSE(read_embed_result(body, {}));

  ClassifyResult c;
  c.tokens = {1};
  c.truncated = {false};
  c.decisions = {{{{"png", 0.75}}, {{"jpeg", 0.7}, {"png", 0.1}}, "low_confidence"}};
  std::vector<TensorLease> none;
  const auto classified = read_classify_result(over_the_wire(to_wire(c, none)), none);
  ASSERT_TRUE(classified) << classified.error().line();
  EXPECT_EQ(classified->decisions[0].labels[0].label, "png");
  EXPECT_EQ(classified->decisions[0].raw[1].score, 0.1);
  EXPECT_EQ(classified->decisions[0].reason, "low_confidence");
  RerankResult r;
  r.tokens = {1, 2};
  r.truncated = {false, true};
  r.scores = {-9.25, 3};
  EXPECT_EQ(read_rerank_result(over_the_wire(to_wire(r, none)), none)->scores, r.scores);
}

TEST(WireItems, MutatedBodies) {
  std::mt19937 rng(7);
  std::vector<TensorLease> tensors, answers;
  ClassifyRequest classify;
  classify.inputs = every_kind();
  const std::string bodies[] = {write_json(to_wire(classify, tensors)),
                                write_json(to_wire(embedded(), answers)),
                                write_json(to_wire(RerankRequest{{{"q", "p"}}}))};
  int parsed = 0, accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = bodies[rng() % 3];
    for (unsigned n = 1 + rng() % 3; n > 0; --n) {
      const std::size_t at = rng() % text.size();
      switch (rng() % 3) {
        case 0:
          text[at] = static_cast<char>(rng() % 128);
          break;
        case 1:
          text.erase(at, 1 + rng() % 6);
          break;
        default:
          text.insert(at, 1, "0123456789{}[],\"-e"[rng() % 18]);
      }
      if (text.empty()) text = "x";
    }
    const auto v = parse_json(text);
    if (!v) continue;
    ++parsed;
    accepted += read_classify_request(*v, tensors).has_value() + read_embed_request(*v, tensors).has_value() +
                read_rerank_request(*v).has_value() + read_embed_result(*v, answers).has_value() +
                read_classify_result(*v, answers).has_value() + read_rerank_result(*v, answers).has_value();
  }
  EXPECT_GT(parsed, 300);
  EXPECT_GT(accepted, 30);
}

}  // namespace
}  // namespace consort
