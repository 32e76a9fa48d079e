// The bytes of the journal's keys and records. Version 1 of each, but 2 of a run's (adds its models).
#pragma once

#include <string>
#include <string_view>

#include "memory/base/status.h"
#include "scheduler/workflow/journal.h"

namespace consort::workflow {

inline constexpr std::string_view kRunsFamily = "runs";
inline constexpr std::string_view kJournalFamily = "journal";
inline constexpr std::string_view kEventsFamily = "run_events";

bool valid_run_id(std::string_view id);
std::string run_prefix(std::string_view run_id);  // of its keys in journal and run_events
std::string task_key(std::string_view run_id, std::string_view path);
std::string event_key(std::string_view run_id, std::uint64_t number);

std::string encode_task(const TaskRecord& record);
Result<TaskRecord> decode_task(std::string_view bytes);
std::string encode_event(const RunEvent& event);  // its number stands in the key
Result<RunEvent> decode_event(std::string_view bytes, std::uint64_t number);
std::string encode_run(const RunRecord& run);  // without document and input
Result<RunRecord> decode_run(std::string_view bytes);
std::string encode_pin(const Value& document, const Value& input);
Status decode_pin(std::string_view bytes, RunRecord& run);

}  // namespace consort::workflow
