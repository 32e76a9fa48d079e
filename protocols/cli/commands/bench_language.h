// What the benches of language models share: a model behind the bus, one request at a time, and checks that
// nothing hides between the engine's clock and the caller's.
#pragma once

#include <memory>
#include <string>

#include "protocols/cli/commands/bench_tools.h"

namespace consort::bench {

struct LanguageRig {
  std::string model;
  Machine machine;
  Arithmetic arithmetic;
  std::unique_ptr<Engine> engine;
  ModelHandle handle;
  FreshPrompts prompts;
};

// The model of --model, or a small one. Errors: kNotFound says how to get it.
Result<LanguageRig> start_language(CliContext& c, const Flags& f);

// `wall_ms`: from the request to its answer.
Result<GenerateResult> generate_one(LanguageRig& rig, const GenerateRequest& request, double& wall_ms);

// The engine's clock must account for the caller's time. Errors: kRuntime.
Status check_clock(const Usage& usage, double wall_ms);

// The prompt twice: greedy decoding must repeat itself. Also warms what is loaded lazily. Errors: kRuntime.
Status check_repeats(LanguageRig& rig, const GenerateRequest& request);

// {name, model, threads, isa, rounds}.
Value::Object language_head(const char* name, const LanguageRig& rig, const Flags& f);

}  // namespace consort::bench
