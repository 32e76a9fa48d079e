#include "protocols/cli/commands/run_input.h"

#include "protocols/cli/context.h"

namespace consort {
namespace {

Result<Value> with_entry(const Value& input, const std::string& entry) {
  const std::size_t equals = entry.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(ErrorKind::kUsage, "'" + entry + "' is not KEY=VALUE or KEY:=JSON", "--input",
                "for example --input question='Who keeps the light?'");
  const bool json = entry[equals - 1] == ':';
  const std::string key = entry.substr(0, json ? equals - 1 : equals);
  const std::string text = entry.substr(equals + 1);
  if (json) {
    CONSORT_TRY(value, parse_json(text, "--input " + key));
    return input.with(key, std::move(value));
  }
  if (!text.empty() && text.front() == '@')
    return fail(ErrorKind::kUnsupported, "files as blobs are not in this build", "--input " + key,
                "give the text itself (KEY=VALUE) or JSON (KEY:=...)");
  return input.with(key, text);
}

}  // namespace

Result<Value> read_run_input(const std::string& file, const std::vector<std::string>& entries) {
  Value input = Value::object();
  if (!file.empty()) {
    CONSORT_TRY(text, read_file(file));
    CONSORT_TRY(json, parse_json(text, file));
    if (!json.is_object() && !entries.empty())
      return fail(ErrorKind::kInvalid, "--input adds keys to an object, but the input file holds none", file);
    input = std::move(json);
  }
  for (const std::string& entry : entries) {
    CONSORT_TRY(next, with_entry(input, entry));
    input = std::move(next);
  }
  return input;
}

}  // namespace consort
