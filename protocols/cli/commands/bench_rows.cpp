// bench rows: tokens per second against the rows of a step, from one to --prompt-tokens: prompts of so many
// tokens, and so many sequences that decode together. A size that is slower than a smaller one is a cliff.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "protocols/cli/commands/bench_language.h"

namespace consort::bench {
namespace {

constexpr int kMostSequences = 32;  // beyond, a step's rows are a prompt's
constexpr int kShortPrompt = 16, kNewTokens = 24;

// 1, 2, 3, 4, 6, 8, 12, 16, 24 ... up to `most`, and `most`. Every size around the switches between kernels
// lies near one of them: few rows straight from the packed weights, panels, many rows.
std::vector<int> sizes_up_to(int most) {
  std::vector<int> sizes{1};
  for (int power = 2; power <= most; power *= 2) {
    sizes.push_back(power);
    if (power + power / 2 <= most) sizes.push_back(power + power / 2);
  }
  if (sizes.back() != most) sizes.push_back(most);
  return sizes;
}

struct Rates {
  int rows = 0;
  std::vector<double> tokens_per_s;  // a round each
  Work work;                         // of the last round; its seconds are rows / rate
  double best() const { return *std::max_element(tokens_per_s.begin(), tokens_per_s.end()); }
};

Status prompt_round(LanguageRig& rig, Rates& at) {
  double wall = 0;
  CONSORT_TRY(answer, generate_one(rig, plain_request(rig.prompts.next(at.rows), 1), wall));
  at.tokens_per_s.push_back(at.rows / answer.usage.prefill_ms * 1000);
  at.work = {answer.usage.bytes, answer.usage.flop, rig.arithmetic};
  return {};
}

// Two runs over the same prompts, one of them for one token only: the difference is decoding.
Status sequences_round(LanguageRig& rig, Rates& at) {
  std::vector<GenerateRequest> whole, first;
  for (int i = 0; i < at.rows; ++i) {
    whole.push_back(plain_request(rig.prompts.next(kShortPrompt), kNewTokens));
    first.push_back(whole.back());
    first.back().max_tokens = 1;
  }
  double wall = 0, first_wall = 0;
  CONSORT_TRY(begun, generate_all(*rig.engine, rig.handle, first, first_wall));
  CONSORT_TRY(done, generate_all(*rig.engine, rig.handle, whole, wall));
  const double seconds = std::max(wall - first_wall, 1e-3) / 1000;
  at.tokens_per_s.push_back(at.rows * (kNewTokens - 1) / seconds);
  at.work = {(done[0].usage.bytes - begun[0].usage.bytes) / (kNewTokens - 1),
             (done[0].usage.flop - begun[0].usage.flop) / (kNewTokens - 1) * at.rows, rig.arithmetic};
  return {};
}

// {rows, tokens_per_s, min, max, bound, share} of each size, and the worst step from a smaller size to a
// larger one: its rate over the best of the smaller ones.
Value series(const Machine& machine, const std::vector<Rates>& all, double& worst) {
  Value::Array out;
  double best_before = 0;
  worst = 1;
  for (const Rates& r : all) {
    Value::Object row{{"rows", r.rows}};
    append_samples(row, "tokens_per_s", r.tokens_per_s);
    const double median = row[1].second.as_number();
    if (best_before > 0) worst = std::min(worst, median / best_before);
    best_before = std::max(best_before, median);
    const Value share = roof_share(machine, r.work, r.rows / r.best());
    row.emplace_back("bound", share.get("bound"));
    row.emplace_back("share", share.get("share"));
    out.push_back(Value::object(std::move(row)));
  }
  return Value::array(std::move(out));
}

Result<std::vector<Rates>> measure(CliContext& c, const Flags& f, LanguageRig& rig, const char* what,
                                   int most, Status (*round)(LanguageRig&, Rates&)) {
  std::vector<Rates> all;
  for (const int rows : sizes_up_to(most)) all.push_back({rows, {}, {}});
  Progress progress(c.console, what, "sizes");
  // Rounds are outer: a busy neighbour slows all sizes, not one.
  const auto total = all.size() * static_cast<std::uint64_t>(f.rounds);
  std::uint64_t done = 0;
  for (int i = 0; i < f.rounds; ++i)
    for (Rates& at : all) {
      CONSORT_CHECK_OK(round(rig, at));
      progress.update(++done, total);
    }
  progress.finish();
  return all;
}

}  // namespace

Result<Value> rows(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start_language(c, f));
  CONSORT_CHECK_OK(check_repeats(rig, plain_request(rig.prompts.next(kShortPrompt), 8)));
  const int most = f.sequences_given ? f.sequences : std::min(kMostSequences, f.prompt_tokens);
  CONSORT_TRY(prompts, measure(c, f, rig, "prompts", f.prompt_tokens, prompt_round));
  CONSORT_TRY(sequences, measure(c, f, rig, "sequences", most, sequences_round));
  double worst_prompt = 1, worst_sequences = 1;
  Value prompt_rows = series(rig.machine, prompts, worst_prompt);
  Value sequence_rows = series(rig.machine, sequences, worst_sequences);
  Value::Object out = language_head("rows", rig, f);
  append_samples(out, "tokens_per_s", prompts.back().tokens_per_s);
  out.emplace_back("worst_step", Value::object({{"prompts", worst_prompt}, {"sequences", worst_sequences}}));
  out.emplace_back("prompts", std::move(prompt_rows));
  out.emplace_back("sequences", std::move(sequence_rows));
  out.emplace_back("roof",
                   roof_share(rig.machine, prompts.back().work, prompts.back().rows / prompts.back().best()));
  return Value::object(std::move(out));
}

}  // namespace consort::bench
