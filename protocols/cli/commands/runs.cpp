// consort runs list | show | events | cancel: stored runs.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "protocols/cli/commands/commands.h"
#include "protocols/cli/engine.h"
#include "scheduler/value/digest.h"
#include "scheduler/workflow/journal.h"

namespace consort {
namespace {

struct Flags {
  std::string id;
  std::uint64_t after = 0;
};

Value record_value(const RunRecord& r) {
  Value::Object out{
      {"run_id", r.id}, {"status", r.status},         {"workflow", r.workflow},     {"hash", r.document_hash},
      {"seed", r.seed}, {"created_ms", r.created_ms}, {"updated_ms", r.updated_ms}, {"resumes", r.resumes}};
  if (!r.output.is_null()) out.emplace_back("output", r.output);
  if (r.status == "completed") out.emplace_back("output_digest", value_digest(r.output));
  if (!r.error.is_null()) out.emplace_back("error", r.error);
  if (!r.models.is_null()) out.emplace_back("models", r.models);
  if (!r.usage.is_null()) out.emplace_back("usage", r.usage);
  return Value::object(std::move(out));
}

Result<int> list(CliContext& c, const Flags&) {
  CONSORT_TRY(engine, Engine::start(c, {.store = true}));
  CONSORT_TRY(records, engine->journal().list());
  Value::Array rows;
  for (const RunRecord& r : records) rows.push_back(record_value(r));
  if (c.options.json) {
    c.console.json_line(Value::array(std::move(rows)));
    return 0;
  }
  for (const RunRecord& r : records)
    c.console.line(fmt::format("{:<28} {:<12} {:%Y-%m-%d %H:%M:%S}  {}", r.id, r.status,
                               fmt::gmtime(static_cast<std::time_t>(r.created_ms / 1000)), r.workflow));
  if (records.empty()) c.console.note("no runs are stored in " + c.options.data_dir);
  return 0;
}

Result<int> show(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c, {.store = true}));
  CONSORT_TRY(record, engine->journal().get(f.id));
  CONSORT_TRY(tasks, engine->journal().tasks(f.id));
  Value::Array steps;
  for (const auto& [path, task] : tasks)
    steps.push_back(Value::object({{"path", path},
                                   {"state", task.state},
                                   {"kind", task.kind},
                                   {"attempt", static_cast<std::int64_t>(task.attempt)},
                                   {"milliseconds", task.milliseconds},
                                   {"output", task.output},
                                   {"usage", task.usage}}));
  const Value out =
      record_value(record).with("input", record.input).with("steps", Value::array(std::move(steps)));
  c.console.line(c.options.json ? write_json(out) : write_json_pretty(out));
  return 0;
}

Result<int> events(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c, {.store = true}));
  CONSORT_TRY(record, engine->journal().get(f.id));
  constexpr std::size_t kPage = 1000;
  for (std::uint64_t after = f.after;;) {
    CONSORT_TRY(page, engine->journal().events(record.id, after, kPage));
    for (const RunEvent& event : page) c.console.json_line(event_to_value(event, record.id));
    if (page.size() < kPage) return 0;
    after = page.back().sequence_number;
  }
}

Result<int> cancel(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c, {.store = true}));
  CONSORT_CHECK_OK(engine->journal().cancel(f.id));
  if (c.options.json) c.console.result(Value::object({{"run_id", f.id}, {"status", "cancelled"}}));
  c.console.note("run " + f.id + " is cancelled");
  return 0;
}

}  // namespace

void add_runs(Command app, CliContext& c) {
  auto group = app.add_subcommand("runs", "stored runs: list | show | events | cancel");
  group.require_subcommand();
  auto f = std::make_shared<Flags>();
  const auto add = [&](const char* name, const char* text, bool id, auto act) {
    auto sub = group.add_subcommand(name, text);
    if (id) sub.add_option("id", f->id, "run id").required();
    sub.callback([&c, f, act] { c.action = [&c, f, act] { return act(c, *f); }; });
    return sub;
  };
  add("list", "every stored run, newest first", false, list);
  add("show", "one run with its tasks", true, show);
  add("events", "the run's events as JSON Lines", true, events)
      .add_option("--after", f->after, "only events after this number");
  add("cancel", "mark a stopped run as cancelled, for good", true, cancel);
}

}  // namespace consort
