#include "scheduler/workflow/runner.h"

#include <random>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "memory/store/record.h"
#include "scheduler/value/digest.h"
#include "scheduler/workflow/journal_records.h"
#include "scheduler/workflow/parser.h"
#include "scheduler/workflow/run_tasks.h"

namespace consort {

using namespace workflow;

struct Runner::Impl {
  boost::asio::any_io_executor executor;
  std::shared_ptr<const CallKinds> kinds;
  Journal* journal = nullptr;
  std::shared_ptr<boost::asio::thread_pool> blocking;  // one thread: syncs of mode sync, in order
};

namespace {

// CONSORT_CHECK_OK for coroutines.
#define CONSORT_CHECK_OK_COROUTINE(expr)                                                                   \
  do {                                                                                                     \
    if (auto consort_status = (expr); !consort_status) co_return ::consort::forward_error(consort_status); \
  } while (0)

std::string label_of(const Workflow& workflow) {
  return workflow.space() + "/" + workflow.name() + "@" + workflow.version();
}

std::uint64_t random_word() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) ^ device();
}

// "r" + time + random: sorts by time, tells nothing else.
std::string new_run_id() {
  static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuv";
  std::string id = "r";
  const std::uint64_t time = static_cast<std::uint64_t>(unix_ms());
  for (int shift = 40; shift >= 0; shift -= 5) id.push_back(kDigits[(time >> shift) & 31]);
  id.push_back('-');
  const std::uint64_t word = random_word();
  for (int shift = 0; shift < 40; shift += 5) id.push_back(kDigits[(word >> shift) & 31]);
  return id;
}

Result<std::uint64_t> last_event(Store& store, std::string_view id) {
  const std::string prefix = run_prefix(id);
  auto cursor = store.scan_reverse(kEventsFamily, prefix);
  CONSORT_CHECK_OK(cursor.status());
  if (!cursor.valid()) return std::uint64_t{0};
  RecordReader key(cursor.key().substr(prefix.size()));
  const std::uint64_t number = key.u64_be();
  CONSORT_CHECK_OK(key.finish("event key"));
  return number;
}

// Releases a run of this process when its driver ends, however it ends.
struct Hold {
  Journal* journal;
  std::string id;
  ~Hold() {
    if (journal) journal->release(id);
  }
};

RunReport report_of(RunState& run, Outcome<Value> outcome) {
  RunReport report;
  report.run_id = run.id;
  report.seed = run.seed;
  report.usage = run.usage;
  if (run.options.models) report.models = run.options.models();
  report.tasks = run.finished;
  report.replayed = run.replayed;
  if (outcome) {
    report.status = "completed";
    report.output = std::move(*outcome);
    report.output_digest = value_digest(report.output);
  } else {
    const bool stopped =
        run.options.stop.stop_requested() && problem_type_name(outcome.error().type) == "cancelled";
    report.status = stopped ? "interrupted" : "failed";
    report.problem = std::move(outcome.error());
  }
  run.trace.status = report.status;
  run.trace.total_ms = run.now_ms();
  report.trace = std::move(run.trace);
  return report;
}

// The models of this process, and those that had answered before the run was resumed.
Value joined(Value before, const Value& now) {
  if (now.is_object())
    for (const auto& [id, digest] : now.as_object()) before = before.with(id, digest);
  return before;
}

// Runs the document on the run's strand and stores how it ended.
boost::asio::awaitable<Result<RunReport>> drive(RunStatePtr run, RunRecord record) {
  run->trace.workflow = record.workflow;
  const bool resumed = record.resumes > 0;
  run->emit("run", "",
            Value::object({{"status", resumed ? "resumed" : "running"}, {"workflow", record.workflow}}));
  Frame frame;
  frame.seed = run->seed;
  frame.stop = run->options.stop;
  Value input = record.input;
  const Document& document = run->workflow->document();
  Outcome<Value> outcome = tl::unexpected(Problem{});
  try {
    Outcome<Value> done = co_await run_document(*run, document, std::move(frame), std::move(input));
    outcome = std::move(done);
  } catch (const std::bad_alloc&) {
    outcome = tl::unexpected(make_problem("memory", "out of memory", ""));
  } catch (const std::exception& error) {
    outcome = tl::unexpected(make_problem("runtime", error.what(), ""));
  }
  RunReport report = report_of(*run, std::move(outcome));
  run->emit("run", "", Value::object({{"status", report.status}}));
  if (run->journal) {
    const Durability durability =
        run->durability == RunDurability::kSync ? Durability::kSync : Durability::kAsync;
    CONSORT_CHECK_OK_COROUTINE(run->flush(durability));
    record.status = report.status;
    record.output = report.output;
    record.error = report.problem
                       ? problem_to_value(*report.problem).with("kind", error_kind_name(report.problem->kind))
                       : Value();
    record.usage = report.usage;
    record.models = report.models = joined(record.models, report.models);
    record.updated_ms = unix_ms();
    CONSORT_CHECK_OK_COROUTINE(run->journal->update(record, durability));
  }
  co_return report;
}

RunReport stored_report(const RunRecord& record) {
  RunReport report;
  report.run_id = record.id;
  report.status = record.status;
  report.output = record.output;
  report.output_digest = value_digest(record.output);
  report.usage = record.usage;
  report.models = record.models;
  report.seed = record.seed;
  report.trace.run_id = record.id;
  report.trace.workflow = record.workflow;
  report.trace.status = record.status;
  report.trace.started_ms = record.created_ms;
  return report;
}

}  // namespace

Runner::Runner(boost::asio::any_io_executor executor, std::shared_ptr<const CallKinds> kinds,
               Journal* journal)
    : impl_(std::make_shared<Impl>()) {
  impl_->executor = std::move(executor);
  impl_->kinds = std::move(kinds);
  impl_->journal = journal;
  impl_->blocking = std::make_shared<boost::asio::thread_pool>(1);
}

Runner::~Runner() = default;

boost::asio::awaitable<Result<RunReport>> Runner::run(WorkflowPtr workflow, Value input, RunOptions options) {
  std::shared_ptr<Impl> impl = impl_;
  const Document& document = workflow->document();
  if (document.input_schema)
    if (Status valid = document.input_schema->check(input); !valid)
      co_return fail(ErrorKind::kInvalid, "input: " + valid.error().what, valid.error().where,
                     "see input.schema of the workflow");
  RunRecord record;
  record.id = options.run_id.empty() ? new_run_id() : options.run_id;
  if (!valid_run_id(record.id))
    co_return fail(ErrorKind::kInvalid, "'" + record.id.substr(0, 80) + "' is not a run id", {},
                   "use 1 to 64 letters, digits, '.', '_' or '-'");
  record.status = "running";
  record.workflow = label_of(*workflow);
  record.document_hash = workflow->hash();
  record.document = workflow->source();
  record.input = std::move(input);
  record.seed = options.seed ? *options.seed : random_word() >> 11;  // 53 bits: exact in every JSON reader
  record.created_ms = record.updated_ms = unix_ms();
  if (impl->journal && !impl->journal->hold(record.id))
    co_return fail(ErrorKind::kInvalid, "run '" + record.id + "' is running in this process");
  Hold hold{impl->journal, record.id};
  if (impl->journal) CONSORT_CHECK_OK_COROUTINE(impl->journal->put_new(record));
  boost::asio::any_io_executor strand = boost::asio::make_strand(impl->executor);
  const RunDurability durability = options.durability.value_or(document.durability);
  const std::uint64_t seed = record.seed;
  auto run = std::make_shared<RunState>(strand, impl->journal, std::move(options), record.id, seed,
                                        durability, impl->blocking);
  run->workflow = std::move(workflow);
  boost::asio::awaitable<Result<RunReport>> driving = drive(run, std::move(record));
  Result<RunReport> report =
      co_await boost::asio::co_spawn(strand, std::move(driving), boost::asio::use_awaitable);
  co_return report;
}

boost::asio::awaitable<Result<RunReport>> Runner::resume(WorkflowPtr workflow, RunOptions options) {
  std::shared_ptr<Impl> impl = impl_;
  if (!impl->journal)
    co_return fail(ErrorKind::kUnavailable, "this process has no store with runs", {}, "give --data-dir");
  Result<RunRecord> stored = impl->journal->get(options.run_id);
  if (!stored) co_return tl::unexpected(stored.error());
  RunRecord record = std::move(*stored);
  if (record.document_hash != workflow->hash())
    co_return fail(ErrorKind::kInvalid,
                   "run '" + record.id + "' was begun with another document (" +
                       record.document_hash.substr(0, 12) + ", this one is " +
                       workflow->hash().substr(0, 12) + ")",
                   {}, "resume with the document as it was, or start a new run");
  if (record.status == "completed") co_return stored_report(record);
  if (record.status == "cancelled")
    co_return fail(ErrorKind::kInvalid, "run '" + record.id + "' was cancelled", {}, "start a new run");
  if (!impl->journal->hold(record.id))
    co_return fail(ErrorKind::kInvalid, "run '" + record.id + "' is running in this process");
  Hold hold{impl->journal, record.id};
  Result<std::uint64_t> events = last_event(impl->journal->store(), record.id);
  if (!events) co_return tl::unexpected(events.error());
  record.status = "running";
  record.resumes += 1;
  record.updated_ms = unix_ms();
  CONSORT_CHECK_OK_COROUTINE(impl->journal->update(record, Durability::kAsync));
  boost::asio::any_io_executor strand = boost::asio::make_strand(impl->executor);
  const RunDurability durability = options.durability.value_or(workflow->document().durability);
  const std::uint64_t seed = record.seed;
  auto run = std::make_shared<RunState>(strand, impl->journal, std::move(options), record.id, seed,
                                        durability, impl->blocking);
  run->workflow = std::move(workflow);
  run->replaying = true;
  run->start_events_after(*events);
  boost::asio::awaitable<Result<RunReport>> driving = drive(run, std::move(record));
  Result<RunReport> report =
      co_await boost::asio::co_spawn(strand, std::move(driving), boost::asio::use_awaitable);
  co_return report;
}

Value report_to_value(const RunReport& report) {
  Value::Object members{{"run_id", report.run_id}, {"status", report.status}};
  if (report.problem)
    members.emplace_back("error", problem_to_value(*report.problem));
  else
    members.emplace_back("output", report.output);
  if (!report.output_digest.empty()) members.emplace_back("output_digest", report.output_digest);
  members.emplace_back("seed", report.seed);
  if (!report.models.is_null()) members.emplace_back("models", report.models);
  members.emplace_back("usage", report.usage);
  members.emplace_back("steps", trace_steps(report.trace));
  if (report.trace.dropped > 0) members.emplace_back("steps_left_out", report.trace.dropped);
  return Value::object(std::move(members));
}

}  // namespace consort
