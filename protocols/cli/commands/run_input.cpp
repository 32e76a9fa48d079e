#include "protocols/cli/commands/run_input.h"

#include "protocols/cli/context.h"

namespace consort {
namespace {

Result<Value> with_entry(const Value& input, const std::string& entry, std::vector<Blob>& blobs) {
  const std::size_t equals = entry.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(ErrorKind::kUsage, "'" + entry + "' is not KEY=VALUE, KEY:=JSON or KEY=@FILE", "--input",
                "for example --input question='Who keeps the light?'");
  const bool json = entry[equals - 1] == ':';
  const std::string key = entry.substr(0, json ? equals - 1 : equals);
  const std::string text = entry.substr(equals + 1);
  if (json) {
    CONSORT_TRY(value, parse_json(text, "--input " + key));
    return input.with(key, std::move(value));
  }
  if (!text.empty() && text.front() == '@') {
    const std::string path = text.substr(1);
    CONSORT_TRY(content, read_file(path, kMaxBlobBytes));
    CONSORT_TRY(blob, make_blob(SharedBytes::of(std::move(content)), path));
    Value handle = blob_handle(blob);
    blobs.push_back(std::move(blob));
    return input.with(key, std::move(handle));
  }
  return input.with(key, text);
}

}  // namespace

Result<RunInput> read_run_input(const std::string& file, const std::vector<std::string>& entries) {
  RunInput out;
  out.value = Value::object();
  if (!file.empty()) {
    CONSORT_TRY(text, read_file(file));
    CONSORT_TRY(json, parse_json(text, file));
    if (!json.is_object() && !entries.empty())
      return fail(ErrorKind::kInvalid, "--input adds keys to an object, but the input file holds none", file);
    out.value = std::move(json);
  }
  for (const std::string& entry : entries) {
    CONSORT_TRY(next, with_entry(out.value, entry, out.blobs));
    out.value = std::move(next);
  }
  return out;
}

}  // namespace consort
