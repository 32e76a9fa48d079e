// What the benches share: their options, the shape of their results, fresh prompts, requests side by side.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu/roof.h"
#include "models/tokenizer/tokenizer.h"
#include "protocols/cli/context.h"
#include "protocols/cli/engine.h"
#include "scheduler/host/requests.h"

namespace consort::bench {

// Of the benches that need some language model and are given none.
inline constexpr const char* kTextModel = "smollm2-135m-instruct";

struct Flags {
  std::string model;  // empty: the bench's default
  std::string texts;  // embed, rerank: a file of texts, one a line; empty: made ones
  std::string out;    // report: the page
  int prompt_tokens = 512, tokens = 96, sequences = 1, rounds = 5;
  int items = 10000;  // gaps: texts to embed and ingest
  bool tokens_given = false, prompt_given = false, sequences_given = false;
};

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start);

// {unit: median, "min", "max"} of the rounds, as members of a result. REQUIRES: at least one sample.
void append_samples(Value::Object& result, const std::string& unit, std::vector<double> samples);

struct Machine {
  Isa isa;
  int threads;
  Roof roof;
};
// Measures the roof; call before the engine starts its threads.
Machine measure_machine(const CliContext& c);
Value roof_value(const Machine& machine);

// What bounds a piece of work: bytes from memory, or multiply-adds of a kind.
enum class Arithmetic { kFloat32, kBfloat16, kInt16, kInt8 };
struct Work {
  double bytes = 0;  // read from memory
  double flop = 0;   // a multiply-add counts two
  Arithmetic arithmetic = Arithmetic::kFloat32;
};
// roof_value with what `work` in `seconds` made of it: "attained_gbs", "attained_gflops", "bound" ("memory",
// "int16", ...: what the machine needs longer for) and "share" (the least seconds that its measured rates
// allow, memory and arithmetic in full overlap, over those taken).
Value roof_share(const Machine& machine, const Work& work, double seconds);

// What the model's products are made of, by the types of its tensors and --precision.
Result<Arithmetic> arithmetic_of(const CliContext& c, const std::string& model);

// Prompts that no earlier request had: ids drawn from the model's vocabulary, the same for the same seed.
class FreshPrompts {
 public:
  FreshPrompts(int vocabulary, std::uint64_t seed);
  std::vector<TokenId> next(int tokens);

 private:
  std::uint64_t state_;
  TokenId first_, span_;
};

// Greedy, ignores end tokens, computes every prompt token.
GenerateRequest plain_request(std::vector<TokenId> ids, int max_tokens);

// Checks one answer: `tokens` new tokens, nothing from the prefix cache. Errors: kRuntime.
Status check_answer(const GenerateRequest& request, const GenerateResult& answer);

// All requests at once; the answers in their order. `wall_ms`: from the first request to the last answer.
Result<std::vector<GenerateResult>> generate_all(Engine& engine, const ModelHandle& model,
                                                 const std::vector<GenerateRequest>& requests,
                                                 double& wall_ms);

// Prints the result: JSON with --json, otherwise a table of its numbers.
void print_result(CliContext& c, const Value& result);

Result<Value> prefill(CliContext& c, const Flags& f);
Result<Value> decode(CliContext& c, const Flags& f);
Result<Value> rows(CliContext& c, const Flags& f);
Result<Value> batch(CliContext& c, const Flags& f);
Result<Value> mixture(CliContext& c, const Flags& f);
Result<Value> kernels(CliContext& c, const Flags& f);
Result<Value> embed(CliContext& c, const Flags& f);
Result<Value> classify(CliContext& c, const Flags& f);
Result<Value> rerank(CliContext& c, const Flags& f);
Result<Value> steps(CliContext& c, const Flags& f);
Result<Value> bus(CliContext& c, const Flags& f);
Result<Value> load(CliContext& c, const Flags& f);
Result<Value> memory(CliContext& c, const Flags& f);
Result<Value> report(CliContext& c, const Flags& f);
Result<Value> gaps(CliContext& c, const Flags& f);

}  // namespace consort::bench
