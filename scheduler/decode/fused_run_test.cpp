// One text by several members of one model: against the same arithmetic over the mock model's logits in
// float64, and against what one member writes alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "scheduler/decode/engine_rig.h"
#include "scheduler/decode/token_fusion.h"

namespace consort::mock {
namespace {

FuseJob fuse_job(const std::vector<std::string>& prompts, CombineRule rule, int tokens = 12) {
  FuseJob job;
  for (const std::string& p : prompts) job.members.push_back({letters(p), 1.0});
  job.combiner.rule = rule;
  job.max_tokens = tokens;
  job.ignore_eos = true;
  job.sampling = {};
  job.sampling.temperature = 0;
  job.sampling.top_p = 1;
  return job;
}

Result<FuseResult> fused(EngineRig& rig, FuseJob job) {
  auto slot = rig.submit_as<FuseJob, FuseResult>(std::move(job));
  rig.run();
  EXPECT_TRUE(slot->has_value());
  return std::move(**slot);
}

std::vector<double> probabilities(const std::vector<TokenId>& tokens, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (const float x : logits_after(tokens)) p.push_back(std::exp((static_cast<double>(x) - 5) / temperature));
  for (const double v : p) sum += v;
  for (double& v : p) v /= sum;
  return p;
}

// Greedy, by ByteCombiner over the whole vocabulary.
struct Reference {
  std::vector<TokenId> ids;
  double logprob = 0;
  std::vector<double> member_logprobs, weights;
  StepSignals signals;
};
Reference reference(const FuseJob& job) {
  Reference out;
  ByteCombiner combiner = *ByteCombiner::create(job.combiner, job.members.size());
  out.member_logprobs.assign(job.members.size(), 0.0);
  for (int t = 0; t < job.max_tokens; ++t) {
    std::vector<std::vector<double>> rows;
    for (const auto& m : job.members) {
      std::vector<TokenId> tokens = m.prompt;
      tokens.insert(tokens.end(), out.ids.begin(), out.ids.end());
      rows.push_back(probabilities(tokens, m.temperature));
    }
    const std::vector<std::span<const double>> views(rows.begin(), rows.end());
    const auto p = combiner.combine(views);
    const bool roles = has_roles(job.combiner.rule);
    const std::vector<double> equal(rows.size(), 1 / static_cast<double>(rows.size()));
    out.signals += measure_step(p, views, roles ? equal : combiner.weights());
    const auto id = static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
    out.ids.push_back(static_cast<TokenId>(id));
    out.logprob += std::log(p[id]);
    std::vector<double> said;
    for (std::size_t m = 0; m < rows.size(); ++m) {
      said.push_back(std::log(rows[m][id]));
      out.member_logprobs[m] += said.back();
    }
    if (job.combiner.rule == CombineRule::kBayes) (void)combiner.observe(said);
  }
  out.weights = combiner.weights();
  out.signals = out.signals / job.max_tokens;
  return out;
}

TEST(FusedRun, FollowsTheCombinationForEveryPool) {
  for (const CombineRule rule : {CombineRule::kLinear, CombineRule::kLog, CombineRule::kBayes,
                                 CombineRule::kContrast, CombineRule::kProxy}) {
    EngineRig rig;
    std::vector<std::string> prompts = {"You are kind. What is it?", "You are stern. Say what it is"};
    if (rule != CombineRule::kContrast) prompts.emplace_back("You are kind. What?");
    FuseJob job = fuse_job(prompts, rule);
    if (rule < CombineRule::kContrast) job.members[1].temperature = 0.5;
    if (rule == CombineRule::kLinear) job.combiner.weights = {1, 2, 3};
    const Reference wanted = reference(job);
    const auto got = fused(rig, std::move(job));
    ASSERT_TRUE(got) << got.error().line();
    const auto name = std::string(combine_rule_name(rule));
    EXPECT_EQ(got->token_ids, wanted.ids) << name;
    EXPECT_NEAR(got->logprob_nats, wanted.logprob, 1e-3) << name;
    EXPECT_EQ(got->finish_reason, "length");
    EXPECT_EQ(got->steps, 12);
    for (std::size_t m = 0; m < prompts.size(); ++m) {
      EXPECT_NEAR(got->members[m].logprob_nats, wanted.member_logprobs[m], 1e-3) << name;
      EXPECT_NEAR(got->members[m].weight, wanted.weights[m], 1e-4) << name;
    }
    EXPECT_NEAR(got->signals.entropy, wanted.signals.entropy, 1e-4) << name;
    EXPECT_NEAR(got->signals.margin, wanted.signals.margin, 1e-4) << name;
    EXPECT_NEAR(got->signals.disagreement, wanted.signals.disagreement, 1e-4) << name;
    EXPECT_NEAR(got->signals.confidence, wanted.signals.confidence, 1e-4) << name;
  }
}

TEST(FusedRun, OneMemberWritesWhatItWritesAlone) {
  for (const double temperature : {0.0, 1.0}) {
    EngineRig rig;
    FuseJob job = fuse_job({"Tell me more"}, CombineRule::kLog, 20);
    job.sampling.temperature = temperature;
    job.sampling.seed = 5;
    GenerateJob alone = generate_job(letters("Tell me more"), 20, temperature, 5);
    alone.ignore_eos = true;
    alone.sampling.top_p = 1;
    const auto a = fused(rig, std::move(job));
    const auto b = rig.alone(std::move(alone));
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->token_ids, b->token_ids);
    EXPECT_EQ(a->text, b->text);
    EXPECT_NEAR(a->logprob_nats, b->logprob_nats, 1e-4);
  }
}

TEST(FusedRun, WhatPromptsShareIsComputedOnce) {
  EngineRig rig;
  const std::string system(200, 's');
  FuseJob job = fuse_job({system + "first", system + "second", system + "first"}, CombineRule::kLinear, 4);
  job.members[2].temperature = 2;  // the same prompt: the same sequence
  const auto got = fused(rig, std::move(job));
  ASSERT_TRUE(got) << got.error().line();
  EXPECT_EQ(rig.engine->stats().prefilled_tokens, 200u + 5 + 6);
  EXPECT_EQ(rig.engine->stats().decoded_tokens, 2u * 3);
  EXPECT_EQ(got->usage.prompt_tokens, 200 + 5 + 6);
  EXPECT_EQ(rig.engine->kv().stats().pages_shared, 0u);
  // Again: now the prefix tree has it, in whole pages.
  const auto again = fused(rig, fuse_job({system + "first", system + "third"}, CombineRule::kLinear, 4));
  ASSERT_TRUE(again);
  EXPECT_GE(again->usage.cached_tokens, 176);
}

TEST(FusedRun, NeighboursAndThreadsChangeNothing) {
  std::vector<std::vector<TokenId>> texts;
  for (const int threads : {1, 2}) {
    EngineRig rig({}, threads);
    FuseJob job = fuse_job({"one two", "one three"}, CombineRule::kBayes, 30);
    job.sampling.temperature = 1;
    job.sampling.seed = 9;
    auto slot = rig.submit_as<FuseJob, FuseResult>(std::move(job));
    auto other = rig.submit(generate_job(long_prompt(threads * 300, 3), 12));
    rig.run();
    ASSERT_TRUE(slot->has_value() && **slot);
    texts.push_back((**slot)->token_ids);
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(FusedRun, RefusesWhatCannotBe) {
  EngineRig rig;
  EXPECT_FALSE(fused(rig, fuse_job({}, CombineRule::kLinear)));
  EXPECT_FALSE(fused(rig, fuse_job({"a", "b", "c"}, CombineRule::kContrast)));
  FuseJob cold = fuse_job({"a", "b"}, CombineRule::kLinear);
  cold.members[1].temperature = 0;
  EXPECT_FALSE(fused(rig, std::move(cold)));
  FuseJob empty = fuse_job({"a", ""}, CombineRule::kLinear);
  EXPECT_FALSE(fused(rig, std::move(empty)));
  EXPECT_FALSE(fused(rig, fuse_job(std::vector<std::string>(17, "a"), CombineRule::kLinear)));
}

}  // namespace
}  // namespace consort::mock
