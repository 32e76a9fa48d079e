#include "scheduler/workflow/journal.h"

#include <algorithm>
#include <chrono>

#include "memory/store/record.h"
#include "scheduler/workflow/journal_records.h"

namespace consort {

using namespace workflow;

namespace {

std::int64_t unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Error about_run(Error error, std::string_view id) {
  if (error.where.empty()) error.where = "run " + std::string(id);
  if (error.hint.empty()) error.hint = "the other runs can be read; take this one from a backup of the store";
  return error;
}

tl::unexpected<Error> no_run(std::string_view id) {
  return fail(ErrorKind::kNotFound, "no run '" + std::string(id) + "' is stored", {},
              "see the stored ones with: consort runs list");
}

// What a list shows of a run whose record cannot be read: one bad record hides no other.
RunRecord damaged_run(const Error& error) {
  RunRecord run;
  run.status = "damaged";
  run.error = Value::object({{"detail", error.what}});
  return run;
}

StoreWrite put(std::string_view family, std::string key, std::string value) {
  return StoreWrite{std::string(family), std::move(key), std::move(value), false};
}

}  // namespace

Value event_to_value(const RunEvent& event, std::string_view run_id) {
  Value::Object members{{"run_id", run_id}, {"sequence_number", event.sequence_number}, {"type", event.type}};
  if (!event.task.empty()) members.emplace_back("task", event.task);
  members.emplace_back("time_ms", event.time_ms);
  if (event.data.is_object()) {
    for (const auto& [key, value] : event.data.as_object()) members.emplace_back(key, value);
  } else if (!event.data.is_null()) {
    members.emplace_back("data", event.data);
  }
  return Value::object(std::move(members));
}

Result<std::unique_ptr<Journal>> Journal::open(Store& store) {
  if (!store.read_only())
    for (std::string_view family : {kRunsFamily, kJournalFamily, kEventsFamily})
      CONSORT_CHECK_OK(store.ensure_family(family));
  return std::unique_ptr<Journal>(new Journal(store));
}

Status Journal::put_new(const RunRecord& run) {
  if (!valid_run_id(run.id))
    return fail(ErrorKind::kInvalid, "'" + run.id.substr(0, 80) + "' is not a run id", {},
                "use 1 to 64 letters, digits, '.', '_' or '-'");
  CONSORT_TRY(stored, store_.get(kRunsFamily, run.id));
  if (stored)
    return fail(ErrorKind::kInvalid, "run '" + run.id + "' exists already", {},
                "choose another --run-id, or go on with it: --resume " + run.id);
  std::vector<StoreWrite> writes;
  writes.push_back(put(kRunsFamily, run.id, encode_run(run)));
  writes.push_back(put(kJournalFamily, task_key(run.id, ""), encode_pin(run.document, run.input)));
  return store_.commit(writes, Durability::kSync);
}

Status Journal::update(const RunRecord& run, Durability durability) {
  return store_.commit({put(kRunsFamily, run.id, encode_run(run))}, durability);
}

Result<RunRecord> Journal::get(std::string_view id) const {
  if (!valid_run_id(id)) return no_run(id);
  CONSORT_TRY(bytes, store_.get(kRunsFamily, id));
  if (!bytes) return no_run(id);
  Result<RunRecord> run = decode_run(*bytes);
  if (!run) return tl::unexpected(about_run(run.error(), id));
  run->id = id;
  CONSORT_TRY(pin, store_.get(kJournalFamily, task_key(id, "")));
  if (!pin) return fail(ErrorKind::kCorrupt, "the document of the run is missing", "run " + std::string(id));
  if (Status read = decode_pin(*pin, *run); !read) return tl::unexpected(about_run(read.error(), id));
  return run;
}

Result<std::vector<RunRecord>> Journal::list(std::size_t limit) const {
  std::vector<RunRecord> runs;
  auto cursor = store_.scan(kRunsFamily, "");
  for (; cursor.valid(); cursor.next()) {
    Result<RunRecord> run = decode_run(cursor.value());
    if (!run) run = damaged_run(run.error());
    run->id = cursor.key();
    runs.push_back(std::move(*run));
  }
  CONSORT_CHECK_OK(cursor.status());
  std::stable_sort(runs.begin(), runs.end(),
                   [](const RunRecord& a, const RunRecord& b) { return a.created_ms > b.created_ms; });
  if (runs.size() > limit) runs.resize(limit);
  return runs;
}

Result<std::vector<RunEvent>> Journal::events(std::string_view id, std::uint64_t after,
                                              std::size_t limit) const {
  CONSORT_CHECK_OK(get(id));
  std::vector<RunEvent> events;
  const std::string prefix = run_prefix(id);
  auto cursor = store_.scan(kEventsFamily, prefix, event_key(id, after + 1));
  for (; cursor.valid() && events.size() < limit; cursor.next()) {
    RecordReader key(cursor.key().substr(prefix.size()));
    const std::uint64_t number = key.u64_be();
    CONSORT_CHECK_OK(key.finish("event key"));
    Result<RunEvent> event = decode_event(cursor.value(), number);
    if (!event) return tl::unexpected(about_run(event.error(), id));
    events.push_back(std::move(*event));
  }
  CONSORT_CHECK_OK(cursor.status());
  return events;
}

Result<std::vector<std::pair<std::string, TaskRecord>>> Journal::tasks(std::string_view id) const {
  CONSORT_CHECK_OK(get(id));
  std::vector<std::pair<std::string, TaskRecord>> tasks;
  const std::string prefix = run_prefix(id);
  auto cursor = store_.scan(kJournalFamily, prefix);
  for (; cursor.valid(); cursor.next()) {
    std::string path(cursor.key().substr(prefix.size()));
    if (path.empty()) continue;  // the pin
    Result<TaskRecord> record = decode_task(cursor.value());
    if (!record) return tl::unexpected(about_run(record.error(), id));
    tasks.emplace_back(std::move(path), std::move(*record));
  }
  CONSORT_CHECK_OK(cursor.status());
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
  return tasks;
}

Status Journal::cancel(std::string_view id) {
  CONSORT_TRY(run, get(id));
  if (!hold(id))
    return fail(ErrorKind::kInvalid, "run '" + std::string(id) + "' is running in this process", {},
                "stop it there (Ctrl-C)");
  if (run.status == "completed" || run.status == "cancelled") {
    release(id);
    return fail(ErrorKind::kInvalid, "run '" + std::string(id) + "' is " + run.status + " already");
  }
  run.status = "cancelled";
  run.updated_ms = unix_ms();
  Status updated = update(run, Durability::kSync);
  release(id);
  return updated;
}

Status Journal::forget(std::string_view id) {
  CONSORT_CHECK_OK(get(id));
  if (!hold(id)) return fail(ErrorKind::kInvalid, "run '" + std::string(id) + "' is running in this process");
  const auto remove = [&]() -> Status {
    CONSORT_CHECK_OK(store_.erase_prefix(kJournalFamily, run_prefix(id), Durability::kAsync));
    CONSORT_CHECK_OK(store_.erase_prefix(kEventsFamily, run_prefix(id), Durability::kAsync));
    return store_.commit({StoreWrite{std::string(kRunsFamily), std::string(id), {}, true}},
                         Durability::kSync);
  };
  Status removed = remove();
  release(id);
  return removed;
}

bool Journal::hold(std::string_view id) {
  std::lock_guard lock(mutex_);
  return held_.emplace(id).second;
}

void Journal::release(std::string_view id) {
  std::lock_guard lock(mutex_);
  if (auto found = held_.find(id); found != held_.end()) held_.erase(found);
}

}  // namespace consort
