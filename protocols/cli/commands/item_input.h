// Items for a network from the command line: JSON Lines and files.
#pragma once

#include <string>

#include "protocols/cli/context.h"
#include "scheduler/host/requests.h"

namespace consort {

// The most bytes of one file that is given to a model.
inline constexpr std::size_t kMaxItemBytes = std::size_t{256} << 20;

// {"text": string}, {"image": path}, {"file": path}, {"smiles": string} or {"graph": {...}}, exactly one of
// them. Errors: kInvalid; kNotFound and kIo for the named file.
Result<ModelInput> read_item(const Value& line, const std::string& where);

// A file's content; the model decides what it is.
Result<ModelInput> read_item_file(const std::string& path);

}  // namespace consort
