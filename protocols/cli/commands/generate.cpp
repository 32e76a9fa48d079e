// consort generate: text from one model.
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "memory/base/text.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/messages.h"
#include "protocols/cli/commands/model_files.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

struct Flags {
  std::string model, prompt, prompt_file, messages;
  int max_tokens = 256;
  SamplingOptions sampling;
  std::vector<std::string> stop, bias;
  bool ignore_eos = false, raw = false;
};

Status check(const Flags& f) {
  const int given = !f.prompt.empty() + !f.prompt_file.empty() + !f.messages.empty();
  if (given != 1)
    return fail(ErrorKind::kUsage, "give exactly one of --prompt, --prompt-file and --messages",
                "consort generate", "for example --prompt 'What is a fjord?'");
  const auto range = [](const char* flag, double v, double low, double high) -> Status {
    if (v >= low && v <= high) return {};
    return fail(ErrorKind::kUsage, "value out of range", flag,
                "use " + std::to_string(low) + " to " + std::to_string(high));
  };
  CONSORT_CHECK_OK(range("--max-tokens", f.max_tokens, 0, 1 << 20));
  CONSORT_CHECK_OK(range("--temperature", f.sampling.temperature, 0, 100));
  CONSORT_CHECK_OK(range("--top-k", f.sampling.top_k, 0, 1 << 30));
  CONSORT_CHECK_OK(range("--top-p", f.sampling.top_p, 0, 1));
  return range("--min-p", f.sampling.min_p, 0, 1);
}

Result<GenerateRequest> request_of(const Flags& f, std::uint64_t seed) {
  GenerateRequest r;
  r.logprobs = false;  // nothing of the output shows them
  if (!f.messages.empty()) {
    CONSORT_TRY(text, read_file(f.messages));
    CONSORT_TRY(json, parse_json(text, f.messages));
    CONSORT_TRY(messages, read_messages(json, f.messages + "#"));
    r.prompt.messages = std::move(messages);
  } else {
    std::string text = f.prompt;
    if (!f.prompt_file.empty()) {
      CONSORT_TRY(bytes, read_file(f.prompt_file));
      text = std::move(bytes);
    }
    if (f.raw) {
      r.prompt.text = std::move(text);
    } else {
      r.prompt.messages = {{"user", std::move(text)}};
    }
  }
  r.max_tokens = f.max_tokens;
  r.stop = f.stop;
  r.ignore_eos = f.ignore_eos;
  r.keep_partial = true;
  r.sampling = f.sampling;
  r.sampling.seed = seed;
  for (const std::string& b : f.bias) {
    int id = 0;
    float amount = 0;
    if (std::sscanf(b.c_str(), "%d:%f", &id, &amount) != 2)
      return fail(ErrorKind::kUsage, "'" + b + "' is not ID:BIAS", "--logit-bias",
                  "for example --logit-bias 42:-5");
    r.sampling.logit_bias.emplace_back(id, amount);
  }
  return r;
}

Value usage_value(const Usage& u) {
  return Value::object({{"prompt_tokens", u.prompt_tokens},
                        {"cached_tokens", u.cached_tokens},
                        {"completion_tokens", u.completion_tokens},
                        {"flop", u.flop},
                        {"bytes", u.bytes}});
}

boost::asio::awaitable<Result<GenerateResult>> generate(Engine& engine, std::string model,
                                                        GenerateRequest request, TextSink sink,
                                                        double& load_ms) {
  const auto start = std::chrono::steady_clock::now();
  auto handle = co_await engine.models().acquire(std::move(model), engine.request());
  if (!handle) co_return forward_error(handle);
  load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  co_return co_await handle->generate(std::move(request), engine.request(), std::move(sink));
}

void print(CliContext& c, const Flags& f, const GenerateResult& r, std::uint64_t seed, double load_ms,
           bool streamed) {
  if (!c.options.json) {
    bool replaced = false;
    c.console.line(streamed ? "" : to_utf8(r.text, replaced));
    c.console.note(fmt::format(
        "[{} prompt + {} new tokens, {}; load {:.0f} ms, prefill {:.0f} ms, decode {:.0f} ms{}]",
        r.usage.prompt_tokens, r.usage.completion_tokens, r.finish_reason, load_ms, r.usage.prefill_ms,
        r.usage.decode_ms, f.sampling.temperature > 0 ? fmt::format("; --seed {}", seed) : ""));
    return;
  }
  Value::Object members;
  append_text(members, r.text);
  Value::Array ids;
  for (TokenId id : r.token_ids) ids.emplace_back(static_cast<std::int64_t>(id));
  members.emplace_back("token_ids", Value::array(std::move(ids)));
  members.emplace_back("finish_reason", r.finish_reason);
  members.emplace_back("usage", usage_value(r.usage));
  members.emplace_back("timings", Value::object({{"load_ms", load_ms},
                                                 {"queue_ms", r.usage.queue_ms},
                                                 {"prefill_ms", r.usage.prefill_ms},
                                                 {"decode_ms", r.usage.decode_ms}}));
  members.emplace_back("seed", seed);
  c.console.result(Value::object(std::move(members)));
}

Result<int> run(CliContext& c, const Flags& f) {
  CONSORT_CHECK_OK(check(f));
  CONSORT_TRY(engine, Engine::start(c));
  const std::uint64_t seed = engine->seed();
  CONSORT_TRY(request, request_of(f, seed));
  double load_ms = 0;
  const bool stream = !c.options.json && c.console.terminal_out();
  TextSink sink;
  if (stream) sink = [&c](std::string_view text, const std::vector<TokenId>&) { c.console.out(text); };
  CONSORT_TRY(result, engine->wait(generate(*engine, f.model, std::move(request), sink, load_ms)));
  print(c, f, result, seed, load_ms, stream);
  if (result.finish_reason == "cancelled") return 130;
  return 0;
}

}  // namespace

void add_generate(Command app, CliContext& c) {
  auto sub = app.add_subcommand("generate", "text from one model");
  auto f = std::make_shared<Flags>();
  sub.add_option("--model", f->model, "model id or path").required();
  sub.add_option("--prompt", f->prompt, "prompt text (one user message, unless --raw)");
  sub.add_option("--prompt-file", f->prompt_file, "prompt bytes from a file, unchanged; - is standard input");
  sub.add_option("--messages", f->messages, "JSON file: [{\"role\", \"content\"}, ...]");
  sub.add_option("--max-tokens", f->max_tokens, "at most this many new tokens").show_default();
  sub.add_option("--temperature", f->sampling.temperature, "0 = greedy").show_default();
  sub.add_option("--top-k", f->sampling.top_k, "keep the K likeliest tokens (0 = all)").show_default();
  sub.add_option("--top-p", f->sampling.top_p, "keep the likeliest tokens of this mass").show_default();
  sub.add_option("--min-p", f->sampling.min_p, "drop tokens below this share of the likeliest")
      .show_default();
  sub.add_option("--repetition-penalty", f->sampling.repetition_penalty).show_default();
  sub.add_option("--presence-penalty", f->sampling.presence_penalty).show_default();
  sub.add_option("--frequency-penalty", f->sampling.frequency_penalty).show_default();
  sub.add_option("--logit-bias", f->bias, "ID:BIAS, may stand several times");
  sub.add_option("--stop", f->stop, "stop before this text; may stand several times");
  sub.add_flag("--ignore-eos", f->ignore_eos, "go on past the model's end tokens");
  sub.add_flag("--raw", f->raw,
               "no chat template; special-token text becomes tokens, BOS if the file says so");
  sub.callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
