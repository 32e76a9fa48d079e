// The process that resume_kill_test kills: runs or resumes one run in a store and notes every call it makes.
//   resume_victim STORE NOTES RUN_ID
// NOTES gets "ready", "done KEY" for every call found committed at the start (finished, or failed and
// tolerated, caught or tried again) and "call KEY" for every call made (append only, one write each).
// Standard output gets {output, effects, gapless} once the run is completed.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include <boost/asio/detached.hpp>

#include "scheduler/workflow/runner_test_support.h"

namespace consort::test {
namespace {

constexpr const char* kTasks = R"([
  {"begin": {"set": {"n": 0}}},
  {"side": {"fork": {"branches": [
    {"list": {"for": {"each": "x", "in": "${ [range(12)] }"}, "do": [
      {"act": {"call": "note", "with": {"key": "list-${ $x }", "sleepMs": 1},
               "export": {"as": {"seen": ["${ .key }"]}}}},
      {"odd": {"switch": [{"yes": {"when": "${ $x % 2 == 1 }", "then": "more"}}, {"no": {"then": "exit"}}]}},
      {"more": {"call": "note", "with": {"key": "odd-${ $x }"}}}]}},
    {"wide": {"for": {"in": "${ [range(16)] }", "maxConcurrency": 4}, "do": [
      {"act": {"call": "note", "with": {"key": "wide-${ $item }", "sleepMs": "${ $item % 3 }"},
               "export": {"as": {"sum": "${ $item }"}}}}]}},
    {"count": {"for": {}, "while": "${ .n < 10 }", "limit": 10, "do": [
      {"act": {"call": "note", "with": {"key": "count-${ .n }", "n": "${ .n + 1 }"}}}]}},
    {"caught": {"try": [{"bad": {"call": "note", "with": {"key": "bad", "fail": true}}}],
                "catch": {"do": [{"mend": {"call": "note", "with": {"key": "mend"}}}]}}},
    {"tolerant": {"for": {"in": "${ [range(6)] }", "toleratedFailureCount": 3}, "do": [
      {"act": {"call": "note", "with": {"key": "tolerant-${ $item }", "fail": "${ $item % 2 == 1 }"}}}]}},
    {"most": {"fork": {"quorum": 1, "branches": [
      {"lost": {"call": "note", "with": {"key": "lost", "fail": true}}},
      {"kept": {"call": "note", "with": {"key": "kept", "sleepMs": 2}}}]}}},
    {"again": {"call": "note", "with": {"key": "again", "failures": 2},
               "retry": {"delay": {"milliseconds": 2}, "when": "${ true }", "limit": {"attempt": {"count": 3}}}}}]}}},
  {"last": {"call": "note", "with": {"key": "end", "sum": "${ $context.sum }", "seen": "${ $context.seen }",
                                    "branches": "${ map(tojson | length) }"}}}])";
constexpr const char* kState = R"(,"state": {"seen": {"reducer": "append"}, "sum": {"reducer": "sum"}})";

constexpr const char* kTold = "told to fail: ";

void note(int file, const std::string& line) {
  const std::string text = line + "\n";
  if (::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

void add_note_kind(Kinds& kinds, int file) {
  kinds.add("note", [file](TaskContext& context, const Value& with) -> Result<TaskOutcome> {
    std::string key = with.get("key").as_string();
    const Value failures = with.get("failures");
    if (failures.is_integer()) key += "-" + std::to_string(context.attempt);
    note(file, "call " + key);
    context.write(StoreWrite{"effects", context.run_id + "/" + key, "done"});
    if (with.get("fail") == Value(true) ||
        (failures.is_integer() && context.attempt <= failures.as_integer()))
      return consort::fail(ErrorKind::kRuntime, std::string(kTold) + key);
    return TaskOutcome{with.with("key", key).with("seed", std::to_string(context.seed)), Value()};
  });
}

Result<Value> summary(Journal& journal, const RunReport& report) {
  std::int64_t effects = 0;
  for (auto cursor = journal.store().scan("effects", report.run_id + "/"); cursor.valid(); cursor.next())
    ++effects;
  CONSORT_TRY(events, journal.events(report.run_id));
  bool gapless = !events.empty();
  for (std::size_t i = 0; i < events.size(); ++i) gapless = gapless && events[i].sequence_number == i + 1;
  return Value::object({{"output", report.output}, {"effects", effects}, {"gapless", gapless}});
}

Status run(const std::string& directory, int file, const std::string& run_id) {
  CONSORT_TRY(store, Store::open(directory));
  CONSORT_CHECK_OK(store->ensure_family("effects"));
  CONSORT_TRY(journal, Journal::open(*store));
  Bench bench;
  add_note_kind(bench.fakes, file);
  bench.journal = journal.get();
  CONSORT_TRY(value, parse_json(document(kTasks, kState)));
  WorkflowParse parsed = Workflow::parse(value, *bench.fakes.kinds);
  if (!parsed.workflow) return tl::unexpected(findings_error(parsed.findings, "victim"));
  const bool resume = journal->get(run_id).has_value();
  if (resume) {
    CONSORT_TRY(tasks, journal->tasks(run_id));
    for (const auto& [path, record] : tasks) {
      if (record.kind == "call:note" && record.state == "finished")
        note(file, "done " + record.output.get("key").as_string());
      if (record.state == "failed" && path.find("/!", path.rfind('/')) != std::string::npos)
        note(file, "done " + record.problem.get("detail").as_string().substr(std::string(kTold).size()));
    }
  }
  note(file, "ready");
  RunOptions options;
  options.run_id = run_id;
  options.seed = 7;
  CONSORT_TRY(report, bench.start(parsed.workflow, Value::object(), options, resume));
  if (report.problem) return tl::unexpected(error_of(*report.problem));
  CONSORT_TRY(told, summary(*journal, report));
  std::puts(write_json(told).c_str());
  return {};
}

}  // namespace
}  // namespace consort::test

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const int file = ::open(arguments[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0) return 2;
  consort::Status status = consort::test::run(arguments[1], file, arguments[3]);
  if (!status) std::fprintf(stderr, "%s\n", status.error().line().c_str());
  return status ? 0 : 1;
}
