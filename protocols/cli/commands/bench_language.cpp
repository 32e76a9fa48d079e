#include "protocols/cli/commands/bench_language.h"

#include <fmt/format.h>

#include "protocols/cli/commands/model_files.h"

namespace consort::bench {

Result<LanguageRig> start_language(CliContext& c, const Flags& f) {
  const std::string model = f.model.empty() ? kTextModel : f.model;
  CONSORT_TRY(files, open_text_model(c, model));
  const int vocabulary = files.tokenizer->vocab_size();
  CONSORT_TRY(arithmetic, arithmetic_of(c, model));
  const Machine machine = measure_machine(c);
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(handle, engine->acquire(model));
  const std::uint64_t seed = c.options.seed.value_or(1);
  return LanguageRig{
      model, machine, arithmetic, std::move(engine), std::move(handle), FreshPrompts(vocabulary, seed)};
}

Result<GenerateResult> generate_one(LanguageRig& rig, const GenerateRequest& request, double& wall_ms) {
  CONSORT_TRY(answers, generate_all(*rig.engine, rig.handle, {request}, wall_ms));
  return std::move(answers.front());
}

// Nothing may hide between the phases. 20 ms and a fifth are left for the bus and for a busy machine.
Status check_clock(const Usage& u, double wall_ms) {
  const double told = u.queue_ms + u.prefill_ms + u.decode_ms;
  if (told > 0.8 * wall_ms - 20 && told < wall_ms + 20) return {};
  return fail(ErrorKind::kRuntime, fmt::format("the engine accounts for {:.1f} of {:.1f} ms", told, wall_ms),
              "bench");
}

Status check_repeats(LanguageRig& rig, const GenerateRequest& request) {
  double wall = 0;
  CONSORT_TRY(first, generate_one(rig, request, wall));
  CONSORT_TRY(again, generate_one(rig, request, wall));
  if (first.token_ids == again.token_ids) return {};
  return fail(ErrorKind::kRuntime, "the same prompt gave two different answers", "bench");
}

Value::Object language_head(const char* name, const LanguageRig& rig, const Flags& f) {
  return {{"name", name},
          {"model", rig.model},
          {"threads", rig.machine.threads},
          {"isa", std::string(isa_name(rig.machine.isa))},
          {"rounds", f.rounds}};
}

}  // namespace consort::bench
