// Scores of bytes and sessions over the bus.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "scheduler/host/host_rig.h"

namespace consort::mock {
namespace {

TEST(Wire, RequestsAndResultsAboutBytesComeBackAsTheyWere) {
  ScoreBytesRequest s;
  s.prompt.emplace().text = "before";
  s.text = "bytes \xFF";
  s.context = 9;
  s.covers = false;
  s.doubt = true;
  s.cover = {1e-5, 7, true, 0.75};
  const auto score = read_score_bytes_request(*parse_json(write_json(to_wire(s))));
  ASSERT_TRUE(score) << score.error().line();
  EXPECT_EQ(*score->prompt->text, "before");
  EXPECT_EQ(score->text, s.text);
  EXPECT_FALSE(score->covers);
  EXPECT_TRUE(score->doubt);
  EXPECT_EQ(score->cover.prune, 1e-5);
  EXPECT_EQ(score->cover.max_states, 7);
  EXPECT_TRUE(score->cover.canonical);
  EXPECT_EQ(score->cover.temperature, 0.75);
  EXPECT_FALSE(read_score_bytes_request(*parse_json(R"({"text": "a", "cover": {"prunes": 1}})")));

  std::vector<TensorLease> tensors;
  ScoreBytesResult r;
  r.token_ends = {1, 3};
  r.token_logprobs = {std::nan(""), -1.5};
  r.byte_logprobs = {std::nan(""), -0.5, -std::numeric_limits<double>::infinity()};
  r.kept = {1, 1, 0.9};
  r.entropies = {std::nan(""), 2.5};
  r.firsts = {std::nan(""), 0.5};
  r.seconds = {std::nan(""), 0.25};
  r.guesses = {-1, 'b'};
  r.log_mass = -0.1 / 3;
  r.forks = 5;
  const auto back = read_score_bytes_result(*parse_json(write_json(to_wire(r, tensors))), tensors);
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->token_ends, r.token_ends);
  EXPECT_TRUE(std::isnan(back->byte_logprobs[0]));
  EXPECT_EQ(back->byte_logprobs[2], r.byte_logprobs[2]);
  EXPECT_EQ(back->log_mass, r.log_mass);
  EXPECT_EQ(back->entropies[1], 2.5);
  EXPECT_EQ(back->firsts[1], 0.5);
  EXPECT_EQ(back->seconds[1], 0.25);
  EXPECT_EQ(back->guesses, r.guesses);
  tensors.pop_back();
  EXPECT_FALSE(read_score_bytes_result(*parse_json(write_json(to_wire(r, tensors))), {}));
  r.guesses.clear();  // not as many as the rest
  tensors.clear();
  const Value torn = to_wire(r, tensors);
  EXPECT_FALSE(read_score_bytes_result(torn, tensors));

  tensors.clear();
  NextBytesResult n;
  n.session = "abc";
  n.distributions.assign(2 * 257, 1.0 / 257);
  n.logprobs_nats = {-1.5, -0.25};
  n.kept = {1, 0.5};
  n.full = true;
  const auto next = read_next_bytes_result(*parse_json(write_json(to_wire(n, tensors))), tensors);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->distributions, n.distributions);
  EXPECT_EQ(next->logprobs_nats, n.logprobs_nats);
  EXPECT_EQ(next->kept, n.kept);
  EXPECT_TRUE(next->full);
  tensors.clear();
  n.path.assign(3 * 257, 0.5);
  n.passes = 4;
  const auto path = read_next_bytes_result(*parse_json(write_json(to_wire(n, tensors))), tensors);
  ASSERT_TRUE(path);
  EXPECT_EQ(path->path, n.path);
  EXPECT_EQ(path->passes, 4);
  tensors.clear();
  n.path.pop_back();
  EXPECT_FALSE(read_next_bytes_result(*parse_json(write_json(to_wire(n, tensors))), tensors));
  n.path.clear();
  tensors.clear();
  n.distributions.pop_back();
  EXPECT_FALSE(read_next_bytes_result(*parse_json(write_json(to_wire(n, tensors))), tensors));
}

TEST(HostBytes, ScoresATextByteByByte) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  ScoreBytesRequest request;
  request.text = "Once upon a time";
  const auto bytes = rig.wait(model.score_bytes(request, {}));
  ASSERT_TRUE(bytes) << bytes.error().line();
  const auto tokens = rig.wait(model.score_text({request.text, 0}, {}));
  ASSERT_EQ(bytes->byte_logprobs.size(), request.text.size());
  double sum = 0;
  for (const double lp : bytes->token_logprobs) sum += lp;
  EXPECT_NEAR(sum, -tokens->nll_nats, 1e-9);
  request.covers = false;
  const auto plain = rig.wait(model.score_bytes(request, {}));
  EXPECT_TRUE(plain->byte_logprobs.empty());
  EXPECT_EQ(plain->token_logprobs, bytes->token_logprobs);
  request.text = "no token: \xFF";
  EXPECT_FALSE(rig.wait(model.score_bytes(request, {})));
}

TEST(HostBytes, ASessionGivesTheSameAsTheScores) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  OpenBytesRequest open;
  open.prompt.text = "Once upon";
  open.heal = 3;
  auto now = rig.wait(model.open_bytes(open, {}));
  ASSERT_TRUE(now) << now.error().line();
  ScoreBytesRequest score;
  score.text = "Once upon a time";
  const auto bytes = rig.wait(model.score_bytes(score, {}));
  for (std::size_t i = 9; i < score.text.size(); ++i) {
    const auto symbol = static_cast<unsigned char>(score.text[i]);
    EXPECT_NEAR(std::log(now->distribution(0)[symbol]), bytes->byte_logprobs[i], 1e-6);
    now = rig.wait(model.next_bytes({now->session, {{0, score.text.substr(i, 1)}}, false}, {}));
    ASSERT_TRUE(now) << now.error().line();
    EXPECT_NEAR(now->logprobs_nats[0], bytes->byte_logprobs[i], 1e-6);
  }
  const std::string session = now->session;
  EXPECT_TRUE(rig.wait(model.next_bytes({session, {}, true}, {})));
  const auto gone = rig.wait(model.next_bytes({session, {{0, "x"}}, false}, {}));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::kNotFound);
}

TEST(HostBytes, AGuessIsLookedAtAndTakenBack) {
  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  OpenBytesRequest open;
  open.prompt.text = "Once upon";
  const auto plain = rig.wait(model.open_bytes(open, {}));
  open.rewind = 8;
  const auto guessing = rig.wait(model.open_bytes(open, {}));
  ASSERT_TRUE(plain && guessing);
  const auto path = rig.wait(model.next_bytes({guessing->session, {{0, " a ship"}}, false, true}, {}));
  ASSERT_TRUE(path) << path.error().line();
  EXPECT_EQ(path->path.size(), 7u * 257);
  const auto back = rig.wait(model.next_bytes({guessing->session, {{0, "time", 4}}}, {}));
  const auto straight = rig.wait(model.next_bytes({plain->session, {{0, " a time"}}}, {}));
  ASSERT_TRUE(back && straight) << back.error().line();
  EXPECT_EQ(back->distributions, straight->distributions);
  EXPECT_FALSE(rig.wait(model.next_bytes({plain->session, {{0, "", 1}}}, {})));  // opened without rewind
}

TEST(HostFusion, CrossesTheBusAndStreams) {
  FuseRequest r;
  r.members = {{{}, 0.5}, {{}, 2}};
  r.members[0].prompt.text = "one";
  r.members[1].prompt.token_ids = {3, 4};
  r.combiner = {CombineRule::kContrast, 0.25, {1, 3}, 0, 0.75, 0.2};
  r.stop = {"x"};
  r.sampling.seed = 8;
  const auto back = read_fuse_request(*parse_json(write_json(to_wire(r))));
  ASSERT_TRUE(back) << back.error().line();
  EXPECT_EQ(back->members[1].prompt.token_ids, r.members[1].prompt.token_ids);
  EXPECT_EQ(back->members[0].temperature, 0.5);
  EXPECT_EQ(back->combiner.rule, CombineRule::kContrast);
  EXPECT_EQ(back->combiner.weights, r.combiner.weights);
  EXPECT_EQ(back->combiner.beta, 0.75);
  EXPECT_EQ(back->sampling.seed, 8u);
  EXPECT_FALSE(read_fuse_request(*parse_json(R"({"members": [], "combiner": {"rule": "magic"}, "sampling": {}})")));

  HostRig rig;
  const ModelHandle model = rig.acquire("a");
  FuseRequest ask;
  ask.members.resize(2);
  ask.members[0].prompt.text = "Once upon";
  ask.members[1].prompt.text = "Once more";
  ask.combiner.rule = CombineRule::kLinear;
  ask.max_tokens = 9;
  ask.ignore_eos = true;
  ask.sampling.temperature = 0;
  std::string streamed;
  const auto got = rig.wait(model.fuse(ask, {}, [&](std::string_view text, const auto&) { streamed += text; }));
  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(got->token_ids.size(), 9u);
  EXPECT_EQ(streamed, got->text);
  EXPECT_EQ(got->members.size(), 2u);
  EXPECT_LT(got->members[1].logprob_nats, 0);
  EXPECT_GT(got->signals.disagreement, 0);
}

TEST(HostBytes, UnloadingEndsSessions) {
  HostRig rig;
  std::string session;
  {
    const ModelHandle model = rig.acquire("a");
    OpenBytesRequest open;
    open.prompt.text = "Once";
    session = rig.wait(model.open_bytes(open, {}))->session;
  }
  ASSERT_TRUE(rig.directory->unload("a"));
  const ModelHandle again = rig.acquire("a");
  EXPECT_FALSE(rig.wait(again.next_bytes({session, {{0, "x"}}, false}, {})));
}

}  // namespace
}  // namespace consort::mock
