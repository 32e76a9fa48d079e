// consort score: negative log-likelihood of a text file.
#include <cmath>

#include <fmt/format.h>

#include "protocols/cli/commands/commands.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

struct Flags {
  std::string model, file;
  int context = 0;
};

boost::asio::awaitable<Result<ScoreTextResult>> score(Engine& engine, std::string model,
                                                      ScoreTextRequest request) {
  auto handle = co_await engine.models().acquire(std::move(model), engine.request());
  if (!handle) co_return forward_error(handle);
  co_return co_await handle->score_text(std::move(request), engine.request());
}

Result<int> run(CliContext& c, const Flags& f) {
  CONSORT_TRY(text, read_file(f.file));
  CONSORT_TRY(engine, Engine::start(c));
  CONSORT_TRY(r, engine->wait(score(*engine, f.model, {std::move(text), f.context})));
  const double bits = r.bytes == 0 ? 0.0 : r.nll_nats / std::log(2.0) / static_cast<double>(r.bytes);
  if (c.options.json) {
    c.console.result(Value::object({{"tokens", r.tokens},
                                    {"scored_tokens", r.scored_tokens},
                                    {"nll_nats", r.nll_nats},
                                    {"bytes", r.bytes},
                                    {"file_bytes", r.file_bytes},
                                    {"bits_per_byte", bits}}));
  } else {
    c.console.line(fmt::format("{:.4f} bits per byte ({} of {} tokens scored, {:.3f} nats, {} bytes)", bits,
                               r.scored_tokens, r.tokens, r.nll_nats, r.bytes));
  }
  return 0;
}

}  // namespace

void add_score(Command app, CliContext& c) {
  auto sub = app.add_subcommand("score", "negative log-likelihood and bits per byte of a text file");
  auto f = std::make_shared<Flags>();
  sub.add_option("--model", f->model, "model id or path").required();
  sub.add_option("--file", f->file, "text file; - is standard input").required();
  sub.add_option("--context", f->context, "tokens in a chunk, BOS included (default: the model's context)")
      .in_range(2, 1 << 20);
  sub.callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
