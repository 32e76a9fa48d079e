// consort bench NAME: engine benchmarks. Each checks what it measured; a wrong result is an error (exit 5).
#include "protocols/cli/commands/bench_tools.h"
#include "protocols/cli/commands/commands.h"

namespace consort {
namespace {

struct Bench {
  const char* name;
  const char* text;
  Result<Value> (*run)(CliContext&, const bench::Flags&);
};

constexpr Bench kBenches[] = {
    {"prefill", "prompt tokens per second of one request", bench::prefill},
    {"decode", "new tokens per second, all --sequences together", bench::decode},
    {"rows",
     "tokens per second against the rows of a step: prompts of 1 to --prompt-tokens, sequences at once",
     bench::rows},
    {"batch", "8 requests at once against one after the other; their texts must be equal", bench::batch},
    {"mixture", "one text by several models (--model A,B), byte by byte, against one after the other",
     bench::mixture},
    {"embed", "texts, graphs or images per second of an encoder", bench::embed},
    {"classify", "images, files or graphs per second of a classifier", bench::classify},
    {"rerank", "pairs of texts per second of a reranker", bench::rerank},
    {"kernels", "each op on this machine's shapes against the measured roof", bench::kernels},
    {"steps", "microseconds of a workflow's step", bench::steps},
    {"bus", "messages per second and round trips over the bus", bench::bus},
    {"load", "start of the program to the first token", bench::load},
    {"memory", "queries per second of the retrieval memory", bench::memory},
    {"gaps", "pauses between the tokens of a conversation while texts are embedded and ingested", bench::gaps},
    {"report", "all of these, with what the machine allows, as one page (--out FILE.html)", bench::report},
};

}  // namespace

void add_bench(Command app, CliContext& c) {
  auto group = app.add_subcommand(
      "bench",
      "engine benchmarks: prefill | decode | rows | batch | mixture | embed | classify | rerank "
      "| kernels | steps | bus | load | memory | gaps | report");
  group.require_subcommand();
  auto f = std::make_shared<bench::Flags>();
  for (const Bench& one : kBenches) {
    auto sub = group.add_subcommand(one.name, one.text);
    sub.add_option("--model", f->model, "model id or path");
    sub.add_option("--texts", f->texts, "embed, rerank: a file of texts, one a line").existing_file();
    sub.add_option("--out", f->out, "report: the HTML page to write");
    auto prompt = sub.add_option("--prompt-tokens", f->prompt_tokens, "tokens of each prompt")
                      .in_range(1, 1 << 17)
                      .show_default();
    auto tokens = sub.add_option("--tokens", f->tokens, "new tokens of each request")
                      .in_range(1, 1 << 17)
                      .show_default();
    auto sequences =
        sub.add_option("--sequences", f->sequences, "requests at once").in_range(1, 256).show_default();
    sub.add_option("--items", f->items, "gaps: texts to embed and ingest, over all rounds")
        .in_range(1, 1'000'000)
        .show_default();
    sub.add_option("--rounds", f->rounds, "measurements; the median is reported")
        .in_range(1, 1000)
        .show_default();
    sub.callback([&c, f, one, prompt, tokens, sequences] {
      f->prompt_given = prompt.given();
      f->tokens_given = tokens.given();
      f->sequences_given = sequences.given();
      c.action = [&c, f, one]() -> Result<int> {
        CONSORT_TRY(result, one.run(c, *f));
        bench::print_result(c, result);
        return 0;
      };
    });
  }
}

}  // namespace consort
