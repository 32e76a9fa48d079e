// bench prefill | decode | batch: a language model through the bus, as agents call it.
#include <algorithm>

#include <fmt/format.h>

#include "protocols/cli/commands/bench_language.h"

namespace consort::bench {

Result<Value> prefill(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start_language(c, f));
  CONSORT_CHECK_OK(check_repeats(rig, plain_request(rig.prompts.next(f.prompt_tokens), 1)));
  Progress progress(c.console, "prefill", "rounds");
  std::vector<double> rates, walls;
  double best_ms = 0, flop = 0, bytes = 0;
  for (int round = 0; round < f.rounds; ++round) {
    double wall = 0;
    CONSORT_TRY(answer, generate_one(rig, plain_request(rig.prompts.next(f.prompt_tokens), 1), wall));
    CONSORT_CHECK_OK(check_clock(answer.usage, wall));
    rates.push_back(f.prompt_tokens / answer.usage.prefill_ms * 1000);
    walls.push_back(wall);
    if (best_ms == 0 || answer.usage.prefill_ms < best_ms) best_ms = answer.usage.prefill_ms;
    flop = answer.usage.flop;
    bytes = answer.usage.bytes;
    progress.update(static_cast<std::uint64_t>(round) + 1, static_cast<std::uint64_t>(f.rounds));
  }
  progress.finish();
  Value::Object out = language_head("prefill", rig, f);
  append_samples(out, "tokens_per_s", rates);
  out.emplace_back("prompt_tokens", f.prompt_tokens);
  out.emplace_back("request_ms", *std::min_element(walls.begin(), walls.end()));
  out.emplace_back("roof", roof_share(rig.machine, {bytes, flop, rig.arithmetic}, best_ms / 1000));
  return Value::object(std::move(out));
}

namespace {

// Tokens per second of the decode phase. One sequence: by the engine's clock, checked against the caller's.
// Several: the difference of two runs over the same prompts, one of them for one token only, because their
// prefills overlap each other's decoding.
Result<double> decode_round(LanguageRig& rig, const Flags& f) {
  std::vector<GenerateRequest> requests, short_requests;
  for (int i = 0; i < f.sequences; ++i) {
    requests.push_back(plain_request(rig.prompts.next(f.prompt_tokens), f.tokens));
    short_requests.push_back(requests.back());
    short_requests.back().max_tokens = 1;
  }
  double wall = 0, short_wall = 0;
  if (f.sequences > 1) CONSORT_CHECK_OK(generate_all(*rig.engine, rig.handle, short_requests, short_wall));
  CONSORT_TRY(answers, generate_all(*rig.engine, rig.handle, requests, wall));
  if (f.sequences == 1) {
    CONSORT_CHECK_OK(check_clock(answers[0].usage, wall));
    return (f.tokens - 1) / answers[0].usage.decode_ms * 1000;
  }
  return f.sequences * (f.tokens - 1) / std::max(wall - short_wall, 1e-3) * 1000;
}

}  // namespace

Result<Value> decode(CliContext& c, const Flags& f) {
  if (f.tokens < 2) return fail(ErrorKind::kUsage, "decode needs at least 2 tokens", "--tokens");
  CONSORT_TRY(rig, start_language(c, f));
  CONSORT_CHECK_OK(check_repeats(rig, plain_request(rig.prompts.next(32), 8)));
  Progress progress(c.console, "decode", "rounds");
  std::vector<double> rates;
  for (int round = 0; round < f.rounds; ++round) {
    CONSORT_TRY(rate, decode_round(rig, f));
    rates.push_back(rate);
    progress.update(static_cast<std::uint64_t>(round) + 1, static_cast<std::uint64_t>(f.rounds));
  }
  progress.finish();
  // Cost of the decode phase alone: the same prompt with one and with all tokens.
  double wall = 0;
  const auto ids = rig.prompts.next(f.prompt_tokens);
  CONSORT_TRY(whole, generate_one(rig, plain_request(ids, f.tokens), wall));
  CONSORT_TRY(first, generate_one(rig, plain_request(ids, 1), wall));
  const double per_token = 1.0 / (f.tokens - 1);
  Value::Object out = language_head("decode", rig, f);
  append_samples(out, "tokens_per_s", rates);
  out.emplace_back("prompt_tokens", f.prompt_tokens);
  out.emplace_back("tokens", f.tokens);
  out.emplace_back("sequences", f.sequences);
  const double best = *std::max_element(rates.begin(), rates.end());
  // Weights are read once a step for all sequences: bytes stay those of one sequence.
  out.emplace_back("roof", roof_share(rig.machine,
                                      {(whole.usage.bytes - first.usage.bytes) * per_token / f.sequences,
                                       (whole.usage.flop - first.usage.flop) * per_token, rig.arithmetic},
                                      1 / best));
  return Value::object(std::move(out));
}

namespace {

struct BatchRound {
  double together = 0, alone = 0;  // tokens per second
  double seconds = 0;              // together
  Work work;                       // weights read once for all
};

Result<BatchRound> batch_round(LanguageRig& rig, int sequences, int prompt_tokens, int tokens) {
  std::vector<GenerateRequest> requests;
  for (int i = 0; i < sequences; ++i)
    requests.push_back(plain_request(rig.prompts.next(prompt_tokens), tokens));
  double together_ms = 0, alone_ms = 0;
  Work work{0, 0, rig.arithmetic};
  CONSORT_TRY(together, generate_all(*rig.engine, rig.handle, requests, together_ms));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    double wall = 0;
    work.bytes = std::max(work.bytes, together[i].usage.bytes);
    work.flop += together[i].usage.flop;
    CONSORT_TRY(alone, generate_one(rig, requests[i], wall));
    alone_ms += wall;
    if (alone.text != together[i].text || alone.token_ids != together[i].token_ids)
      return fail(ErrorKind::kRuntime,
                  fmt::format("request {} was answered otherwise in company than alone", i), "bench batch");
  }
  const double all = static_cast<double>(sequences) * tokens * 1000;
  return BatchRound{all / together_ms, all / alone_ms, together_ms / 1000, work};
}

}  // namespace

Result<Value> batch(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start_language(c, f));
  const int sequences = f.sequences_given ? f.sequences : 8;
  const int prompt_tokens = f.prompt_given ? f.prompt_tokens : 64, tokens = f.tokens_given ? f.tokens : 64;
  CONSORT_CHECK_OK(check_repeats(rig, plain_request(rig.prompts.next(32), 8)));
  Progress progress(c.console, "batch", "rounds");
  std::vector<double> together, alone, ratios;
  BatchRound best;
  for (int round = 0; round < f.rounds; ++round) {
    CONSORT_TRY(r, batch_round(rig, sequences, prompt_tokens, tokens));
    together.push_back(r.together);
    alone.push_back(r.alone);
    ratios.push_back(r.together / r.alone);
    if (r.together > best.together) best = r;
    progress.update(static_cast<std::uint64_t>(round) + 1, static_cast<std::uint64_t>(f.rounds));
  }
  progress.finish();
  Value::Object out = language_head("batch", rig, f), alone_out, ratio_out;
  append_samples(out, "tokens_per_s", together);
  append_samples(alone_out, "tokens_per_s", alone);
  append_samples(ratio_out, "ratio", ratios);
  out.emplace_back("sequences", sequences);
  out.emplace_back("prompt_tokens", prompt_tokens);
  out.emplace_back("tokens", tokens);
  out.emplace_back("alone", Value::object(std::move(alone_out)));
  out.emplace_back("ratio", ratio_out.front().second);
  out.emplace_back("texts_equal", true);
  out.emplace_back("roof", roof_share(rig.machine, best.work, best.seconds));
  return Value::object(std::move(out));
}

}  // namespace consort::bench
