#include "protocols/cli/probe/apply.h"

#include <algorithm>
#include <utility>

#include "agents/calls/probe/probing.h"
#include "protocols/cli/commands/item_input.h"
#include "protocols/cli/commands/item_lines.h"
#include "protocols/cli/engine.h"
#include "protocols/cli/probe/examples.h"
#include "protocols/cli/probe/report.h"

namespace consort {
namespace {

Result<ItemAnswers> predict(Engine& engine, const ProbeFile& file, std::vector<ModelInput> items) {
  const std::size_t count = items.size();
  CONSORT_TRY(rows, engine.wait(probe_call::embed_for_probe(engine.models(), file, std::move(items),
                                                            engine.request())));
  ItemAnswers answers;
  for (std::size_t i = 0; i < count; ++i) {
    if (const Error* error = rows.error_of(i)) {
      answers.push_back(tl::unexpected<Error>(*error));
      continue;
    }
    auto value = probe_call::predictions_value(file, rows.rows[i]);
    if (value && rows.truncated[i]) *value = value->with("truncated", true);
    answers.push_back(std::move(value));
  }
  return answers;
}

// {"row": n, ...} for each row of a table.
Result<int> apply_to_table(CliContext& c, Engine& engine, const ProbeFile& file, const ProbeApplyFlags& f) {
  CONSORT_TRY(table, read_data_table(f.data));
  CONSORT_CHECK_OK(table.check_column(f.input));
  const ItemColumn items{f.input, f.as.empty() ? file.input_kind : f.as};
  int status = 0;
  for (std::size_t first = 0; first < table.rows.size(); first += kBlockItems) {
    if (c.stop.stop_requested()) return fail(ErrorKind::kCancelled, "interrupted", f.data);
    const std::size_t end = std::min(first + kBlockItems, table.rows.size());
    std::vector<Result<ModelInput>> block;
    for (std::size_t row = first; row < end; ++row) block.push_back(table_item(table, row, items));
    ItemAnswers answers;
    if (std::vector<ModelInput> inputs = items_of(block); !inputs.empty()) {
      CONSORT_TRY(given, predict(engine, file, std::move(inputs)));
      answers = std::move(given);
    }
    print_block(c, block, std::move(answers), status, [first](std::size_t place) {
      return Value::Object{{"row", first + place + 1}};
    });
  }
  return status;
}

}  // namespace

Result<int> run_probe_apply(CliContext& c, const ProbeApplyFlags& f) {
  CONSORT_TRY(file, load_probes(f.probe));
  CONSORT_TRY(engine, Engine::start(c));
  for (const ProbeEncoder& encoder : file.encoders)  // a missing model fails the command, not every line
    CONSORT_CHECK_OK(engine->acquire(encoder.model));
  if (!f.data.empty()) return apply_to_table(c, *engine, file, f);
  return answer_lines<ModelInput>(c, read_item, [&](std::vector<ModelInput> items) -> Result<ItemAnswers> {
    return predict(*engine, file, std::move(items));
  });
}

Result<int> run_probe_show(CliContext& c, const std::string& path) {
  CONSORT_TRY(file, load_probes(path));
  Value report;
  if (!file.report.empty()) {
    CONSORT_TRY(parsed, parse_json(file.report, path + ", report"));
    report = std::move(parsed);
  }
  if (!c.options.json && c.console.terminal_out()) {
    c.console.out(probe_report_text(file, report));
    return 0;
  }
  Value::Array models, heads;
  for (const ProbeEncoder& e : file.encoders)
    models.push_back(Value::object({{"model", e.model}, {"digest", e.digest}, {"dimension", e.dimension}}));
  for (const Probe& head : file.heads) {
    Value::Array labels;
    for (const std::string& label : head.labels) labels.emplace_back(label);
    heads.push_back(Value::object({{"target", head.target},
                                   {"kind", head.kind == ProbeKind::kRidge ? "ridge" : "logistic"},
                                   {"penalty", head.penalty},
                                   {"labels", Value::array(std::move(labels))}}));
  }
  c.console.result(Value::object({{"file", path},
                                  {"models", Value::array(std::move(models))},
                                  {"level", file.level},
                                  {"input", file.input_kind},
                                  {"input_type", file.input_type},
                                  {"length", file.unit_length ? "unit" : "own"},
                                  {"heads", Value::array(std::move(heads))},
                                  {"report", report}}));
  return 0;
}

}  // namespace consort
