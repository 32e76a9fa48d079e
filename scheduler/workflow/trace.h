// Trace: where a run spent its time. Spans in the order in which tasks began; at most Trace::kMaxSpans are
// kept (then counted in `dropped`), so a run of a million steps stays flat.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scheduler/value/value.h"

namespace consort {

struct TraceSpan {
  std::int64_t parent = -1;  // index in Trace::spans; -1 = the run itself
  std::string path;          // execution path
  std::string task;          // JSON Pointer in the document
  std::string name, kind;    // "answer", "call:ensemble"
  std::string
      status;  // running | finished | failed | cancelled | skipped | replayed (taken from the journal)
  std::uint32_t attempt = 1;
  double start_ms = 0, end_ms = 0;  // since the run began
  Value usage;                      // of a call: what its handler says, members and all; else null
  Value output;                     // of leaves, when at most Trace::kMaxOutputBytes; else null
  std::string error;                // detail of the problem
};

struct Trace {
  static constexpr std::size_t kMaxSpans = 20000;
  static constexpr std::size_t kMaxOutputBytes = 16384;
  std::string run_id, workflow, status;
  std::int64_t started_ms = 0;  // Unix time
  double total_ms = 0;
  std::vector<TraceSpan> spans;
  std::uint64_t dropped = 0;
};

// {run_id, workflow, status, started_ms, total_ms, dropped, spans: [...]}, the file of `--trace`.
Value trace_to_value(const Trace& trace);
// The `steps` of `consort run --json`: [{task, path, name, kind, status, attempt, milliseconds, usage?,
// error?}].
Value trace_steps(const Trace& trace);

}  // namespace consort
