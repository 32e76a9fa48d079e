#include "scheduler/workflow/journal_records.h"

#include <algorithm>

#include "memory/store/record.h"

namespace consort::workflow {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kRunVersion = 2;  // 2 adds the models

// An absent value takes one byte; "null" and absent are the same here.
void put_value(RecordWriter& writer, const Value& value) {
  writer.bytes(value.is_null() ? std::string() : write_json(value));
}

Result<Value> get_value(RecordReader& reader) {
  std::string_view text = reader.bytes();
  if (text.empty()) return Value();
  Result<Value> value = parse_json(text, "journal record");
  if (!value) return fail(ErrorKind::kCorrupt, "a damaged record: " + value.error().what);
  return value;
}

// Gives the version.
Result<std::uint8_t> check_version(RecordReader& reader, std::string_view what,
                                   std::uint8_t newest = kVersion) {
  const std::uint8_t version = reader.u8();
  if (!reader.ok()) return fail(ErrorKind::kCorrupt, "an empty " + std::string(what) + " record");
  if (version > newest || version == 0)
    return fail(ErrorKind::kUnsupported,
                "a " + std::string(what) + " record of version " + std::to_string(version), {},
                "it was written by a newer consort; use that one");
  return version;
}

}  // namespace

bool valid_run_id(std::string_view id) {
  if (id.empty() || id.size() > 64) return false;
  return std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string run_prefix(std::string_view run_id) {
  std::string key(run_id);
  key.push_back('\0');
  return key;
}

std::string task_key(std::string_view run_id, std::string_view path) {
  std::string key;
  key.reserve(run_id.size() + 1 + path.size());
  key.append(run_id);
  key.push_back('\0');
  key.append(path);
  return key;
}

std::string event_key(std::string_view run_id, std::uint64_t number) {
  RecordWriter writer;
  writer.raw(run_prefix(run_id)).u64_be(number);
  return writer.take();
}

std::string encode_task(const TaskRecord& record) {
  RecordWriter writer(kVersion);
  writer.bytes(record.state).bytes(record.kind).varint(record.order).varint(record.attempt);
  writer.f64(record.milliseconds).zigzag(record.due_ms).zigzag(record.winner);
  put_value(writer, record.output);
  put_value(writer, record.exports);
  put_value(writer, record.usage);
  put_value(writer, record.problem);
  return writer.take();
}

Result<TaskRecord> decode_task(std::string_view bytes) {
  RecordReader reader(bytes);
  CONSORT_CHECK_OK(check_version(reader, "task"));
  TaskRecord record;
  record.state = reader.bytes();
  record.kind = reader.bytes();
  record.order = reader.varint();
  record.attempt = static_cast<std::uint32_t>(reader.varint());
  record.milliseconds = reader.f64();
  record.due_ms = reader.zigzag();
  record.winner = reader.zigzag();
  for (Value* value : {&record.output, &record.exports, &record.usage, &record.problem}) {
    CONSORT_TRY(read, get_value(reader));
    *value = std::move(read);
  }
  CONSORT_CHECK_OK(reader.finish("task record"));
  return record;
}

std::string encode_event(const RunEvent& event) {
  RecordWriter writer(kVersion);
  writer.bytes(event.type).bytes(event.task).zigzag(event.time_ms);
  put_value(writer, event.data);
  return writer.take();
}

Result<RunEvent> decode_event(std::string_view bytes, std::uint64_t number) {
  RecordReader reader(bytes);
  CONSORT_CHECK_OK(check_version(reader, "event"));
  RunEvent event;
  event.sequence_number = number;
  event.type = reader.bytes();
  event.task = reader.bytes();
  event.time_ms = reader.zigzag();
  CONSORT_TRY(data, get_value(reader));
  event.data = std::move(data);
  CONSORT_CHECK_OK(reader.finish("event record"));
  return event;
}

std::string encode_run(const RunRecord& run) {
  RecordWriter writer(kRunVersion);
  writer.bytes(run.status).bytes(run.workflow).bytes(run.document_hash);
  writer.u64_be(run.seed).zigzag(run.created_ms).zigzag(run.updated_ms).varint(run.resumes);
  put_value(writer, run.output);
  put_value(writer, run.error);
  put_value(writer, run.usage);
  put_value(writer, run.models);
  return writer.take();
}

Result<RunRecord> decode_run(std::string_view bytes) {
  RecordReader reader(bytes);
  CONSORT_TRY(version, check_version(reader, "run", kRunVersion));
  RunRecord run;
  run.status = reader.bytes();
  run.workflow = reader.bytes();
  run.document_hash = reader.bytes();
  run.seed = reader.u64_be();
  run.created_ms = reader.zigzag();
  run.updated_ms = reader.zigzag();
  run.resumes = reader.varint();
  for (Value* value : {&run.output, &run.error, &run.usage}) {
    CONSORT_TRY(read, get_value(reader));
    *value = std::move(read);
  }
  if (version >= 2) {
    CONSORT_TRY(models, get_value(reader));
    run.models = std::move(models);
  }
  CONSORT_CHECK_OK(reader.finish("run record"));
  return run;
}

std::string encode_pin(const Value& document, const Value& input) {
  RecordWriter writer(kVersion);
  put_value(writer, document);
  put_value(writer, input);
  return writer.take();
}

Status decode_pin(std::string_view bytes, RunRecord& run) {
  RecordReader reader(bytes);
  CONSORT_CHECK_OK(check_version(reader, "run"));
  for (Value* value : {&run.document, &run.input}) {
    CONSORT_TRY(read, get_value(reader));
    *value = std::move(read);
  }
  return reader.finish("run record");
}

}  // namespace consort::workflow
