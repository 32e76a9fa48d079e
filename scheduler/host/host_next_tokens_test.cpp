// What comes next, over the bus.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "scheduler/host/host_rig.h"

namespace consort::mock {
namespace {

TEST(Wire, NextTokensComeBackAsTheyWere) {
  NextTokensRequest r;
  r.prompt.text = "before";
  r.pieces = {"a", " b\xFF"};
  r.own_pieces = true;
  r.top = 7;
  r.wanted = {"", "\xFE", "text"};
  const auto back = read_next_tokens_request(*parse_json(write_json(to_wire(r))));
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(*back->prompt.text, "before");
  EXPECT_EQ(back->pieces, r.pieces);
  EXPECT_TRUE(back->own_pieces);
  EXPECT_EQ(back->top, 7);
  EXPECT_EQ(back->wanted, r.wanted);
  EXPECT_FALSE(read_next_tokens_request(*parse_json(R"({"prompt": {"text": "a"}, "tops": 1})")));
  EXPECT_FALSE(read_next_tokens_request(*parse_json(R"({"pieces": ["a"]})")));

  std::vector<TensorLease> tensors;
  NextTokensResult n;
  n.top = {{"\xFF", -0.1 / 3}, {"", -2}};
  n.wanted_logprobs = {-std::numeric_limits<double>::infinity(), -1.5};
  n.full = true;
  n.usage.cached_tokens = 4;
  const Value body = *parse_json(write_json(to_wire(n, tensors)));
  const auto result = read_next_tokens_result(body, tensors);
  ASSERT_TRUE(result) << result.error().line();
  ASSERT_EQ(result->top.size(), 2u);
  EXPECT_EQ(result->top[0].bytes, "\xFF");
  EXPECT_EQ(result->top[0].logprob_nats, n.top[0].logprob_nats);
  EXPECT_EQ(result->wanted_logprobs, n.wanted_logprobs);
  EXPECT_TRUE(result->full);
  EXPECT_EQ(result->usage.cached_tokens, 4);
  EXPECT_FALSE(read_next_tokens_result(body.with("logprobs", Value::array({Value(-1.0)})), {}));
}

TEST(HostNextTokens, AGreedyTextStringByString) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  GenerateRequest generate = story(12);
  generate.ignore_eos = false;
  generate.sampling.temperature = 0;
  const auto text = rig.wait(model.generate(generate, {}));
  ASSERT_TRUE(text) << text.error().line();
  for (const bool own : {true, false}) {
    NextTokensRequest request;
    request.prompt = generate.prompt;
    request.own_pieces = own;
    std::string written;
    for (int i = 0; i < 12; ++i) {
      const auto next = rig.wait(model.next_tokens(request, {}));
      ASSERT_TRUE(next) << next.error().line();
      ASSERT_EQ(next->top.size(), 10u);
      if (next->top[0].bytes.empty()) break;
      written += next->top[0].bytes;
      request.pieces.push_back(next->top[0].bytes);
    }
    EXPECT_EQ(written, text->text);
  }
}

TEST(HostNextTokens, WantedStringsStandForTokens) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  NextTokensRequest request;
  request.prompt.text = "Once";
  request.pieces = {" up", "on"};
  request.top = 96;
  const auto all = rig.wait(model.next_tokens(request, {}));
  ASSERT_EQ(all->top.size(), 96u);
  const auto probability = [&](const std::string& s) {
    for (const NextString& t : all->top)
      if (t.bytes == s) return t.logprob_nats;
    return 0.0;
  };
  request.top = 0;
  request.wanted = {"x", "yes", "", "\xFF"};  // a token, more than one, the end, none
  const auto some = rig.wait(model.next_tokens(request, {}));
  ASSERT_TRUE(some) << some.error().line();
  EXPECT_TRUE(some->top.empty());
  EXPECT_EQ(some->wanted_logprobs[0], probability("x"));
  EXPECT_EQ(some->wanted_logprobs[1], probability("y"));
  EXPECT_EQ(some->wanted_logprobs[2], probability(""));
  EXPECT_TRUE(std::isinf(some->wanted_logprobs[3]));
  request.own_pieces = true;  // " up" is no token
  EXPECT_FALSE(rig.wait(model.next_tokens(request, {})));
  request.pieces = {"a", ""};
  request.own_pieces = false;
  EXPECT_FALSE(rig.wait(model.next_tokens(request, {})));
}

TEST(HostNextTokens, TheContextEndsTheText) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  NextTokensRequest request;
  request.prompt.text = std::string(100, 'x');
  request.wanted = {"a"};
  request.pieces = {std::string(1946, 'y')};  // with the BOS: 2047 tokens of 2048
  EXPECT_FALSE(rig.wait(model.next_tokens(request, {}))->full);
  request.pieces.emplace_back("z");
  const auto last = rig.wait(model.next_tokens(request, {}));
  EXPECT_TRUE(last->full);
  EXPECT_EQ(last->top.size(), 10u);
  request.pieces.emplace_back("zz");
  const auto over = rig.wait(model.next_tokens(request, {}));
  ASSERT_TRUE(over) << over.error().line();
  EXPECT_TRUE(over->full);
  EXPECT_TRUE(over->top.empty());
  request.prompt.text = std::string(2100, 'x');
  EXPECT_FALSE(rig.wait(model.next_tokens(request, {})));
  EXPECT_FALSE(rig.wait(rig.acquire("encoder").next_tokens(request, {})));
}

}  // namespace
}  // namespace consort::mock
