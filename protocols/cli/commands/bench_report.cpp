// bench report: what this machine allows and what the engine makes of it, bench by bench, as a table, as JSON
// and as one HTML page with a plot of speed against rows.
#include <fmt/format.h>

#include "protocols/cli/commands/bench_page.h"
#include "protocols/cli/commands/bench_tools.h"
#include "protocols/cli/write_file.h"

namespace consort::bench {
namespace {

struct Part {
  const char* name;
  const char* model;  // empty: the bench has none
  Result<Value> (*run)(CliContext&, const Flags&);
};

constexpr const char* kGemma = "gemma-3-270m";
constexpr Part kParts[] = {
    {"decode", kTextModel, decode},
    {"decode", kGemma, decode},
    {"prefill", kTextModel, prefill},
    {"prefill", kGemma, prefill},
    {"rows", kTextModel, rows},
    {"rows", kGemma, rows},
    {"batch", kTextModel, batch},
    {"batch", kGemma, batch},
    {"embed", "all-minilm-l6-v2", embed},
    {"embed", "bge-small-en-v1.5", embed},
    {"rerank", "ms-marco-minilm-l12-v2", rerank},
    {"classify", "efficientnet-lite0", classify},
    {"classify", "magika", classify},
    {"memory", "", memory},
    {"steps", "", steps},
    {"bus", "", bus},
    {"load", kTextModel, load},
};

Result<Value> run_part(CliContext& c, const Flags& given, const Part& part) {
  Flags f = given;
  f.model = part.model;
  f.texts.clear();
  auto result = part.run(c, f);
  if (result || result.error().kind == ErrorKind::kCancelled) return result;
  if (result.error().kind != ErrorKind::kNotFound) return result;
  // A model that is not here leaves a gap in the report; it is no failure.
  return Value::object({{"name", part.name}, {"model", part.model}, {"skipped", result.error().line()}});
}

// The first entry behind the head is the figure: "tokens_per_s", "microseconds_per_step", ...
std::string figure_line(const Value& result) {
  if (result.get("skipped").is_string()) return "not measured: " + result.get("skipped").as_string();
  const Figure figure = figure_of(result);
  std::string line =
      fmt::format("{:>12.5g} {:<28} [{:.5g}, {:.5g}]", figure.value, figure.unit, figure.low, figure.high);
  if (figure.share > 0) line += fmt::format("  {:.0f} % of {}", 100 * figure.share, figure.bound);
  return line;
}

}  // namespace

Result<Value> report(CliContext& c, const Flags& f) {
  Machine machine = measure_machine(c);
  Value::Array results;
  std::size_t done = 0;
  for (const Part& part : kParts) {
    if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "the report was interrupted");
    c.console.note(fmt::format("[{} of {}] {} {}", ++done, std::size(kParts), part.name, part.model));
    CONSORT_TRY(result, run_part(c, f, part));
    if (!c.options.json)
      c.console.line(fmt::format("{:<9} {:<24} {}", part.name, part.model, figure_line(result)));
    results.push_back(std::move(result));
  }
  Value whole = Value::object({{"name", "report"},
                               {"threads", machine.threads},
                               {"isa", std::string(isa_name(machine.isa))},
                               {"rounds", f.rounds},
                               {"roof", roof_value(machine)},
                               {"benches", Value::array(std::move(results))}});
  if (!f.out.empty()) {
    CONSORT_CHECK_OK(write_file(f.out, report_page(whole)));
    c.console.note("the page is " + f.out);
  }
  return c.options.json ? whole : Value::object();  // the lines stand there already
}

}  // namespace consort::bench
