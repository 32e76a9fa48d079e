#include "scheduler/host/wire.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "memory/base/text.h"
#include "scheduler/host/wire_reader.h"

namespace consort {
namespace {

GenerateRequest sample_generate() {
  GenerateRequest r;
  r.prompt.messages = {{"system", "be brief"}, {"user", "bytes \xFF\xFE here"}};
  r.prompt.plain_template = true;
  r.max_tokens = 17;
  r.stop = {"a", "\x80"};
  r.ignore_eos = true;
  r.sampling.temperature = 0.1 + 0.2;
  r.sampling.top_k = 5;
  r.sampling.logit_bias = {{3, -1.5f}, {9, 2.25f}};
  r.sampling.seed = 0xfedcba9876543210ull;
  r.bypass_prefix_cache = true;
  r.keep_partial = true;
  r.logprobs = false;
  return r;
}

// As JSON text and back, as between processes.
Value over_the_wire(const Value& v) {
  auto back = parse_json(write_json(v));
  EXPECT_TRUE(back) << back.error().line();
  return *back;
}

TEST(Wire, RequestsComeBackAsTheyWere) {
  const GenerateRequest g = sample_generate();
  const auto back = read_generate_request(over_the_wire(to_wire(g)));
  ASSERT_TRUE(back) << back.error().line();
  ASSERT_EQ(back->prompt.messages.size(), 2u);
  EXPECT_EQ(back->prompt.messages[1].content, g.prompt.messages[1].content);
  EXPECT_TRUE(back->prompt.plain_template);
  EXPECT_FALSE(back->logprobs);
  EXPECT_EQ(back->max_tokens, 17);
  EXPECT_EQ(back->stop, g.stop);
  EXPECT_TRUE(back->ignore_eos);
  EXPECT_EQ(back->sampling.temperature, g.sampling.temperature);
  EXPECT_EQ(back->sampling.logit_bias, g.sampling.logit_bias);
  EXPECT_EQ(back->sampling.seed, g.sampling.seed);
  EXPECT_TRUE(back->bypass_prefix_cache);
  EXPECT_TRUE(back->keep_partial);

  ScoreRequest s;
  s.prompt.text = "prompt";
  s.prompt.parse_special = false;
  s.candidates = {"one", "", "tw\xC0o"};
  s.joint = s.bypass_prefix_cache = true;
  const auto score = read_score_request(over_the_wire(to_wire(s)));
  ASSERT_TRUE(score);
  EXPECT_EQ(score->candidates, s.candidates);
  EXPECT_EQ(score->prompt.text, "prompt");
  EXPECT_FALSE(score->prompt.parse_special);
  EXPECT_TRUE(score->joint && score->bypass_prefix_cache);

  const auto text = read_score_text_request(over_the_wire(to_wire(ScoreTextRequest{"abc", 64})));
  EXPECT_EQ(text->context, 64);
  const auto logits = read_logits_request(over_the_wire(to_wire(LogitsRequest{{1, 2, 3}, 7})));
  EXPECT_EQ(logits->token_ids, (std::vector<TokenId>{1, 2, 3}));
  EXPECT_EQ(logits->top, 7);
}

TEST(Wire, ResultsComeBackAsTheyWere) {
  std::vector<TensorLease> tensors;
  GenerateResult g{"te\xFFxt", {4, 5}, "length", -0.1 / 3, {}};
  g.usage.prompt_tokens = 3;
  g.usage.flop = 1e18;
  const auto back = read_generate_result(over_the_wire(to_wire(g, tensors)), tensors);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->text, g.text);
  EXPECT_EQ(back->logprob_nats, g.logprob_nats);
  EXPECT_EQ(back->usage.flop, 1e18);

  ScoreResult s;
  s.candidates = {{-std::numeric_limits<double>::infinity(), 2, 9}, {-1.5, 1, 1}};
  const auto score = read_score_result(over_the_wire(to_wire(s, tensors)), tensors);
  ASSERT_TRUE(score);
  EXPECT_TRUE(std::isinf(score->candidates[0].logprob_nats));
  EXPECT_EQ(score->candidates[0].bytes, 9u);

  const Error error{ErrorKind::kMemory, "what", "where", "hint"};
  const Error again = read_error(over_the_wire(to_wire(error)));
  EXPECT_EQ(again.kind, error.kind);
  EXPECT_EQ(again.line(), error.line());
  EXPECT_EQ(read_error(Value("nonsense")).kind, ErrorKind::kRuntime);
}

TEST(Wire, UnknownKeysAndWrongTypesAreErrors) {
  const Value good = to_wire(sample_generate());
  ASSERT_TRUE(read_generate_request(good));
  const auto error = [&](const Value& v) {
    auto r = read_generate_request(v);
    return r ? std::string("accepted") : r.error().line();
  };
  EXPECT_NE(error(good.with("temprature", 1)).find("'temprature' is not a known key"), std::string::npos);
  EXPECT_NE(error(good.with("max_tokens", "many")).find("'max_tokens' is not an integer"), std::string::npos);
  EXPECT_NE(error(good.with("max_tokens", std::int64_t{1} << 40)).find("out of range"), std::string::npos);
  EXPECT_NE(error(good.with("stop", Value::array({1}))).find("'stop'"), std::string::npos);
  EXPECT_NE(error(Value::object({})).find("'prompt' is missing"), std::string::npos);
  EXPECT_NE(error(Value(3)).find("object"), std::string::npos);
  EXPECT_NE(error(good.with("prompt", Value::object({{"text", "a"}, {"token_ids", Value::array({1})}})))
                .find("exactly one"),
            std::string::npos);
  EXPECT_NE(error(good.with("prompt", Value::object({{"token_ids", Value::array({-1})}}))).find("token ids"),
            std::string::npos);
  EXPECT_NE(
      error(good.with("sampling", Value::object({{"logit_bias", Value::array({1})}}))).find("logit_bias"),
      std::string::npos);
  EXPECT_FALSE(read_wire_request(Value::object({{"op", "generate"}, {"class", "urgent"}})));
  EXPECT_FALSE(read_wire_request(Value::object({{"class", "batch"}})));
}

TEST(Wire, Base64) {
  for (const std::string s : {"", "a", "ab", "abc", "\xFF\x00x"}) {
    const auto back = base64_decode(base64(s));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, s);
  }
  for (const char* bad : {"a", "ab==c", "====", "YQ=a", "YR==", "a b=", "YWJ\n"})
    EXPECT_FALSE(base64_decode(bad)) << bad;
}

// Bodies with random damage are read or refused, never worse.
TEST(Wire, MutatedBodies) {
  std::mt19937 rng(99);
  std::vector<TensorLease> tensors;
  const std::string bodies[] = {
      write_json(to_wire(sample_generate())),
      write_json(wire_request("generate", to_wire(sample_generate()))),
      write_json(to_wire(GenerateResult{"text", {1, 2}, "stop", -1.5, {}}, tensors)),
      write_json(to_wire(Error{ErrorKind::kIo, "a", "b", "c"}))};
  int parsed = 0, accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = bodies[rng() % 4];
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
    accepted += read_generate_request(*v).has_value() + read_wire_request(*v).has_value() +
                read_generate_result(*v, {}).has_value() + read_score_result(*v, {}).has_value() +
                read_logits_result(*v, {}).has_value();
    (void)read_error(*v);
    (void)read_text_chunk(*v);
  }
  EXPECT_GT(parsed, 500);
  EXPECT_GT(accepted, 50);
}

}  // namespace
}  // namespace consort
