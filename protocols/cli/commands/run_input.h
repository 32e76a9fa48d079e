// The input of a workflow run from the command line.
#pragma once

#include <string>
#include <vector>

#include "scheduler/blob/blob.h"
#include "scheduler/value/value.h"

namespace consort {

// `file`: a JSON object to start from (empty: none). Each entry: KEY=VALUE is a string, KEY:=JSON is JSON,
// KEY=@FILE a blob: its handle stands in the input, and the blob in `blobs`. Errors: kInvalid, kUsage,
// kNotFound.
struct RunInput {
  Value value;
  std::vector<Blob> blobs;
};
Result<RunInput> read_run_input(const std::string& file, const std::vector<std::string>& entries);

}  // namespace consort
