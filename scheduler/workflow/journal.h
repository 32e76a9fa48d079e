// Journal: what a run has done, in the Store. One commit per finished task (its output, exported state, the
// handler's store writes, its events) keyed by run id and execution path, so that a run can go on after
// kill -9. Owned by main; shared by all runs of a process; any thread may call.
//
// Families: "runs" (id -> small record), "journal" (id, 0, path -> task record; the empty path holds the
// pinned document and input), "run_events" (id, 0, big-endian number -> event). Every record begins with a
// version byte; newer versions are refused by name.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "memory/base/status.h"
#include "memory/store/store.h"
#include "scheduler/value/value.h"

namespace consort {

enum class RunDurability : std::uint8_t { kSync, kAsync, kExit };

// status: running (in a process that may have died), completed, failed, interrupted (Ctrl-C), cancelled.
// running, failed and interrupted runs can be resumed.
struct RunRecord {
  std::string id, status;
  std::string workflow;  // "namespace/name@version"
  std::string document_hash;
  Value document, input;
  std::uint64_t seed = 0;
  std::int64_t created_ms = 0, updated_ms = 0;  // Unix time
  Value output;                                 // completed
  Value error;                                  // failed: the problem
  Value usage;
  Value models;  // {id: digest of its weights} of the models that answered
  std::uint64_t resumes = 0;
};

struct RunEvent {
  std::uint64_t sequence_number = 0;  // per run, from 1, no gaps
  std::string type;                   // run | task | token | value | error
  std::string task;                   // execution path; empty for run events
  std::int64_t time_ms = 0;           // Unix time
  Value data;
};
Value event_to_value(const RunEvent& event, std::string_view run_id);

// One finished (or sent, or failed) task. `path` is the task's JSON Pointer with the segments @i (iteration),
// !k (attempt) and #v (visit after a jump back) put in.
struct TaskRecord {
  std::string state;        // finished | sent | failed
  std::string kind;         // "set", "call:embed", ...
  std::uint64_t order = 0;  // number of the event that reported it
  std::uint32_t attempt = 1;
  double milliseconds = 0;
  Value output, exports, usage, problem;
  std::int64_t due_ms = 0;   // wait: when it ends, Unix time
  std::int64_t winner = -1;  // fork with compete: the branch
};

class Journal {
 public:
  // `store` outlives the journal. Creates its column families.
  static Result<std::unique_ptr<Journal>> open(Store& store);

  // Stores a new run with its document and input. Errors: kInvalid when the id is malformed ([A-Za-z0-9._-],
  // at most 64) or taken.
  Status put_new(const RunRecord& run);
  Result<RunRecord> get(std::string_view id) const;  // kNotFound
  // Newest first; document left out. A run whose record cannot be read is listed as `damaged`, with the
  // error.
  Result<std::vector<RunRecord>> list(std::size_t limit = 1000) const;
  Result<std::vector<RunEvent>> events(std::string_view id, std::uint64_t after = 0,
                                       std::size_t limit = 10000) const;
  // (path, record) of every task of a run, in the order of their events.
  Result<std::vector<std::pair<std::string, TaskRecord>>> tasks(std::string_view id) const;
  // Marks a run that is not running in this process as cancelled, for good. kNotFound, kInvalid (already
  // over).
  Status cancel(std::string_view id);
  // Removes a run with everything of it.
  Status forget(std::string_view id);

  // Status, output, error, usage, resumes and times of a stored run; document and input never change.
  Status update(const RunRecord& run, Durability durability);

  // One run is driven by one Runner at a time. False when it is held already in this process.
  bool hold(std::string_view id);
  void release(std::string_view id);

  Store& store() { return store_; }

 private:
  explicit Journal(Store& store) : store_(store) {}
  Store& store_;
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> held_;  // guarded by mutex_
};

}  // namespace consort
