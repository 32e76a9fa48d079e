// The input of a workflow run from the command line.
#pragma once

#include <string>
#include <vector>

#include "scheduler/value/value.h"

namespace consort {

// `file`: a JSON object to start from (empty: none). Each entry: KEY=VALUE is a string, KEY:=JSON is JSON.
// Errors: kInvalid, kUsage; kUnsupported for KEY=@FILE (blobs are not in this build).
Result<Value> read_run_input(const std::string& file, const std::vector<std::string>& entries);

}  // namespace consort
