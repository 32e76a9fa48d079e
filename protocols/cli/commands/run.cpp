// consort run: runs a workflow, or goes on with a stored run.
#include <filesystem>

#include <fmt/format.h>

#include "protocols/cli/commands/commands.h"
#include "protocols/cli/commands/run_input.h"
#include "protocols/cli/commands/workflow_tools.h"
#include "protocols/cli/engine.h"
#include "protocols/cli/run_media.h"
#include "protocols/cli/trace_page.h"
#include "protocols/cli/write_file.h"
#include "protocols/json/problem_json.h"
#include "scheduler/blob/blob_store.h"
#include "scheduler/workflow/runner.h"

namespace consort {
namespace {

struct Flags {
  std::string file, input_file, run_id, resume, trace, report, stats;
  std::vector<std::string> inputs;
};

// Says on stderr which task runs; one line each, nothing with --quiet.
void narrate(CliContext& c, const RunEvent& event) {
  if (c.options.quiet || event.type != "task") return;
  const Value status = event.data.get("status"), kind = event.data.get("kind"),
              took = event.data.get("milliseconds");
  if (!status.is_string() || status.as_string() == "sent") return;
  // Steps that only move data are too quick to be worth a line each.
  if (kind.is_string() && !kind.as_string().starts_with("call") && status.as_string() == "finished") return;
  c.console.note(fmt::format("   {:<9} {:<36} {} {}", status.as_string(), event.task,
                             kind.is_string() ? kind.as_string() : "",
                             took.is_number() ? fmt::format("{:.0f} ms", took.as_number()) : ""));
}

Status write_side_files(const Flags& f, Engine& engine, const RunReport& report) {
  const Value trace = trace_to_value(report.trace);
  std::vector<std::string> pages;
  if (!f.report.empty()) pages.push_back(f.report);
  if (!f.trace.empty()) {
    CONSORT_CHECK_OK(write_file(f.trace, write_json_pretty(trace) + "\n"));
    pages.push_back(std::filesystem::path(f.trace).replace_extension(".html").string());
  }
  if (!pages.empty()) {
    const auto record = engine.journal().get(report.run_id);
    const Value input = record ? record->input : Value();
    const std::string page =
        trace_page(trace, report_to_value(report), input, run_media(input, engine.blobs()));
    for (const std::string& path : pages) CONSORT_CHECK_OK(write_file(path, page));
  }
  if (!f.stats.empty()) CONSORT_CHECK_OK(write_file(f.stats, write_json_pretty(engine.stats()) + "\n"));
  return {};
}

// The document to run: the named file, or with --resume alone the stored run's own document.
Result<LoadedWorkflow> document(const Flags& f, Engine& engine) {
  if (!f.file.empty()) return load_workflow(f.file, engine.call_kinds());
  CONSORT_TRY(record, engine.journal().get(f.resume));
  LoadedWorkflow loaded;
  auto parsed = Workflow::parse(record.document, *engine.call_kinds(), nullptr);
  loaded.workflow = parsed.workflow;
  loaded.findings = std::move(parsed.findings);
  return loaded;
}

Result<int> finish(CliContext& c, const Flags& f, Engine& engine, const RunReport& report) {
  CONSORT_CHECK_OK(write_side_files(f, engine, report));
  const bool completed = report.status == "completed";
  if (c.options.json) {
    c.console.json_line(report_to_value(report));
  } else if (completed) {
    c.console.line(report.output.is_string() ? report.output.as_string() : write_json_pretty(report.output));
  }
  c.console.note(fmt::format("[run {} {}, {} tasks, {} from the journal, seed {}]", report.run_id,
                             report.status, report.tasks, report.replayed, report.seed));
  if (completed) return 0;
  const Error error = report.problem ? error_of(*report.problem)
                                     : Error{ErrorKind::kRuntime, "the run ended as " + report.status};
  if (report.status == "interrupted")
    c.console.note("go on with: consort run " + f.file + (f.file.empty() ? "" : " ") + "--resume " +
                   report.run_id);
  if (c.options.json) return exit_status(error.kind);
  return tl::unexpected(error);
}

Result<int> run(CliContext& c, const Flags& f) {
  if (f.file.empty() && f.resume.empty())
    return fail(ErrorKind::kUsage, "no workflow document given", "consort run", "consort run WORKFLOW.json");
  if (!f.resume.empty() && (!f.inputs.empty() || !f.input_file.empty()))
    return fail(ErrorKind::kUsage, "a resumed run keeps its stored input", "--resume", "leave --input out");
  CONSORT_TRY(input, read_run_input(f.input_file, f.inputs));
  if (!f.file.empty()) {  // findings before anything is opened or loaded
    std::error_code ec;
    if (!std::filesystem::exists(f.file, ec))
      return fail(ErrorKind::kNotFound, "no such workflow document", f.file, "check the path");
  }
  CONSORT_TRY(engine, Engine::start(c, {.store = true}));
  CONSORT_TRY(loaded, document(f, *engine));
  if (loaded.workflow == nullptr) {
    if (!c.options.json)
      for (const Finding& finding : loaded.findings)
        c.console.note(f.file + "#" + finding.pointer + ": " + finding.kind + ": " + finding.message);
    return tl::unexpected(findings_error(loaded.findings, f.file));
  }
  // The run's record names the blobs of its input: they are kept first, so that it can be resumed.
  for (Blob& blob : input.blobs) CONSORT_CHECK_OK(engine->blobs().put(std::move(blob)));
  CONSORT_CHECK_OK(engine->blobs().keep_all(input.value));
  RunOptions options;
  options.run_id = f.resume.empty() ? f.run_id : f.resume;
  options.seed = c.options.seed;
  options.stop = c.stop.get_token();
  options.limits.value_bytes = c.options.value_bytes;
  options.on_event = [&c](const RunEvent& event) { narrate(c, event); };
  options.models = [&engine = *engine] { return engine.models().weights(); };
  Runner runner(engine->io().get_executor(), engine->call_kinds(), &engine->journal());
  CONSORT_TRY(report, f.resume.empty() ? engine->wait(runner.run(loaded.workflow, std::move(input.value),
                                                                 std::move(options)))
                                       : engine->wait(runner.resume(loaded.workflow, std::move(options))));
  return finish(c, f, *engine, report);
}

}  // namespace

void add_run(Command app, CliContext& c) {
  auto sub = app.add_subcommand("run", "run a workflow");
  auto f = std::make_shared<Flags>();
  sub.add_option("workflow", f->file, "workflow document (JSON)");
  sub.add_option("--input", f->inputs,
                 "KEY=VALUE (string), KEY:=JSON or KEY=@FILE (a blob); may stand several times");
  sub.add_option("--input-file", f->input_file, "the input as a JSON file");
  sub.add_option("--run-id", f->run_id, "id of the new run (default: made up)");
  sub.add_option("--resume", f->resume, "go on with this stored run");
  sub.add_option("--trace", f->trace, "write the trace as OUT.json and as OUT.html");
  sub.add_option("--report", f->report,
                 "write one page that shows the run: what went in, answer, members, notes, time line (HTML)");
  sub.add_option("--stats", f->stats, "write memory by owner and engine counters as JSON");
  sub.callback([&c, f] { c.action = [&c, f] { return run(c, *f); }; });
}

}  // namespace consort
